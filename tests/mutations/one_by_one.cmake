# SPDX-License-Identifier: GPL-3.0-or-later
# Included by CMake where run_mutations.py configures: the library that mutations are made in is compiled file by file, so that one changed
# file is one file to compile.
cmake_language(DEFER CALL set_target_properties es_engine_model PROPERTIES UNITY_BUILD OFF)
