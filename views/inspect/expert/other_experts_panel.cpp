// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/expert/other_experts_panel.h"

#include <QHeaderView>
#include <QScrollArea>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "analysis/experts/expert_panels.h"
#include "views/inspect/token_words.h"
#include "views/models/panel_json.h"
#include "views/widgets/flow_layout.h"

namespace es::views {
namespace {
constexpr std::size_t kMostPartners = 4;
constexpr int kLeastRows = 3;
}  // namespace

OtherExpertsPanel::OtherExpertsPanel(ExpertModel* model, QWidget* parent)
    : PanelFrame(model->inspect()->context().theme, tr("Other experts"), parent), model_(model) {
    Theme* theme = model_->inspect()->context().theme;
    setObjectName(QStringLiteral("otherExperts"));
    auto* body = new QWidget;
    auto* column = new QVBoxLayout(body);
    column->setContentsMargins(10, 6, 4, 4);
    column->setSpacing(4);
    for (Row* row : {&active_, &alike_, &kept_}) makeRow(*row, body);
    table_ = new TableView(theme, body);
    table_->setObjectName(QStringLiteral("otherExpertsTable"));
    table_->setAccessibleName(tr("Other experts of the router"));
    column->addWidget(table_, 1);
    table_->setMinimumHeight(table_->horizontalHeader()->sizeHint().height() + kLeastRows * theme->metrics().row);
    auto* scroll = new QScrollArea(this);
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setFocusPolicy(Qt::NoFocus);
    body->setMinimumWidth(1);  // as wide as the panel
    scroll->setWidget(body);
    setContent(scroll);
    setDataText([this] { return toTabSeparated(panel_); });
    setPanelSource([this] { return std::make_shared<const analysis::Panel>(panel_); });
    connect(table_, &QAbstractItemView::activated, this,
            [this](const QModelIndex& index) { model_->chooseExpert(index.siblingAtColumn(0).data().toString().toInt()); });
}

void OtherExpertsPanel::makeRow(Row& row, QWidget* body) {
    row.title = new QLabel(body);
    row.title->setProperty("role", QStringLiteral("muted"));
    row.title->setWordWrap(true);
    row.box = new QWidget(body);
    row.chips = std::make_unique<ReusedWidgets<Chip>>(new FlowLayout(row.box, 4, 4), [this, &row](std::size_t place) {
        auto* chip = new Chip(model_->inspect()->context().theme, {}, analysis::ColorRole{analysis::ColorRole::Kind::kExpert, 0}, row.box);
        chip->setObjectName(QStringLiteral("partnerChip"));
        connect(chip, &QAbstractButton::clicked, this, [this, &row, place] { model_->chooseExpert(row.experts[place]); });
        return chip;
    });
    body->layout()->addWidget(row.title);
    body->layout()->addWidget(row.box);
}

void OtherExpertsPanel::fill(Row& row, const QString& words, const std::vector<std::pair<int, double>>& experts) {
    row.title->setText(words);
    row.title->setVisible(!words.isEmpty());
    row.box->setVisible(!experts.empty());
    row.chips->resize(experts.size());
    row.experts.clear();
    for (std::size_t i = 0; i < experts.size(); ++i) {
        const auto& [expert, value] = experts[i];
        row.experts.push_back(expert);
        Chip* chip = (*row.chips)[i];
        chip->setText(tr("%1 · %2").arg(expert).arg(numberText(value)));
        chip->setDot(analysis::ColorRole{analysis::ColorRole::Kind::kExpert, expert});
        chip->setToolTip(tr("%1: %2. Click to go to expert %3").arg(words, numberText(value, 3)).arg(expert));
        chip->setAccessibleName(tr("Go to expert %1").arg(expert));
    }
    row.box->updateGeometry();
}

void OtherExpertsPanel::refresh() {
    if (model_->detailsPart() == ExpertModel::Part::kFailed) return showFailed(model_->detailsError());
    const auto* details = model_->details();
    if (!details || !model_->gallery()) return showLoading(tr("Comparing experts…"));
    const analysis::ExpertPartners& partners = details->partners;
    if (partners.rows.empty()) return showEmpty(tr("No other expert"), tr("This router has one expert only."), {}, QStringLiteral("expert"));
    panel_ = analysis::partnersPanel(model_->gallery()->tokens, partners, details->similar);
    setContext(tr("n = %1").arg(stepText(partners.n)));
    std::vector<std::pair<int, double>> active, alike;
    if (partners.several_choices) {
        auto rows = partners.rows;
        std::stable_sort(rows.begin(), rows.end(), [](const analysis::Partner& a, const analysis::Partner& b) { return a.together > b.together; });
        for (const auto& row : rows)
            if (row.together > 0 && active.size() < kMostPartners) active.emplace_back(row.expert.value, row.together);
    }
    fill(active_, partners.several_choices ? tr("takes the same tokens (share of this one's)") : tr("one expert a token: none is active beside it"), active);
    for (const auto& row : partners.rows)
        if (row.co_routing > 0 && alike.size() < kMostPartners) alike.emplace_back(row.expert.value, row.co_routing);
    fill(alike_, alike.empty() ? tr("in routing: none is alike (correlations of 0 and less)") : tr("most alike in routing (correlation)"), alike);
    // What experts do says more than what their weights are: outputs where they were compared.
    const analysis::KeptSimilarity* kept = nullptr;
    for (const char* measure : {"weights", "outputs"})
        for (const auto& one : details->similar)
            if (one.measure == measure) kept = &one;
    std::vector<std::pair<int, double>> nearest;
    if (kept) {
        for (std::size_t e = 0; e < kept->value_E.size(); ++e)
            if (std::isfinite(kept->value_E[e])) nearest.emplace_back(static_cast<int>(e), kept->value_E[e]);
        std::stable_sort(nearest.begin(), nearest.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
        nearest.resize(std::min(nearest.size(), kMostPartners));
    }
    fill(kept_, kept ? tr("most alike by %1 (cosine)").arg(QString::fromStdString(kept->measure)) : QString(), nearest);
    auto shared = std::make_shared<const analysis::Panel>(panel_);
    table_->setPanel(std::shared_ptr<const analysis::TablePanel>(shared, &std::get<analysis::TablePanel>(shared->content)));
    QStringList notes;
    for (const std::string& note : panel_.notes) notes << QString::fromStdString(note);
    if (details->similar.empty()) notes << tr("alike by weights and outputs: not compared at this checkpoint yet (page Causal)");
    setNotes(notes);
    showReady();
}

}  // namespace es::views
