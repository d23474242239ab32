// SPDX-License-Identifier: GPL-3.0-or-later
// Apart from everything else, because its definitions change with every commit.
#include "engine/train/build_info.h"

namespace es::engine {

std::string_view programVersion() { return ES_PROGRAM_VERSION; }
std::string_view sourceCommit() { return ES_COMMIT; }

}  // namespace es::engine
