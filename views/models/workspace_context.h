// SPDX-License-Identifier: GPL-3.0-or-later
// What every workspace is given by the window, and what it gives back.
#pragma once

#include <QJsonObject>
#include <QString>
#include <QWidget>
#include <functional>
#include <memory>
#include <vector>

#include "analysis/figures/figure_recipe.h"
#include "engine/session/engine_library.h"
#include "views/models/job_runner.h"
#include "views/models/run_feed.h"
#include "views/models/selection_model.h"
#include "views/theme/theme.h"

namespace es::views {

/// Owned by the window; outlives the workspaces. GUI thread only.
struct WorkspaceContext {
    Theme* theme = nullptr;
    SelectionModel* selection = nullptr;
    JobRunner* jobs = nullptr;
    RunFeedHub* feeds = nullptr;
    /// The session that trains (child process by default). Never null; a fake in tests.
    session::EngineSession* trainer = nullptr;
    /// Runs pictures and captions in this process; loads the engine's library on first use. Call from a job, not from the GUI thread.
    std::function<Result<session::SampleResult>(const session::SampleRequest&, JobContext&)> runSample;
    /// The held-out samples of a run with and without interventions, in this process; as runSample, from a job only.
    std::function<Status(const session::VariantRequest&, const session::VariantSink&, JobContext&)> runVariants;
    /// How alike experts are; from a job only.
    std::function<Result<std::vector<store::ExpertSimilarity>>(const session::SimilarityRequest&, JobContext&)> expertSimilarity;
    /// A sentence in the status bar; errors stay until clicked away.
    std::function<void(const QString&)> say;
    std::function<void(const Error&)> sayError;
    /// Sends a panel query to the Figures workspace as a new panel of its current page.
    std::function<void(const analysis::PanelQuery&)> sendToFigures;
};

/// One entry of the command palette (Ctrl+K).
struct PaletteEntry {
    QString title, detail;
    std::function<void()> run;
};

/// A workspace is a widget that follows the selection by itself.
class Workspace : public QWidget {
    Q_OBJECT
public:
    using QWidget::QWidget;
    /// Everything the panels show right now as JSON (schema in docs/dump.md): {"panels": [{"name", "state", "data"}]}. What --dump writes.
    [[nodiscard]] virtual QJsonObject dump() const = 0;
    /// True when nothing is loading: --screenshot waits for all workspaces' settled().
    [[nodiscard]] virtual bool settled() const = 0;
    [[nodiscard]] virtual std::vector<PaletteEntry> paletteEntries() { return {}; }
    /// Layout, zoom, filters: whatever should be found again on the next start.
    [[nodiscard]] virtual QJsonObject saveState() const { return {}; }
    virtual void restoreState(const QJsonObject&) {}
    /// Brings up one of the workspace's pages. False when it has no such page.
    virtual bool showPage(const QString& key) { return false; }
    /// Files dropped on the window while this workspace shows. True when taken.
    virtual bool takeDrop(const QStringList& files) { return false; }
};

}  // namespace es::views
