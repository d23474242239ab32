// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <utility>
#include <vector>

#include "views/theme/theme.h"

namespace es::views {

/// Facts in two columns: muted name left, value right. Values can be selected; long ones are cut with the whole in the tooltip.
class KeyValueTable : public QWidget {
    Q_OBJECT
public:
    explicit KeyValueTable(Theme* theme, QWidget* parent = nullptr);
    void setRows(const std::vector<std::pair<QString, QString>>& rows);
    [[nodiscard]] const std::vector<std::pair<QString, QString>>& rows() const { return rows_; }
    void setValueAlignment(Qt::Alignment alignment);  ///< right unless told otherwise

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    Theme* theme_;
    std::vector<std::pair<QString, QString>> rows_;
    Qt::Alignment alignment_ = Qt::AlignRight;
};

}  // namespace es::views
