// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/overlay/picture_image.h"

#include <QPainter>
#include <algorithm>
#include <cmath>
#include <cstring>

namespace es::views {

QImage toImage(const store::Picture& picture) {
    const auto bytes = static_cast<std::int64_t>(picture.width) * picture.height * 4;
    if (picture.width <= 0 || picture.height <= 0 || bytes != static_cast<std::int64_t>(picture.rgba.size())) return {};
    return QImage(picture.rgba.data(), picture.width, picture.height, picture.width * 4, QImage::Format_RGBA8888).copy();
}

store::Picture toPicture(const QImage& image) {
    store::Picture picture;
    if (image.isNull()) return picture;
    const QImage rgba = image.convertToFormat(QImage::Format_RGBA8888);
    picture.width = rgba.width();
    picture.height = rgba.height();
    const auto row = static_cast<std::size_t>(rgba.width()) * 4;
    picture.rgba.resize(row * static_cast<std::size_t>(rgba.height()));
    for (int y = 0; y < rgba.height(); ++y) std::memcpy(picture.rgba.data() + row * static_cast<std::size_t>(y), rgba.constScanLine(y), row);
    return picture;
}

QImage thumbnail(const store::Picture& picture, int side, qreal ratio) {
    const QImage source = toImage(picture);
    if (source.isNull()) return {};
    const int pixels = std::max(1, static_cast<int>(std::lround(side * ratio)));
    QImage out(pixels, pixels, QImage::Format_ARGB32_Premultiplied);
    out.fill(Qt::white);
    const QSize fitted = source.size().scaled(pixels, pixels, Qt::KeepAspectRatio).expandedTo({1, 1});
    QPainter painter(&out);
    painter.setRenderHint(QPainter::SmoothPixmapTransform);
    painter.drawImage(QRect(QPoint((pixels - fitted.width()) / 2, (pixels - fitted.height()) / 2), fitted),
                      source.scaled(fitted, Qt::IgnoreAspectRatio, Qt::SmoothTransformation));
    painter.end();
    out.setDevicePixelRatio(ratio);
    return out;
}

QRect patchPixels(const store::Picture& picture, int grid_width, int grid_height, int index) {
    if (picture.empty() || grid_width <= 0 || grid_height <= 0 || index < 0 || index >= grid_width * grid_height) return {};
    const int column = index % grid_width, row = index / grid_width;
    const int left = column * picture.width / grid_width, right = (column + 1) * picture.width / grid_width;
    const int top = row * picture.height / grid_height, bottom = (row + 1) * picture.height / grid_height;
    return QRect(left, top, std::max(1, right - left), std::max(1, bottom - top));
}

}  // namespace es::views
