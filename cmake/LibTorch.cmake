# SPDX-License-Identifier: GPL-3.0-or-later
# LibTorch from the wheel that ./run setup unpacks into .deps. Own imported target: find_package(Torch) would pull the whole
# CUDA stack into the link, and the engine needs only the CPU libraries to link; CUDA is loaded at run time when it is there.
set(EXPERTSCOPE_TORCH_DIR ${CMAKE_SOURCE_DIR}/.deps/torch CACHE PATH "The torch folder of an unpacked wheel")
if(NOT EXISTS ${EXPERTSCOPE_TORCH_DIR}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "LibTorch is not in ${EXPERTSCOPE_TORCH_DIR}. Run './run setup', or configure with -DEXPERTSCOPE_ENGINE=OFF.")
endif()

add_library(LibTorch::c10 SHARED IMPORTED)
set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION ${EXPERTSCOPE_TORCH_DIR}/lib/libc10.so)
add_library(LibTorch::cpu SHARED IMPORTED)
set_target_properties(LibTorch::cpu PROPERTIES IMPORTED_LOCATION ${EXPERTSCOPE_TORCH_DIR}/lib/libtorch_cpu.so)
target_include_directories(LibTorch::cpu SYSTEM INTERFACE
  ${EXPERTSCOPE_TORCH_DIR}/include ${EXPERTSCOPE_TORCH_DIR}/include/torch/csrc/api/include)
# at::parallel_for runs serially, without a word, in code compiled without -fopenmp.
target_compile_options(LibTorch::cpu INTERFACE -fopenmp)
# The wheel's OpenMP runtime by its full path: a second one beside it would bring its own pool of threads.
target_link_libraries(LibTorch::cpu INTERFACE LibTorch::c10 ${EXPERTSCOPE_TORCH_DIR}/lib/libgomp.so.1)
