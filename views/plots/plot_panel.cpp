// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/plot_panel.h"

#include "views/models/panel_json.h"

namespace es::views {

PlotPanel::PlotPanel(Theme* theme, const QString& name, const QString& title, QWidget* parent) : PanelFrame(theme, title, parent), theme_(theme), name_(name) {
    setPanelSource([this] { return panel_; });
}

template <class Plot>
Plot* PlotPanel::take(Plot*& member) {
    if (!member) {
        line_ = nullptr;
        heatmap_ = nullptr;
        bar_ = nullptr;
        forest_ = nullptr;
        table_ = nullptr;
        sankey_ = nullptr;
        member = new Plot(theme_, this);
        const bool table = std::is_same_v<Plot, TableView>;
        setContent(member, table ? QMargins(0, 0, 0, 0) : QMargins(8, 4, 4, 6));
        Q_EMIT plotMade();
    }
    member->setAccessibleName(title());
    return member;
}

void PlotPanel::showPanel(std::shared_ptr<const analysis::Panel> panel) {
    panel_ = std::move(panel);
    if (!panel_) return;
    if (!keep_title_ && !panel_->title.empty()) setTitle(QString::fromStdString(panel_->title));
    setContext(QString::fromStdString(panel_->context));
    QStringList notes;
    for (const std::string& note : panel_->notes) notes << QString::fromStdString(note);
    setNotes(notes);
    // The content's pointer keeps the whole panel alive.
    const auto part = [this](const auto& content) { return std::shared_ptr<const std::decay_t<decltype(content)>>(panel_, &content); };
    std::visit(
        [&](const auto& content) {
            using Content = std::decay_t<decltype(content)>;
            if constexpr (std::is_same_v<Content, analysis::LinePanel>) take(line_)->setPanel(part(content));
            else if constexpr (std::is_same_v<Content, analysis::HeatmapPanel>) take(heatmap_)->setPanel(part(content));
            else if constexpr (std::is_same_v<Content, analysis::BarPanel>) take(bar_)->setPanel(part(content));
            else if constexpr (std::is_same_v<Content, analysis::ForestPanel>) take(forest_)->setPanel(part(content));
            else if constexpr (std::is_same_v<Content, analysis::TablePanel>) take(table_)->setPanel(part(content));
            else if constexpr (std::is_same_v<Content, analysis::SankeyPanel>) take(sankey_)->setPanel(part(content));
        },
        panel_->content);
    showReady();
}

QJsonObject PlotPanel::dump() const {
    const bool shown = state() == State::kReady || state() == State::kPartial || state() == State::kLoading;
    return dumpPanel(name_, *this, shown && panel_ ? QJsonValue(toJson(*panel_)) : QJsonValue(QJsonValue::Null));
}

QJsonObject dumpPanel(const QString& name, const PanelFrame& frame, const QJsonValue& data) {
    QJsonObject o{{QStringLiteral("name"), name}, {QStringLiteral("state"), frame.stateName()}, {QStringLiteral("data"), data}};
    if (data.isNull()) o.insert(frame.state() == PanelFrame::State::kFailed ? QStringLiteral("error") : QStringLiteral("words"), frame.stateWords());
    return o;
}

}  // namespace es::views
