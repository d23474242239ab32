// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare/compare_workspace.h"

#include <QJsonArray>
#include <QPainter>
#include <QScrollArea>
#include <QSignalBlocker>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "analysis/figures/train_panels.h"
#include "views/widgets/splitter_sizes.h"

namespace es::views {

namespace {

constexpr int kRerunMs = 3000;  // a comparison of runs in training is made anew at most this often

QString axisName(analysis::XAxis axis) { return QString::fromUtf8(toString(axis).data(), static_cast<qsizetype>(toString(axis).size())); }

/// Height at which a table or a list of effects shows all of its rows.
int fullHeight(const PlotPanel& panel, const Theme& theme) {
    int body = 90;
    if (const auto* table = panel.tableView()) body = theme.metrics().row * (1 + (table->model() ? table->model()->rowCount() : 0)) + 6;
    if (const auto* forest = panel.forestPlot()) body = forest->sizeHint().height() + 10;
    return theme.metrics().header + body + (panel.notes().isEmpty() ? 2 : 28);
}

}  // namespace

CompareWorkspace::CompareWorkspace(const WorkspaceContext& context, QWidget* parent)
    : Workspace(parent), context_(&context), cache_(std::make_shared<ReaderCache>()) {
    setObjectName(QStringLiteral("compareWorkspace"));
    const int gutter = context_->theme->metrics().gutter;
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(gutter, gutter, gutter, gutter);
    layout->setSpacing(gutter);
    auto* bar = new QWidget(this);
    buildBar(bar);
    layout->addWidget(bar);
    buildPanels();
    layout->addWidget(columns_, 1);

    rerun_.setSingleShot(true);
    rerun_.setInterval(kRerunMs);
    connect(&rerun_, &QTimer::timeout, this, &CompareWorkspace::ask);
    connect(context_->feeds, &RunFeedHub::runsChanged, this, &CompareWorkspace::followRuns);
    connect(context_->selection, &SelectionModel::changed, this, [this](const Selection& now, const Selection& before) {
        if (now.baseline != before.baseline || now.candidate != before.candidate) followSelection();
    });
    followRuns();
}

void CompareWorkspace::buildBar(QWidget* bar) {
    auto* row = new QHBoxLayout(bar);
    row->setContentsMargins(4, 0, 4, 0);
    row->setSpacing(8);
    const auto chooser = [&](const QString& caption, const QString& name) {
        auto* label = new QLabel(caption);
        label->setProperty("role", QStringLiteral("muted"));
        auto* box = new QComboBox;
        box->setObjectName(name);
        box->setAccessibleName(caption);
        box->setMinimumWidth(150);
        box->setSizeAdjustPolicy(QComboBox::AdjustToContents);
        row->addWidget(label);
        row->addWidget(box);
        return box;
    };
    baseline_ = chooser(tr("Baseline"), QStringLiteral("baseline"));
    candidate_ = chooser(tr("Comparison"), QStringLiteral("candidate"));
    swap_ = makeButton(context_->theme, tr("Swap"), ButtonKind::kPlain, QStringLiteral("swap"));
    swap_->setObjectName(QStringLiteral("swap"));
    row->addWidget(swap_);
    row->addStretch();
    comparable_ = new QLabel;
    comparable_->setProperty("role", QStringLiteral("muted"));
    row->addWidget(comparable_);
    const auto chosen = [this] {
        const auto at = [&](const QComboBox* box) {
            return box->currentIndex() >= 0 && box->currentIndex() < static_cast<int>(groups_.size())
                       ? groups_[static_cast<std::size_t>(box->currentIndex())].runs
                       : QStringList();
        };
        chooseSides(at(baseline_), at(candidate_), tr("Choose what is compared"));
    };
    connect(baseline_, &QComboBox::activated, this, chosen);
    connect(candidate_, &QComboBox::activated, this, chosen);
    connect(swap_, &QPushButton::clicked, this, &CompareWorkspace::swap);
}

PlotPanel* CompareWorkspace::makePanel(const QString& name, const QString& title, QWidget* parent) {
    auto* panel = new PlotPanel(context_->theme, name, title, parent);
    panel->setObjectName(name);
    panel->keepTitle(true);
    connect(panel, &PanelFrame::sendToFiguresRequested, this, [this](const analysis::PanelQuery& query) {
        if (context_->sendToFigures) context_->sendToFigures(query);
    });
    panels_.push_back(panel);
    return panel;
}

void CompareWorkspace::buildPanels() {
    const int gutter = context_->theme->metrics().gutter;
    const auto splitter = [&](Qt::Orientation orientation, QWidget* parent) {
        auto* made = new QSplitter(orientation, parent);
        made->setHandleWidth(gutter);
        made->setChildrenCollapsible(false);
        return made;
    };
    columns_ = splitter(Qt::Horizontal, this);
    left_ = splitter(Qt::Vertical, columns_);
    middle_ = splitter(Qt::Vertical, columns_);
    curves_ = makePanel(QStringLiteral("curves"), tr("Validation loss"), left_);
    match_ = makePanel(QStringLiteral("match"), tr("Routing of two runs, experts matched"), left_);
    reach_ = makePanel(QStringLiteral("reach"), tr("Compute to reach the same loss"), middle_);
    speed_ = makePanel(QStringLiteral("speed"), tr("Speed against quality"), middle_);

    axis_ = new SegmentedControl(context_->theme);
    axis_->setObjectName(QStringLiteral("axis"));
    axis_->setAccessibleName(tr("What the loss is drawn against"));
    axis_->setCompact(true);
    axis_->setChoices({tr("active FLOPs"), tr("total"), tr("samples"), tr("time")},
                      {axisName(analysis::XAxis::kActiveFlops), axisName(analysis::XAxis::kTotalFlops), axisName(analysis::XAxis::kSamples),
                       axisName(analysis::XAxis::kTime)});
    curves_->addHeaderWidget(axis_);
    connect(axis_, &SegmentedControl::chosen, this, &CompareWorkspace::ask);
    router_ = new QComboBox;
    router_->setProperty("compact", true);
    router_->setObjectName(QStringLiteral("matchRouter"));
    router_->setAccessibleName(tr("Router whose experts are matched"));
    router_->setToolTip(router_->accessibleName());
    match_->addHeaderWidget(router_);
    router_->setVisible(false);
    connect(router_, &QComboBox::activated, this, &CompareWorkspace::ask);

    auto* side = new QScrollArea(columns_);
    side->setWidgetResizable(true);
    side->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    auto* column = new QWidget;
    auto* layout = new QVBoxLayout(column);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(gutter);
    verdict_ = new VerdictPanel(context_->theme);
    connect(verdict_, &PanelFrame::sendToFiguresRequested, this, [this](const analysis::PanelQuery& query) {
        if (context_->sendToFigures) context_->sendToFigures(query);
    });
    cost_ = makePanel(QStringLiteral("cost"), tr("Cost"), nullptr);
    categories_ = makePanel(QStringLiteral("categories"), tr("Gain by category"), nullptr);
    configuration_ = makePanel(QStringLiteral("configuration"), tr("What differs in the configurations"), nullptr);
    for (QWidget* one : std::initializer_list<QWidget*>{verdict_, cost_, categories_, configuration_}) layout->addWidget(one);
    layout->addStretch();
    side->setWidget(column);
    side->setMinimumWidth(300);
    columns_->addWidget(side);
    columns_->setStretchFactor(0, 3);
    columns_->setStretchFactor(1, 3);
    columns_->setStretchFactor(2, 1);
    columns_->setSizes({425, 425, 420});
}

const RunChoice* CompareWorkspace::side(const QStringList& runs) const {
    const int at = groupOf(groups_, runs);
    return at < 0 ? nullptr : &groups_[static_cast<std::size_t>(at)];
}

void CompareWorkspace::showEvent(QShowEvent* event) {
    Workspace::showEvent(event);
    if (std::exchange(outdated_, false)) ask();
}

void CompareWorkspace::followRuns() {
    std::vector<RunChoice> groups = groupRuns(context_->feeds->runs());
    const auto same = [](const RunChoice& a, const RunChoice& b) { return a.name == b.name && a.runs == b.runs && a.evaluated == b.evaluated; };
    // The hub lists anew every two seconds; steps of a run in training come through its feed.
    if (context_->feeds->listed() && listed_ && std::equal(groups.begin(), groups.end(), groups_.begin(), groups_.end(), same)) return;
    listed_ = context_->feeds->listed();
    groups_ = std::move(groups);
    const QSignalBlocker a(baseline_), b(candidate_);
    for (QComboBox* box : {baseline_, candidate_}) {
        box->clear();
        for (const RunChoice& group : groups_) {
            QPixmap dot(10, 10);
            dot.fill(Qt::transparent);
            QPainter painter(&dot);
            painter.setRenderHint(QPainter::Antialiasing);
            painter.setPen(Qt::NoPen);
            painter.setBrush(Theme::runColor(context_->feeds->colorGroup(group.runs.front()), context_->theme->colors()));
            painter.drawEllipse(1, 1, 8, 8);
            painter.end();
            box->addItem(QIcon(dot), group.words());
            box->setItemData(box->count() - 1, group.runs.join(QLatin1Char('\n')), Qt::ToolTipRole);
        }
    }
    Selection next = context_->selection->current();
    const bool known = side(next.baseline) && side(next.candidate);
    if (!known && groups_.size() >= 2) {
        const DefaultSides sides = defaultSides(groups_);
        if (sides.baseline >= 0 && sides.candidate >= 0) {
            next.baseline = groups_[static_cast<std::size_t>(sides.baseline)].runs;
            next.candidate = groups_[static_cast<std::size_t>(sides.candidate)].runs;
            context_->selection->reset(next);
        }
    }
    followSelection();
}

void CompareWorkspace::chooseSides(const QStringList& baseline, const QStringList& candidate, const QString& what) {
    Selection next = context_->selection->current();
    next.baseline = baseline;
    next.candidate = candidate;
    context_->selection->change(next, what);
}

void CompareWorkspace::swap() {
    const Selection now = context_->selection->current();
    chooseSides(now.candidate, now.baseline, tr("Swap baseline and comparison"));
}

void CompareWorkspace::followSelection() {
    const Selection& now = context_->selection->current();
    const QSignalBlocker a(baseline_), b(candidate_);
    baseline_->setCurrentIndex(groupOf(groups_, now.baseline));
    candidate_->setCurrentIndex(groupOf(groups_, now.candidate));
    for (const auto& connection : followed_) disconnect(connection);
    followed_.clear();
    for (const RunChoice* one : {side(now.baseline), side(now.candidate)}) {
        if (!one) continue;
        for (const QString& run : one->runs)
            followed_.push_back(connect(context_->feeds->feed(run), &RunFeed::changed, this, [this](const store::RunChange& change) {
                if ((change.evaluations || change.scalars) && !rerun_.isActive()) rerun_.start();
            }));
    }
    ask();
}

void CompareWorkspace::ask() {
    // Nobody sees the answer while another workspace shows: training keeps the processor.
    if (!isVisible()) {
        outdated_ = true;
        return;
    }
    const Selection& now = context_->selection->current();
    const RunChoice *baseline = side(now.baseline), *candidate = side(now.candidate);
    setDisabledReason(swap_, baseline && candidate && baseline != candidate ? QString() : tr("Choose two groups of runs first"));
    if (!context_->feeds->listed()) {
        for (PlotPanel* panel : panels_) panel->showLoading(tr("Looking for runs"));
        verdict_->showLoading(tr("Looking for runs"));
        return;
    }
    if (groups_.empty()) return showNothing(tr("No runs yet"), tr("Start a sparse run and its dense twin in Train, or open a folder of runs."));
    if (groups_.size() < 2)
        return showNothing(tr("Nothing to compare with"),
                           tr("There is one configuration here. Train its dense twin (model.ffn = \"dense\") or open a folder that holds one."));
    if (!baseline || !candidate) return showNothing(tr("Two sides make a comparison"), tr("Choose a baseline and a comparison above."));
    if (baseline == candidate) return showNothing(tr("Both sides are the same runs"), tr("Choose another baseline or another comparison above."));

    CompareRequest request;
    request.baseline = *baseline;
    request.candidate = *candidate;
    for (const RunChoice& group : groups_) {
        if (&group != baseline && &group != candidate) request.others.push_back(group);
        for (const QString& run : group.runs) request.colors[run] = context_->feeds->colorGroup(run);
    }
    request.axis = analysis::xAxisFromString(axis_->value().toStdString()).value_or(analysis::XAxis::kActiveFlops);
    request.router = router_->currentText().toStdString();
    if (!answer_) {
        for (PlotPanel* panel : panels_) panel->showLoading(tr("Comparing"));
        verdict_->showLoading(tr("Comparing"));
    }
    asking_ = true;
    using Answer = std::shared_ptr<const CompareAnswer>;
    context_->jobs->run<Answer>(
        this, QStringLiteral("compare"), tr("Comparing %1 with %2").arg(candidate->name, baseline->name),
        [request, cache = cache_](JobContext& context) { return compareRuns(request, *cache, context); },
        [this](Result<Answer> answer) {
            asking_ = false;
            if (answer) showAnswer(std::move(*answer));
            else showFailure(answer.error());
        });
}

void CompareWorkspace::showNothing(const QString& headline, const QString& words) {
    answer_.reset();
    comparable_->clear();
    router_->setVisible(false);
    for (PlotPanel* panel : panels_) {
        panel->showEmpty(headline, words);
        panel->setNotes({});
        panel->setContext({});
        panel->setPanelQuery({}, headline);
        if (panel == cost_ || panel == configuration_ || panel == categories_) panel->setFixedHeight(150);
    }
    verdict_->showEmpty(headline, words);
    verdict_->setNotes({});
}

void CompareWorkspace::showFailure(const Error& error) {
    if (error.kind == ErrorKind::kStopped) return;
    answer_.reset();
    for (PlotPanel* panel : panels_) panel->showFailed(error, {tr("Try again"), [this] { ask(); }});
    verdict_->showFailed(error, {tr("Try again"), [this] { ask(); }});
}

void CompareWorkspace::showAnswer(std::shared_ptr<const CompareAnswer> answer) {
    answer_ = std::move(answer);
    curves_->showPanel(answer_->curves);
    reach_->showPanel(answer_->reach);
    cost_->showPanel(answer_->cost);
    configuration_->showPanel(answer_->configuration);
    categories_->showPanel(answer_->categories);
    const auto show = [](PlotPanel* panel, const Result<PanelPointer>& result) {
        if (result) return panel->showPanel(*result);
        panel->setNotes({});
        panel->setContext({});
        panel->showEmpty(QString::fromStdString(result.error().what), QString::fromStdString(result.error().why + ". " + result.error().remedy + "."));
    };
    show(match_, answer_->match);
    show(speed_, answer_->speed);
    curves_->setContext({});  // the axis stands in the header's choice and under the plot
    verdict_->showAnswer(*answer_);
    const auto empty = [](const analysis::Panel& panel) {
        if (const auto* forest = std::get_if<analysis::ForestPanel>(&panel.content)) return forest->rows.empty();
        if (const auto* table = std::get_if<analysis::TablePanel>(&panel.content)) return table->rows.empty();
        if (const auto* lines = std::get_if<analysis::LinePanel>(&panel.content)) return lines->curves.empty();
        return false;
    };
    if (empty(*answer_->categories))
        categories_->showEmpty(tr("No categories in common"),
                               tr("The samples of these runs carry no category, or their evaluations hold no samples in common."));
    if (empty(*answer_->configuration)) configuration_->showEmpty(tr("No difference"), tr("Both sides ran with the same configuration."));
    if (empty(*answer_->reach)) reach_->showEmpty(tr("No loss that both sides reached"), tr("Curves appear once the ranges of their held-out losses overlap."));
    for (PlotPanel* panel : {cost_, configuration_, categories_})
        panel->setFixedHeight(panel->state() == PanelFrame::State::kEmpty ? 130 : fullHeight(*panel, *context_->theme));

    const auto bad = std::count_if(answer_->comparison.checks.begin(), answer_->comparison.checks.end(), [](const auto& check) { return !check.ok; });
    comparable_->setText(bad == 0   ? tr("data, order and seeds checked: comparable")
                         : bad == 1 ? tr("1 thing to look at before believing it: see the verdict")
                                    : tr("%1 things to look at before believing it: see the verdict").arg(bad));
    const QSignalBlocker quiet(router_);
    router_->clear();
    for (const std::string& name : answer_->routers) router_->addItem(QString::fromStdString(name));
    router_->setCurrentText(QString::fromStdString(answer_->router));
    router_->setVisible(answer_->routers.size() > 1);
    setQueries();
}

void CompareWorkspace::setQueries() {
    const Selection& now = context_->selection->current();
    const RunChoice *baseline = side(now.baseline), *candidate = side(now.candidate);
    if (!baseline || !candidate) return;
    analysis::PanelQuery query;
    for (const QStringList& runs : {baseline->runs, candidate->runs})
        for (const QString& run : runs) query.runs.push_back(run.toStdString());
    query.parameters = {{"baseline", std::to_string(baseline->runs.size())},
                        {"baseline_name", baseline->name.toStdString()},
                        {"candidate_name", candidate->name.toStdString()}};
    const auto set = [&](PanelFrame* panel, const char* kind, bool axis) {
        analysis::PanelQuery one = query;
        one.kind = kind;
        if (axis) one.parameters["axis"] = axis_->value().toStdString();
        panel->setPanelQuery(one);
    };
    set(curves_, "compare_curves", true);
    set(reach_, "compare_reach", false);
    set(verdict_, "compare_losses", false);
    set(categories_, "compare_categories", false);
    set(cost_, "compare_cost", false);
    set(configuration_, "compare_config", false);
    analysis::PanelQuery speed = query;
    speed.kind = "speed_quality";
    speed.parameters.clear();
    for (const RunChoice& group : groups_)
        if (&group != baseline && &group != candidate && group.evaluated)
            for (const QString& run : group.runs) speed.runs.push_back(run.toStdString());
    speed_->setPanelQuery(speed);
    if (answer_ && answer_->match && !answer_->match_runs.empty()) {
        analysis::PanelQuery match;
        match.kind = "match";
        match.runs = answer_->match_runs;
        match.parameters = {{"router", answer_->router}};
        match_->setPanelQuery(match);
    } else {
        match_->setPanelQuery({}, tr("There is nothing to send yet"));
    }
}

bool CompareWorkspace::settled() const { return context_->feeds->listed() && !asking_; }

std::vector<PaletteEntry> CompareWorkspace::paletteEntries() {
    std::vector<PaletteEntry> entries;
    entries.push_back({tr("Swap baseline and comparison"), {}, [this] { swap(); }});
    for (const RunChoice& group : groups_) {
        entries.push_back({tr("Baseline: %1").arg(group.words()), {}, [this, runs = group.runs] {
                               chooseSides(runs, context_->selection->current().candidate, tr("Choose the baseline"));
                           }});
        entries.push_back({tr("Comparison: %1").arg(group.words()), {}, [this, runs = group.runs] {
                               chooseSides(context_->selection->current().baseline, runs, tr("Choose the comparison"));
                           }});
    }
    return entries;
}

QJsonObject CompareWorkspace::dump() const {
    QJsonArray all;
    for (const PlotPanel* panel : panels_) all.append(panel->dump());
    all.append(verdict_->dump());
    const Selection& now = context_->selection->current();
    return {{QStringLiteral("panels"), all},
            {QStringLiteral("baseline"), QJsonArray::fromStringList(now.baseline)},
            {QStringLiteral("candidate"), QJsonArray::fromStringList(now.candidate)},
            {QStringLiteral("axis"), axis_->value()}};
}

QJsonObject CompareWorkspace::saveState() const {
    return {{QStringLiteral("axis"), axis_->value()},
            {QStringLiteral("columns"), sizesOf(columns_)},
            {QStringLiteral("left"), sizesOf(left_)},
            {QStringLiteral("middle"), sizesOf(middle_)}};
}

void CompareWorkspace::restoreState(const QJsonObject& state) {
    restoreSizes(columns_, state.value(QStringLiteral("columns")));
    restoreSizes(left_, state.value(QStringLiteral("left")));
    restoreSizes(middle_, state.value(QStringLiteral("middle")));
    const QString axis = state.value(QStringLiteral("axis")).toString();
    if (!axis_->values().contains(axis) || axis == axis_->value()) return;
    axis_->setValue(axis);
    ask();
}

}  // namespace es::views
