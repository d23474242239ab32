// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/widgets/empty_state.h"

#include <QVBoxLayout>

#include "views/widgets/controls.h"

namespace es::views {

EmptyState::EmptyState(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(16, 8, 16, 8);
    column->setSpacing(6);
    column->addStretch(1);
    icon_ = new QLabel(this);
    icon_->setAlignment(Qt::AlignCenter);
    headline_ = new QLabel(this);
    headline_->setAlignment(Qt::AlignCenter);
    headline_->setWordWrap(true);
    headline_->setProperty("role", QStringLiteral("strong"));
    words_ = new QLabel(this);
    words_->setAlignment(Qt::AlignHCenter | Qt::AlignTop);
    words_->setWordWrap(true);
    words_->setProperty("role", QStringLiteral("muted"));
    words_->setTextFormat(Qt::PlainText);
    words_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    words_->setMaximumWidth(420);
    button_ = makeButton(theme, {}, ButtonKind::kPlain, {}, this);
    button_->hide();
    column->addWidget(icon_);
    column->addWidget(headline_);
    auto* centred = new QHBoxLayout;
    centred->addStretch(1);
    centred->addWidget(words_, 100);
    centred->addStretch(1);
    column->addLayout(centred);
    column->addSpacing(4);
    column->addWidget(button_, 0, Qt::AlignHCenter);
    column->addStretch(1);
    connect(button_, &QPushButton::clicked, this, [this] {
        if (run_) run_();
    });
    connect(theme_, &Theme::changed, this, &EmptyState::tint);
}

void EmptyState::show(const QString& icon, const QString& headline, const QString& words, const QString& action, std::function<void()> run,
                      analysis::ColorRole role) {
    icon_name_ = icon;
    role_ = role;
    run_ = std::move(run);
    headline_->setText(headline);
    words_->setText(words);
    words_->setVisible(!words.isEmpty());
    button_->setText(action);
    button_->setAccessibleName(action);
    button_->setVisible(!action.isEmpty());
    setAccessibleName(headline);
    setAccessibleDescription(words);
    tint();
}

void EmptyState::tint() {
    const ThemeColors& c = theme_->colors();
    if (!icon_name_.isEmpty())
        icon_->setPixmap(theme_->icon(icon_name_, role_.kind == analysis::ColorRole::Kind::kMuted ? c.faint : Theme::color(role_, c), 28));
}

}  // namespace es::views
