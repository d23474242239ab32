// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/command_palette.h"

#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QVBoxLayout>
#include <algorithm>

namespace es::app {
namespace {

constexpr int kShown = 50;
constexpr int kWidth = 560, kHeight = 400;

int score(const views::PaletteEntry& entry, const QStringList& words) {
    int total = 0;
    for (const QString& word : words) {
        const auto inTitle = entry.title.indexOf(word, 0, Qt::CaseInsensitive);
        if (inTitle == 0) total += 100;
        else if (inTitle > 0 && !entry.title.at(inTitle - 1).isLetterOrNumber()) total += 60;
        else if (inTitle > 0) total += 30;
        else if (entry.detail.contains(word, Qt::CaseInsensitive)) total += 10;
        else return -1;
    }
    return total * 200 - static_cast<int>(std::min<qsizetype>(entry.title.size(), 199));
}

}  // namespace

CommandPalette::CommandPalette(std::vector<views::PaletteEntry> entries, views::Theme* theme, QWidget* parent)
    : QDialog(parent, Qt::FramelessWindowHint | Qt::Dialog), entries_(std::move(entries)), input_(new QLineEdit(this)), list_(new QListWidget(this)) {
    setObjectName(QStringLiteral("commandPalette"));
    setAttribute(Qt::WA_DeleteOnClose);
    setModal(true);
    setWindowTitle(QStringLiteral("Search"));
    input_->setPlaceholderText(QStringLiteral("Search commands, runs, samples, experts…"));
    input_->setAccessibleName(QStringLiteral("Search"));
    list_->setAccessibleName(QStringLiteral("Results"));
    list_->setUniformItemSizes(true);
    auto* layout = new QVBoxLayout(this);
    const int margin = theme->metrics().space2;
    layout->setContentsMargins(margin, margin, margin, margin);
    layout->setSpacing(margin);
    layout->addWidget(input_);
    layout->addWidget(list_, 1);
    resize(kWidth, kHeight);
    if (parent) move(parent->mapToGlobal(QPoint((parent->width() - kWidth) / 2, 60)));
    input_->installEventFilter(this);
    connect(input_, &QLineEdit::textChanged, this, &CommandPalette::filter);
    connect(list_, &QListWidget::itemActivated, this, [this] { runCurrent(); });
    connect(list_, &QListWidget::itemClicked, this, [this] { runCurrent(); });
    filter({});
    input_->setFocus();
}

std::vector<int> CommandPalette::matches(const std::vector<views::PaletteEntry>& entries, const QString& query, int most) {
    const QStringList words = query.split(QLatin1Char(' '), Qt::SkipEmptyParts);
    std::vector<std::pair<int, int>> scored;
    for (int i = 0; i < static_cast<int>(entries.size()); ++i)
        if (const int points = words.isEmpty() ? 0 : score(entries[static_cast<std::size_t>(i)], words); points != -1) scored.emplace_back(points, i);
    std::stable_sort(scored.begin(), scored.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<int> found;
    for (std::size_t i = 0; i < std::min(scored.size(), static_cast<std::size_t>(most)); ++i) found.push_back(scored[i].second);
    return found;
}

void CommandPalette::filter(const QString& query) {
    list_->clear();
    for (const int index : matches(entries_, query.trimmed(), kShown)) {
        const views::PaletteEntry& entry = entries_[static_cast<std::size_t>(index)];
        auto* item = new QListWidgetItem(entry.detail.isEmpty() ? entry.title : entry.title + QStringLiteral("   ·   ") + entry.detail, list_);
        item->setData(Qt::UserRole, index);
    }
    if (list_->count() > 0) {
        list_->setCurrentRow(0);
    } else {
        auto* nothing = new QListWidgetItem(QStringLiteral("Nothing matches. Try a run's name, \"expert 5\", a word of a caption, or \"theme\"."), list_);
        nothing->setFlags(Qt::NoItemFlags);
    }
}

void CommandPalette::runCurrent() {
    const QListWidgetItem* item = list_->currentItem();
    if (!item || !item->data(Qt::UserRole).isValid()) return;
    const auto run = entries_[static_cast<std::size_t>(item->data(Qt::UserRole).toInt())].run;
    close();  // before the command: it may open a dialog of its own
    if (run) run();
}

bool CommandPalette::eventFilter(QObject* watched, QEvent* event) {
    if (watched == input_ && event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        const int row = list_->currentRow();
        switch (key) {
            case Qt::Key_Down: list_->setCurrentRow(std::min(row + 1, list_->count() - 1)); return true;
            case Qt::Key_Up: list_->setCurrentRow(std::max(row - 1, 0)); return true;
            case Qt::Key_Return:
            case Qt::Key_Enter: runCurrent(); return true;
            default: break;
        }
    }
    return QDialog::eventFilter(watched, event);
}

}  // namespace es::app
