// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStyledItemDelegate>

#include "views/theme/theme.h"

namespace es::views {

/// A sample as a row: picture, caption on at most two lines, a muted line of facts.
class SampleDelegate : public QStyledItemDelegate {
    Q_OBJECT
public:
    static constexpr int kPicture = 44, kRow = 56;
    explicit SampleDelegate(Theme* theme, QObject* parent = nullptr) : QStyledItemDelegate(parent), theme_(theme) {}
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    [[nodiscard]] QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;

private:
    Theme* theme_;
};

}  // namespace es::views
