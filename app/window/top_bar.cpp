// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/top_bar.h"

#include <QButtonGroup>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QToolButton>

#include "views/theme/theme.h"

namespace es::app {
namespace {

constexpr int kBarHeight = 44;
constexpr int kSearchWidth = 300;

/// Elides in the middle when the bar is narrow: both ends of a run's name tell it apart.
class ChipLabel : public QWidget {
public:
    ChipLabel(TopBar::Chip chip, views::Theme* theme, QWidget* parent) : QWidget(parent), chip_(std::move(chip)), theme_(theme) {
        setToolTip(chip_.tip.isEmpty() ? chip_.text : chip_.tip);
        setAccessibleName(chip_.text);
        setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
        setFont(theme->font(views::Theme::FontRole::kSecondary));
    }
    [[nodiscard]] QSize sizeHint() const override { return {std::min(fontMetrics().horizontalAdvance(chip_.text) + 34, 280), 24}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {72, 24}; }

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        const auto& c = theme_->colors();
        painter.setPen(Qt::NoPen);
        painter.setBrush(c.ground);
        painter.drawRoundedRect(rect(), 12, 12);
        painter.setBrush(chip_.color);
        painter.drawEllipse(QRectF(10, height() / 2.0 - 4, 8, 8));
        painter.setPen(c.text);
        const QRect text = rect().adjusted(24, 0, -8, 0);
        painter.drawText(text, Qt::AlignVCenter, fontMetrics().elidedText(chip_.text, Qt::ElideMiddle, text.width()));
    }

private:
    TopBar::Chip chip_;
    views::Theme* theme_;
};

}  // namespace

TopBar::TopBar(views::Theme* theme, QWidget* parent)
    : QWidget(parent), theme_(theme), name_(new QLabel(this)), tabs_(new QHBoxLayout), chips_(new QHBoxLayout), group_(new QButtonGroup(this)),
      search_(new QPushButton(this)), searchKeys_(new QLabel(QStringLiteral("Ctrl K"), search_)), menu_(new QToolButton(this)) {
    setFixedHeight(kBarHeight);
    group_->setExclusive(true);
    tabs_->setSpacing(theme->metrics().space1);
    chips_->setSpacing(theme->metrics().space2);
    search_->setObjectName(QStringLiteral("searchButton"));
    search_->setText(QStringLiteral("Search commands, runs, samples…"));
    auto* keys = new QHBoxLayout(search_);
    keys->setContentsMargins(0, 0, 10, 0);
    keys->addStretch(1);
    keys->addWidget(searchKeys_);
    search_->setToolTip(QStringLiteral("Find commands, runs, samples and experts (Ctrl+K)"));
    search_->setAccessibleName(QStringLiteral("Search"));
    search_->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    search_->setFixedWidth(kSearchWidth);
    search_->setFocusPolicy(Qt::TabFocus);  // a click opens it; it need not keep the focus ring
    connect(search_, &QPushButton::clicked, this, &TopBar::searchRequested);
    menu_->setObjectName(QStringLiteral("menuButton"));
    menu_->setPopupMode(QToolButton::InstantPopup);
    menu_->setToolTip(QStringLiteral("Menu (F10)"));
    menu_->setAccessibleName(QStringLiteral("Menu"));
    menu_->setAutoRaise(true);

    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(14, 0, 8, 0);
    layout->setSpacing(12);
    layout->addWidget(name_);
    layout->addLayout(tabs_);
    layout->addSpacing(4);
    layout->addLayout(chips_, 1);
    layout->addWidget(search_);
    layout->addWidget(menu_);
    connect(theme, &views::Theme::changed, this, &TopBar::restyle);
    restyle();
}

void TopBar::addWorkspace(const QString& id, const QString& title, const QString& shortcut) {
    auto* tab = new QPushButton(title, this);
    tab->setCheckable(true);
    tab->setObjectName(QStringLiteral("workspaceTab"));
    tab->setProperty("workspace", id);
    tab->setToolTip(QStringLiteral("%1 (%2)").arg(title, shortcut));
    group_->addButton(tab);
    tabs_->addWidget(tab);
    connect(tab, &QPushButton::clicked, this, [this, id] { Q_EMIT workspaceChosen(id); });
}

void TopBar::setWorkspace(const QString& id) {
    for (QAbstractButton* tab : group_->buttons())
        if (tab->property("workspace").toString() == id) tab->setChecked(true);
}

void TopBar::setChips(const std::vector<Chip>& chips) {
    while (QLayoutItem* item = chips_->takeAt(0)) {
        delete item->widget();
        delete item;
    }
    for (const Chip& chip : chips) chips_->addWidget(new ChipLabel(chip, theme_, this));
    chips_->addStretch(1);
}

void TopBar::restyle() {
    const auto& c = theme_->colors();
    searchKeys_->setStyleSheet(QStringLiteral("color:%1;background:transparent").arg(c.faint.name()));
    name_->setFont(theme_->font(views::Theme::FontRole::kTitle));
    name_->setText(QStringLiteral("<b>Expert<span style='color:%1'>Scope</span></b>").arg(c.accent.name()));
    menu_->setIcon(QIcon(theme_->icon(QStringLiteral("menu"))));
    // The tabs and the search box differ from ordinary buttons: flat, and the chosen one in the accent's ground.
    setStyleSheet(
        QStringLiteral("QPushButton#workspaceTab{border:none;background:transparent;color:%1;padding:5px 13px;border-radius:5px;font-weight:500}"
                       "QPushButton#workspaceTab:hover{background:%2}"
                       "QPushButton#workspaceTab:checked{background:%3;color:%4;font-weight:600}"
                       "QPushButton#workspaceTab:focus{border:2px solid %4;padding:3px 11px}"
                       "QPushButton#searchButton{text-align:left;color:%5;background:%2;border:1px solid %6;border-radius:5px;padding:4px 10px;font-weight:400}"
                       "QPushButton#searchButton:focus{border:2px solid %4;padding:3px 9px}"
                       "QToolButton#menuButton::menu-indicator{image:none}")
            .arg(c.text.name(), c.panelHeader.name(), c.accentGround.name(), c.accent.name(), c.muted.name(), c.line.name()));
    update();
}

void TopBar::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), theme_->colors().panel);
    painter.fillRect(QRect(0, height() - 1, width(), 1), theme_->colors().line);
}

}  // namespace es::app
