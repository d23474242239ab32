// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/result.h"

namespace es {

std::string Error::message() const {
    std::string text = what;
    if (!why.empty()) text += ": " + why;
    if (!text.empty() && text.back() != '.') text += '.';
    if (!remedy.empty()) text += ' ' + remedy + (remedy.back() == '.' ? "" : ".");
    if (!path.empty()) text += " (" + path + ")";
    return text;
}

}  // namespace es
