// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/priority.h"

#include <sys/resource.h>

namespace es {
namespace {

constexpr int kNice = 5;  // a third of the weight of an ordinary thread

}  // namespace

// On Linux this is a thread's own value, in spite of the name.
void giveWayToInteractiveWork() {
    if (getpriority(PRIO_PROCESS, 0) < kNice) (void)setpriority(PRIO_PROCESS, 0, kNice);
}

}  // namespace es
