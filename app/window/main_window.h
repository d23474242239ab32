// SPDX-License-Identifier: GPL-3.0-or-later
// The window: four workspaces around one selection. It joins the parts and holds no science.
#pragma once

#include <QMainWindow>
#include <QStringList>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "app/window/settings.h"
#include "views/models/workspace_context.h"

class QStackedWidget;

namespace es::app {

class EngineHost;
class JobController;
class StatusStrip;
class TopBar;

struct WindowOptions {
    QStringList folders;  ///< run directories or folders of runs
    QString workspace;    ///< "train" ...; empty: as remembered
    QString page;         ///< of that workspace; empty: as remembered
    views::ThemeMode theme = views::ThemeMode::kSystem;
    bool theme_given = false;                   ///< else as remembered
    QSize size;                                 ///< invalid: as remembered
    QString settings_file;                      ///< empty: the user's own
    bool remember = true;                       ///< restore and save layout and selection
    bool read_only = false;                     ///< with `remember`: restore, never save
    std::optional<views::Selection> selection;  ///< what is shown instead of what is remembered
    QJsonObject inspect;                        ///< of the layout of Inspect (Workspace::restoreState()): wins over what is remembered
    session::EngineSession* trainer = nullptr;  ///< instead of a child process (tests); not owned
    std::function<Result<session::SampleResult>(const session::SampleRequest&, JobContext&)> run_sample;           ///< instead of the engine's library (tests)
    std::function<Status(const session::VariantRequest&, const session::VariantSink&, JobContext&)> run_variants;  ///< likewise
    std::function<Result<std::vector<store::ExpertSimilarity>>(const session::SimilarityRequest&, JobContext&)> expert_similarity;  ///< likewise
    QString program;  ///< what a child process runs; empty: this program
};

class MainWindow : public QMainWindow {
    Q_OBJECT
public:
    explicit MainWindow(const WindowOptions& options);
    ~MainWindow() override;

    [[nodiscard]] views::SelectionModel& selection() { return selection_; }
    [[nodiscard]] views::Workspace* workspace(const QString& id);  ///< made on first use
    [[nodiscard]] views::Workspace* currentWorkspace();
    /// Nothing is loading: what is on screen is final.
    [[nodiscard]] bool settled();
    /// There are runs, and none is in training.
    [[nodiscard]] bool allRunsEnded() const;
    /// What the screen shows, as JSON (docs/dump.md).
    [[nodiscard]] QJsonObject dump();
    void showPalette();
    void showShortcuts();

protected:
    void closeEvent(QCloseEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    void makeActions();
    void restore();
    void save();
    void follow(const views::Selection& now);
    void chooseFirstRun();
    void updateChips();
    void updateRunText();
    void updateTraining();
    void openRun(const QString& folder);
    bool mayClose();
    void addAction(const QString& text, const QKeySequence& keys, std::function<void()> run, class QMenu* menu);

    struct Command {
        QString text, keys;
        std::function<void()> run;
    };

    WindowOptions options_;
    Settings settings_;
    views::Theme theme_;
    views::SelectionModel selection_;
    JobController* jobs_;
    views::RunFeedHub* hub_;
    std::unique_ptr<EngineHost> engine_;
    views::WorkspaceContext context_;
    TopBar* bar_;
    StatusStrip* status_;
    QStackedWidget* stack_;
    std::map<QString, views::Workspace*> workspaces_;
    std::vector<Command> commands_;
    QString knownRun_;  ///< the run our own training writes, once it has been added to the hub
};

}  // namespace es::app
