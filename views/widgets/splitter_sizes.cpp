// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/widgets/splitter_sizes.h"

namespace es::views {

QJsonArray sizesOf(const QSplitter* splitter) {
    QJsonArray sizes;
    for (const int size : splitter->sizes()) sizes.append(size);
    return sizes;
}

void restoreSizes(QSplitter* splitter, const QJsonValue& value) {
    QList<int> sizes;
    for (const auto& size : value.toArray()) sizes.append(size.toInt());
    if (sizes.size() == splitter->count()) splitter->setSizes(sizes);
}

}  // namespace es::views
