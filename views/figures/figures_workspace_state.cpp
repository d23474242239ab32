// SPDX-License-Identifier: GPL-3.0-or-later
// What the Figures workspace tells: commands of the palette, its dump, and what a session keeps of it.
#include <QJsonArray>
#include <QJsonDocument>

#include "views/figures/figures_workspace.h"
#include "views/models/panel_json.h"
#include "views/plots/plot_panel.h"
#include "views/widgets/splitter_sizes.h"

namespace es::views {

std::vector<PaletteEntry> FiguresWorkspace::paletteEntries() {
    std::vector<PaletteEntry> entries;
    for (const Figure& figure : library_->figures())
        entries.push_back(
            {tr("Figure %1").arg(QString::fromStdString(figure.recipe.name)), figure.file, [this, file = figure.file] { library_->setCurrent(file); }});
    entries.push_back({tr("New figure of this project's runs"), {}, [this] { makeFirst(); }});
    if (page_) {
        entries.push_back({tr("Export the figure"), panel_->outFolder(), [this] { exportFigure(); }});
        entries.push_back({tr("Copy the figure as a picture"), {}, [this] { copyImage(); }});
    }
    return entries;
}

QJsonObject FiguresWorkspace::dump() const {
    QJsonArray names, checks, panels;
    for (const Figure& figure : library_->figures()) names.append(QString::fromStdString(figure.recipe.name));
    for (const auto& check : checks_) {
        static const char* states[] = {"good", "warn", "bad"};
        checks.append(QJsonObject{{QStringLiteral("state"), QLatin1String(states[static_cast<int>(check.state)])},
                                  {QStringLiteral("words"), check.words},
                                  {QStringLiteral("detail"), check.detail}});
    }
    const Figure* now = library_->current();
    QJsonValue page;
    if (page_ && now) {
        for (const auto& panel : page_->panels)
            panels.append(panel.error ? QJsonObject{{QStringLiteral("error"), QString::fromStdString(panel.error->message())}} : toJson(panel.panel));
        page = QJsonObject{{QStringLiteral("recipe"), QJsonDocument::fromJson(QByteArray::fromStdString(analysis::toJson(now->recipe))).object()},
                           {QStringLiteral("panels"), panels}};
    }
    const QJsonObject exports{{QStringLiteral("checks"), checks},
                              {QStringLiteral("command"), now ? panel_->command() : QString()},
                              {QStringLiteral("written"), QJsonArray::fromStringList(written_)}};
    return {
        {QStringLiteral("panels"), QJsonArray{dumpPanel(QStringLiteral("figures"), *list_frame_, names), dumpPanel(QStringLiteral("page"), *page_frame_, page),
                                              dumpPanel(QStringLiteral("export"), *panel_, exports)}}};
}

QJsonObject FiguresWorkspace::saveState() const {
    return {{QStringLiteral("figure"), shown_file_.isEmpty() ? wanted_file_ : shown_file_},
            {QStringLiteral("columns"), sizesOf(columns_)},
            {QStringLiteral("left"), sizesOf(left_)},
            {QStringLiteral("export"), panel_->saveState()}};
}

void FiguresWorkspace::restoreState(const QJsonObject& state) {
    restoreSizes(columns_, state.value(QStringLiteral("columns")));
    restoreSizes(left_, state.value(QStringLiteral("left")));
    panel_->restoreState(state.value(QStringLiteral("export")).toObject());
    wanted_file_ = state.value(QStringLiteral("figure")).toString();
    if (!wanted_file_.isEmpty() && !library_->find(wanted_file_))
        connect(
            library_, &FigureLibrary::listChanged, this,
            [this] {
                if (library_->find(wanted_file_)) library_->setCurrent(wanted_file_);
                wanted_file_.clear();
            },
            Qt::SingleShotConnection);
    else library_->setCurrent(wanted_file_);
}

}  // namespace es::views
