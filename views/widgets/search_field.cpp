// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/widgets/search_field.h"

#include <QAction>
#include <QKeyEvent>

namespace es::views {

SearchField::SearchField(Theme* theme, const QString& placeholder, QWidget* parent) : QLineEdit(parent), theme_(theme) {
    setPlaceholderText(placeholder);
    setAccessibleName(placeholder);
    lens_ = addAction(QIcon(), QLineEdit::LeadingPosition);
    lens_->setToolTip(placeholder);
    clear_ = addAction(QIcon(), QLineEdit::TrailingPosition);
    clear_->setToolTip(tr("Clear the search"));
    clear_->setVisible(false);
    pause_.setSingleShot(true);
    pause_.setInterval(150);
    connect(clear_, &QAction::triggered, this, [this] { clear(); });
    connect(lens_, &QAction::triggered, this, [this] { setFocus(); });
    connect(this, &QLineEdit::textChanged, this, [this](const QString& text) {
        clear_->setVisible(!text.isEmpty());
        pause_.start();
    });
    connect(&pause_, &QTimer::timeout, this, [this] { Q_EMIT searched(text()); });
    connect(theme_, &Theme::changed, this, &SearchField::tint);
    tint();
}

void SearchField::tint() {
    lens_->setIcon(QIcon(theme_->icon(QStringLiteral("search"), theme_->colors().muted)));
    clear_->setIcon(QIcon(theme_->icon(QStringLiteral("close"), theme_->colors().muted)));
}

void SearchField::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Escape && !text().isEmpty()) return clear();
    if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) {
        pause_.stop();
        Q_EMIT searched(text());
    }
    QLineEdit::keyPressEvent(event);
}

}  // namespace es::views
