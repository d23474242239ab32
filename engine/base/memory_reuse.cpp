// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/memory_reuse.h"

#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>

#include <climits>
#endif

namespace es {

void keepFreedMemory() {
#ifdef __GLIBC__
    // Blocks that were mapped on their own are unmapped when freed, and the heap's end is given back: neither here.
    (void)::mallopt(M_MMAP_MAX, 0);
    (void)::mallopt(M_TRIM_THRESHOLD, INT_MAX);
    (void)::mallopt(M_TOP_PAD, 16 << 20);
#endif
}

}  // namespace es
