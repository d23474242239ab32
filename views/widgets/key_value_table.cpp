// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/widgets/key_value_table.h"

#include <QGridLayout>
#include <QLabel>
#include <QPainter>

#include "views/widgets/elided_label.h"

namespace es::views {
namespace {
constexpr int kLeastValue = 80;  // a long name gives way: the value is what is looked for
}

KeyValueTable::KeyValueTable(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    auto* grid = new QGridLayout(this);
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setHorizontalSpacing(8);
    grid->setVerticalSpacing(0);
    grid->setColumnStretch(1, 1);
    grid->setColumnMinimumWidth(1, kLeastValue);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    connect(theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void KeyValueTable::setValueAlignment(Qt::Alignment alignment) {
    alignment_ = alignment;
    auto rows = std::exchange(rows_, {});
    setRows(rows);
}

void KeyValueTable::setRows(const std::vector<std::pair<QString, QString>>& rows) {
    if (rows == rows_) return;
    auto* grid = static_cast<QGridLayout*>(layout());
    const bool same_names =
        rows.size() == rows_.size() && std::equal(rows.begin(), rows.end(), rows_.begin(), [](const auto& a, const auto& b) { return a.first == b.first; });
    rows_ = rows;
    if (!same_names) {
        while (QLayoutItem* item = grid->takeAt(0)) {
            delete item->widget();
            delete item;
        }
        int line = 0;
        for (const auto& [name, value] : rows_) {
            auto* label = new ElidedLabel(name, this);
            label->setProperty("role", QStringLiteral("muted"));
            label->setFixedHeight(theme_->metrics().row);
            auto* text = new ElidedLabel(value, this);
            text->setFont(theme_->font(Theme::FontRole::kTabular));
            text->setAlignment(alignment_ | Qt::AlignVCenter);
            text->setFixedHeight(theme_->metrics().row);
            text->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
            grid->addWidget(label, line, 0);
            grid->addWidget(text, line, 1);
            ++line;
        }
        return;
    }
    for (int line = 0; line < static_cast<int>(rows_.size()); ++line)
        static_cast<ElidedLabel*>(grid->itemAtPosition(line, 1)->widget())->setText(rows_[static_cast<std::size_t>(line)].second);
}

void KeyValueTable::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    QPen pen(theme_->colors().line, 1, Qt::CustomDashLine);
    pen.setDashPattern({2, 2});
    painter.setPen(pen);
    const auto* grid = static_cast<const QGridLayout*>(layout());
    for (std::size_t line = 0; line < rows_.size(); ++line) {
        const qreal y = grid->cellRect(static_cast<int>(line), 0).bottom() + 0.5;
        painter.drawLine(QPointF(0, y), QPointF(width(), y));
    }
}

}  // namespace es::views
