// SPDX-License-Identifier: GPL-3.0-or-later
// `expertscope doctor --reference`: the numerics against reference cases.
#pragma once

#include <string>

namespace es::app {

struct ReferenceArguments {
    std::string path;            ///< a case file, or a folder of them
    std::string write;           ///< folder for what was computed; empty: nowhere
    std::string device = "cpu";  ///< "cpu" or "cuda"
    bool list = false;           ///< print the operations instead
    bool json = false;
};

/// Returns the exit code: 0 all passed, 1 a case failed, 3 no case could be found or the device is not there.
int checkReferences(const ReferenceArguments& arguments);

}  // namespace es::app
