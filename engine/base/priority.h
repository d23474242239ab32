// SPDX-License-Identifier: GPL-3.0-or-later
// Who goes first when there are fewer cores than work.
#pragma once

namespace es {

/// The calling thread, and threads it starts from now on, give way to work that somebody waits for (nice 5). Where the system refuses,
/// nothing changes. Any thread.
void giveWayToInteractiveWork();

}  // namespace es
