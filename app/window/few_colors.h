// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>

namespace es::app {

/// The picture with at most `most` (1 to 256) colours, indexed: a third of the size as PNG. Exact when it has no more; else each colour becomes that
/// of its box of a median cut, but for the commonest ones: grounds, text and swatches stay as they are.
/// Alpha is dropped. No dithering.
[[nodiscard]] QImage withFewColors(const QImage& picture, int most = 256);

}  // namespace es::app
