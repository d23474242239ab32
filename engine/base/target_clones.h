// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/// Before a function: it is compiled for plain x86-64, for AVX2 and for AVX-512, and the loader takes the best one. Sanitizers run before the
/// loader's choice is possible, so their builds have the plain one only.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ES_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define ES_CLONES
#endif
