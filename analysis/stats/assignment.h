// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/assignment.h"

namespace es::analysis {

using es::bestAssignment;

}  // namespace es::analysis
