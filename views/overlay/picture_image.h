// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures as the store keeps them, turned into Qt images.
#pragma once

#include <QImage>
#include <QRect>

#include "engine/store/records.h"

namespace es::views {

/// The picture as an image of its own memory, alpha not multiplied in. Null when the picture is empty or its sizes do not fit its bytes.
[[nodiscard]] QImage toImage(const store::Picture& picture);

/// The picture of an image, at its own size. Empty for a null image.
[[nodiscard]] store::Picture toPicture(const QImage& image);

/// The picture laid on white (as models see it), scaled to fit a square of `side` logical pixels at `ratio` device pixels each.
[[nodiscard]] QImage thumbnail(const store::Picture& picture, int side, qreal ratio);

/// Pixels of patch `index` of a grid over the picture. Empty when there is no such patch.
[[nodiscard]] QRect patchPixels(const store::Picture& picture, int grid_width, int grid_height, int index);

}  // namespace es::views
