// SPDX-License-Identifier: GPL-3.0-or-later
// Memory that is given back and asked for again every step.
#pragma once

namespace es {

/// From now on the process keeps the memory that it frees, for itself to use again, instead of giving large blocks back to the system, which has to
/// clear every page when they are asked for anew: a training step frees and takes the same blocks each time. The process stays as large as its worst
/// moment. For a process that trains; call it before there are other threads. Nothing happens where the C library is not glibc.
void keepFreedMemory();

}  // namespace es
