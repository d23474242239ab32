// SPDX-License-Identifier: GPL-3.0-or-later
// The Train workspace: runs, live curves, load, stability, throughput, alarms. It follows the run of the selection.
#pragma once

#include <QPointer>
#include <QSet>
#include <QSplitter>
#include <QTimer>
#include <memory>
#include <vector>

#include "analysis/alarms/alarms.h"
#include "analysis/figures/run_source.h"
#include "views/models/latest_job.h"
#include "views/models/workspace_context.h"
#include "views/plots/plot_panel.h"

class QSlider;
class QToolButton;

namespace es::views {

class AlarmPanel;
class ChoiceBox;
class RunPanel;

/// GUI thread only; everything is read in jobs. The context must outlive it.
class TrainWorkspace : public Workspace {
    Q_OBJECT
public:
    explicit TrainWorkspace(const WorkspaceContext& context, QWidget* parent = nullptr);
    ~TrainWorkspace() override;
    [[nodiscard]] QJsonObject dump() const override;
    [[nodiscard]] bool settled() const override;
    [[nodiscard]] std::vector<PaletteEntry> paletteEntries() override;
    [[nodiscard]] QJsonObject saveState() const override;
    void restoreState(const QJsonObject& state) override;
    [[nodiscard]] RunPanel* runs() const { return runs_; }
    [[nodiscard]] AlarmPanel* alarms() const { return alarms_; }
    [[nodiscard]] PlotPanel* panel(const QString& name) const;  ///< "loss" "load" "max_vio" "entropy" "gradients" "throughput"

protected:
    void showEvent(QShowEvent* event) override;

private:
    /// What a refresh reads besides the panels.
    struct Basics {
        analysis::Panel facts;
        std::vector<store::RouterInfo> routers;
        std::vector<std::string> scalars;
        std::vector<double> checkpoints;
    };
    /// One plot panel, the query that makes it, and the job that keeps it fresh.
    struct Plot {
        QString kind, hint;  ///< hint: what the panel is for, while it is empty
        PlotPanel* panel = nullptr;
        std::unique_ptr<LatestJob<analysis::Panel>> job;
        std::function<LatestJob<analysis::Panel>::Work()> work;
        std::function<analysis::PanelQuery()> query;
    };
    struct Watch;  ///< an alarm monitor that several jobs may share

    void buildLayout();
    void buildLossControls();
    void addPlot(const QString& kind, const QString& title, const QString& hint);
    void connectPlot(Plot& plot);
    void followSelection(const Selection& now, const Selection& before);
    void openRun(const QString& folder);
    void onFeedOpened();
    void onFeedChanged();
    void updateControls();
    [[nodiscard]] bool startingHere() const;  ///< our own session is about to write the run that is shown
    void refreshLoss();
    void refreshAll(bool urgent);
    void refresh(Plot& plot, bool urgent);
    void showResult(Plot& plot, const Result<analysis::Panel>& result);
    void showBasics(Result<Basics> result);
    void explainNoRun();
    void updateCursor();
    void chooseStep(double step);
    [[nodiscard]] std::vector<analysis::RunSource> lossSources() const;
    [[nodiscard]] RouterId shownRouter() const;
    [[nodiscard]] std::shared_ptr<store::RunReader> reader() const { return feed_ ? feed_->reader() : nullptr; }
    [[nodiscard]] int plotColumns(const Plot& plot) const;
    [[nodiscard]] analysis::PanelQuery baseQuery(const char* kind) const;

    const WorkspaceContext* context_;
    RunPanel* runs_;
    AlarmPanel* alarms_;
    std::vector<std::unique_ptr<Plot>> plots_;
    QSplitter *outer_, *left_, *middle_, *right_;
    ChoiceBox *metric_, *x_axis_, *router_;
    QToolButton* log_;
    QSlider* smoothing_;
    QPointer<RunFeed> feed_;
    std::unique_ptr<LatestJob<Basics>> basics_job_;
    std::unique_ptr<LatestJob<std::vector<analysis::Alarm>>> alarm_job_;
    std::shared_ptr<Watch> watch_;
    std::vector<store::RouterInfo> routers_;
    std::vector<double> checkpoints_;
    std::optional<double> cursor_step_;
    QHash<QString, QSet<QString>> silenced_;  ///< by run directory
    QTimer refresh_timer_;
    bool stale_ = true;
};

}  // namespace es::views
