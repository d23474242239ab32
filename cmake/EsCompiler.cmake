# SPDX-License-Identifier: GPL-3.0-or-later
# Compiler settings that every target shares.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug or RelWithDebInfo" FORCE)
endif()

find_program(EXPERTSCOPE_CCACHE ccache)
if(EXPERTSCOPE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The precompiled Torch header is cached too, which ccache only does when told that time macros do not matter.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${EXPERTSCOPE_CCACHE})
endif()
find_program(EXPERTSCOPE_MOLD mold)
if(EXPERTSCOPE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Loops over tokens and tensors want -O3 (engine, store, analysis); what draws and parses compiles faster with -O2 and runs as fast.
set(ES_PLAIN_OPTIMISATION $<$<CONFIG:Release,RelWithDebInfo>:-O2>)
add_compile_options(-Wall -Wextra -Wshadow -Wno-unused-parameter)
if(EXPERTSCOPE_SANITIZE)
  add_compile_options(-fsanitize=${EXPERTSCOPE_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${EXPERTSCOPE_SANITIZE})
endif()
