// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/train/run_panel.h"

#include <QDir>
#include <QHeaderView>
#include <QJsonArray>
#include <QJsonObject>
#include <QPainter>
#include <QScrollArea>
#include <QStyledItemDelegate>
#include <QVBoxLayout>
#include <cmath>

#include "views/plots/plot_panel.h"
#include "views/train/control_bar.h"
#include "views/widgets/search_field.h"

namespace es::views {
namespace {

using analysis::ColorRole;

QColor stateColor(int state, const ThemeColors& c) {
    switch (state) {
        case -1: return c.bad;
        case static_cast<int>(store::RunState::kTraining): return Theme::legible(c.good, c.panel);
        case static_cast<int>(store::RunState::kFailed): return Theme::legible(c.bad, c.panel);
        case static_cast<int>(store::RunState::kInterrupted): return Theme::legible(c.warn, c.panel);
        default: return c.muted;
    }
}

/// Colour dot, name, seed, state in its colour, loss.
class RunDelegate : public QStyledItemDelegate {
public:
    RunDelegate(Theme* theme, QObject* parent) : QStyledItemDelegate(parent), theme_(theme) {}

    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        const ThemeColors& c = theme_->colors();
        painter->save();
        painter->setRenderHint(QPainter::Antialiasing);
        QRect cell = option.rect;
        const bool chosen = option.state & QStyle::State_Selected;
        if (chosen) painter->fillRect(cell, c.accentGround);
        painter->setPen(QPen(c.gridLine, 1));
        painter->drawLine(QPointF(cell.left(), cell.bottom() + 0.5), QPointF(cell.right() + 1, cell.bottom() + 0.5));
        if (index.column() == RunTableModel::kName) {
            painter->setPen(Qt::NoPen);
            painter->setBrush(Theme::runColor(index.data(RunTableModel::kColorGroupRole).toInt(), c));
            painter->drawEllipse(QRectF(cell.left() + 10, cell.center().y() - 3.5, 8, 8));
            cell.setLeft(cell.left() + 22);
        }
        const int state = index.data(RunTableModel::kStateRole).toInt();
        QFont font = theme_->font(Theme::FontRole::kTabular);
        const auto* view = qobject_cast<const QTableView*>(option.widget);
        if (chosen && view && view->currentIndex().row() == index.row()) font.setWeight(QFont::DemiBold);
        painter->setFont(font);
        painter->setPen(index.column() == RunTableModel::kState ? stateColor(state, c) : state == -1 ? c.faint : c.text);
        const auto alignment = static_cast<Qt::Alignment>(index.data(Qt::TextAlignmentRole).toInt());
        const QRect text = cell.adjusted(6, 0, -8, 0);
        painter->drawText(text, static_cast<int>(alignment), QFontMetrics(font).elidedText(index.data().toString(), Qt::ElideMiddle, text.width()));
        painter->restore();
    }

private:
    Theme* theme_;
};

}  // namespace

RunPanel::RunPanel(const WorkspaceContext& context, QWidget* parent) : PanelFrame(context.theme, tr("Runs"), parent), context_(&context) {
    auto* inside = new QWidget(this);
    auto* column = new QVBoxLayout(inside);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    controls_ = new ControlBar(context, inside);
    controls_->setContentsMargins(10, 8, 10, 6);
    column->addWidget(controls_);

    model_ = new RunTableModel(this);
    filter_ = new RunFilterModel(this);
    filter_->setSourceModel(model_);
    table_ = new QTableView(inside);
    table_->setModel(filter_);
    dressTable(table_, *context.theme);
    table_->setProperty("runs", true);
    table_->setItemDelegate(new RunDelegate(context.theme, table_));
    table_->setSelectionMode(QAbstractItemView::ExtendedSelection);
    table_->setSortingEnabled(true);
    table_->horizontalHeader()->setSortIndicatorClearable(true);
    table_->horizontalHeader()->setSortIndicator(-1, Qt::AscendingOrder);
    table_->horizontalHeader()->setSectionResizeMode(RunTableModel::kName, QHeaderView::Stretch);
    for (const int fixed : {RunTableModel::kSeed, RunTableModel::kState, RunTableModel::kLoss})
        table_->horizontalHeader()->setSectionResizeMode(fixed, QHeaderView::Fixed);
    table_->horizontalHeader()->resizeSection(RunTableModel::kSeed, 50);
    QFont bold = context.theme->font(Theme::FontRole::kTabular);
    bold.setWeight(QFont::DemiBold);
    const int state = QFontMetrics(bold).horizontalAdvance(RunTableModel::stateWord(store::RunState::kInterrupted));  // the longest
    table_->horizontalHeader()->resizeSection(RunTableModel::kState, state + 18);
    table_->horizontalHeader()->resizeSection(RunTableModel::kLoss, 66);
    table_->setAccessibleName(tr("Runs"));
    table_->setMinimumHeight(26 * 3);
    column->addWidget(table_, 3);

    auto* scroll = new QScrollArea(inside);
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    auto* below = new QWidget(scroll);
    auto* details = new QVBoxLayout(below);
    details->setContentsMargins(10, 10, 10, 8);
    details->setSpacing(4);
    headline_ = new ElidedLabel({}, below);
    headline_->setProperty("role", QStringLiteral("strong"));
    words_ = new QLabel(below);
    words_->setProperty("role", QStringLiteral("muted"));
    words_->setWordWrap(true);
    words_->hide();
    facts_ = new KeyValueTable(context.theme, below);
    details->addWidget(headline_);
    details->addWidget(words_);
    details->addWidget(facts_);
    details->addStretch(1);
    scroll->setWidget(below);
    scroll->setMinimumHeight(60);
    column->addWidget(scroll, 4);
    setContent(inside);

    search_ = new SearchField(context.theme, tr("Filter runs"), this);
    search_->setProperty("compact", true);
    search_->setFixedSize(124, 22);
    addHeaderWidget(search_);

    connect(search_, &SearchField::searched, this, [this](const QString& needle) {
        filter_->setNeedle(needle);
        refresh();
    });
    connect(table_->selectionModel(), &QItemSelectionModel::currentRowChanged, this, [this](const QModelIndex& now) {
        if (quiet_ || !now.isValid()) return;
        current_ = now.data(RunTableModel::kFolderRole).toString();
        Q_EMIT currentRunChosen(current_);
    });
    connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this, [this] {
        if (!quiet_) Q_EMIT chosenRunsChanged();
    });
    const auto moved = [this] {
        setCurrentRun(current_);
        refresh();
    };
    connect(model_, &QAbstractItemModel::rowsInserted, this, moved);
    connect(model_, &QAbstractItemModel::rowsRemoved, this, moved);
    connect(context.feeds, &RunFeedHub::runsChanged, this, &RunPanel::refresh);
    connect(context.theme, &Theme::changed, table_->viewport(), qOverload<>(&QWidget::update));
    model_->follow(context.feeds);
    setPanelQuery({}, tr("The list of runs is not a figure; send a plot instead"));
    refresh();
}

void RunPanel::refresh() {
    const int shown = filter_->rowCount(), all = model_->rowCount();
    setContext(all == 0 ? QString() : shown == all ? all == 1 ? tr("1 run") : tr("%1 runs").arg(all) : tr("%1 of %2 shown").arg(shown).arg(all));
    fitTable();
    if (all > 0) return showReady();
    if (!context_->feeds->listed() && !context_->feeds->folders().isEmpty()) return showLoading(tr("Looking for runs…"));
    const QStringList& folders = context_->feeds->folders();
    const QString none = folders.isEmpty() ? QString() : tr("There is none in %1. ").arg(QDir::toNativeSeparators(folders.join(QStringLiteral(", "))));
    showEmpty(tr("No runs yet"), none + tr("Train one here, or drop a folder of runs on the window"), {tr("New run"), [this] { controls_->newRun(); }},
              QStringLiteral("chart"));
}

void RunPanel::fitTable() {
    const int rows = std::max(2, filter_->rowCount());
    table_->setMaximumHeight(table_->horizontalHeader()->sizeHint().height() + rows * table_->verticalHeader()->defaultSectionSize() + 4);
}

QStringList RunPanel::chosenRuns() const {
    QStringList folders;
    const QModelIndex current = table_->currentIndex();
    for (const QModelIndex& row : table_->selectionModel()->selectedRows()) {
        const QString folder = row.data(RunTableModel::kFolderRole).toString();
        if (row.row() == current.row()) folders.prepend(folder);
        else folders << folder;
    }
    return folders;
}

void RunPanel::setCurrentRun(const QString& folder) {
    current_ = folder;
    const QModelIndex row = filter_->mapFromSource(model_->index(model_->rowOf(folder), 0));
    if (!row.isValid() || row.row() == table_->currentIndex().row()) return;
    quiet_ = true;
    const bool among = table_->selectionModel()->isRowSelected(row.row(), {});
    table_->selectionModel()->setCurrentIndex(row, (among ? QItemSelectionModel::NoUpdate : QItemSelectionModel::ClearAndSelect) | QItemSelectionModel::Rows);
    quiet_ = false;
    table_->viewport()->update();
}

void RunPanel::setChosenRuns(const QStringList& folders) {
    quiet_ = true;
    QItemSelection rows;
    for (const QString& folder : folders) {
        const QModelIndex row = filter_->mapFromSource(model_->index(model_->rowOf(folder), 0));
        if (row.isValid()) rows.select(row, row);
    }
    if (!rows.isEmpty()) table_->selectionModel()->select(rows, QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
    quiet_ = false;
}

void RunPanel::setFacts(const QString& headline, const analysis::TablePanel& facts) {
    headline_->setText(headline);
    words_->hide();
    std::vector<std::pair<QString, QString>> rows;
    for (const auto& row : facts.rows)
        if (row.size() >= 2) rows.emplace_back(QString::fromStdString(row[0]), QString::fromStdString(row[1]));
    facts_->setRows(rows);
}

void RunPanel::setFactsWords(const QString& words) {
    words_->setText(words);
    words_->setVisible(!words.isEmpty());
}

QJsonObject RunPanel::dump() const {
    QJsonArray rows;
    for (int row = 0; row < model_->rowCount(); ++row) {
        const store::RunSummary& r = model_->run(row);
        rows.append(
            QJsonObject{{QStringLiteral("folder"), QString::fromStdString(r.folder.string())},
                        {QStringLiteral("name"), QString::fromStdString(r.name)},
                        {QStringLiteral("seed"), static_cast<double>(r.seed)},
                        {QStringLiteral("state"), RunTableModel::stateWord(r.state)},
                        {QStringLiteral("step"), static_cast<double>(r.step)},
                        {QStringLiteral("steps"), static_cast<double>(r.steps)},
                        {QStringLiteral("validation_loss"), std::isfinite(r.validation_loss) ? QJsonValue(r.validation_loss) : QJsonValue(QJsonValue::Null)}});
    }
    QJsonArray facts;
    for (const auto& [name, value] : facts_->rows()) facts.append(QJsonArray{name, value});
    return dumpPanel(QStringLiteral("runs"), *this,
                     QJsonObject{{QStringLiteral("kind"), QStringLiteral("runs")},
                                 {QStringLiteral("current"), current_},
                                 {QStringLiteral("runs"), rows},
                                 {QStringLiteral("facts"), facts}});
}

}  // namespace es::views
