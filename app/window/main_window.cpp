// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/main_window.h"

#include <QCloseEvent>
#include <QCoreApplication>
#include <QFileDialog>
#include <QFileInfo>
#include <QMenu>
#include <QMessageBox>
#include <QMimeData>
#include <QShortcut>
#include <QStackedWidget>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>

#include "app/window/application.h"
#include "app/window/command_palette.h"
#include "app/window/engine_host.h"
#include "app/window/job_controller.h"
#include "app/window/selection_json.h"
#include "app/window/shortcut_sheet.h"
#include "app/window/status_strip.h"
#include "app/window/top_bar.h"
#include "app/window/training_text.h"
#include "views/compare/compare_workspace.h"
#include "views/figures/figures_workspace.h"
#include "views/inspect/inspect_workspace.h"
#include "views/train/train_workspace.h"
#include "views/widgets/detached_panels.h"

namespace es::app {
namespace {

using views::Selection;
using views::Workspace;

constexpr int kTrainingPollMs = 250;
constexpr QSize kFirstSize{1440, 900};
constexpr QSize kLeastSize{1024, 640};

struct WorkspaceRow {
    const char* id;
    const char* title;
    const char* keys;
};
constexpr WorkspaceRow kWorkspaces[] = {
    {"train", "Train", "Ctrl+1"}, {"inspect", "Inspect", "Ctrl+2"}, {"compare", "Compare", "Ctrl+3"}, {"figures", "Figures", "Ctrl+4"}};

bool isWorkspace(const QString& id) {
    return std::any_of(std::begin(kWorkspaces), std::end(kWorkspaces), [&](const WorkspaceRow& row) { return id == QLatin1String(row.id); });
}

QString messageOf(const Error& error) { return QString::fromStdString(error.message()); }

}  // namespace

MainWindow::MainWindow(const WindowOptions& options)
    : options_(options), settings_(options.settings_file, options.read_only), jobs_(new JobController(this)), hub_(new views::RunFeedHub(jobs_, this)),
      bar_(new TopBar(&theme_, this)), status_(new StatusStrip(&theme_, jobs_, this)), stack_(new QStackedWidget(this)) {
    setWindowTitle(QStringLiteral("ExpertScope"));
    setMinimumSize(kLeastSize);
    setAcceptDrops(true);
    auto* page = new QWidget(this);
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(bar_);
    layout->addWidget(stack_, 1);
    layout->addWidget(status_);
    setCentralWidget(page);
    page->setFocusPolicy(Qt::ClickFocus);
    page->setFocus();  // else the first control in tab order starts with the focus ring

    if (!options.trainer)
        engine_ = std::make_unique<EngineHost>((options.program.isEmpty() ? QCoreApplication::applicationFilePath() : options.program).toStdString());
    context_.theme = &theme_;
    context_.selection = &selection_;
    context_.jobs = jobs_;
    context_.feeds = hub_;
    context_.trainer = options.trainer ? options.trainer : &engine_->trainer();
    context_.runSample =
        options.run_sample ? options.run_sample : [this](const session::SampleRequest& request, JobContext& job) -> Result<session::SampleResult> {
        if (engine_) return engine_->runSample(request, job);
        return jobFailed("Cannot run the sample", "this window has no engine", "Restart it");
    };
    context_.runVariants = options.run_variants ? options.run_variants
                                                : [this](const session::VariantRequest& request, const session::VariantSink& sink, JobContext& job) -> Status {
        if (engine_) return engine_->runVariants(request, sink, job);
        return jobFailed("Cannot run the held-out samples", "this window has no engine", "Restart it");
    };
    context_.expertSimilarity = options.expert_similarity
                                    ? options.expert_similarity
                                    : [this](const session::SimilarityRequest& request, JobContext& job) -> Result<std::vector<store::ExpertSimilarity>> {
        if (engine_) return engine_->expertSimilarity(request, job);
        return jobFailed("Cannot compare experts", "this window has no engine", "Restart it");
    };
    context_.say = [this](const QString& sentence) { status_->say(sentence); };
    context_.sayError = [this](const Error& error) { status_->sayError(messageOf(error)); };
    context_.sendToFigures = [this](const analysis::PanelQuery& query) {
        static_cast<views::FiguresWorkspace*>(workspace(QStringLiteral("figures")))->addPanel(query);
        status_->say(QStringLiteral("Added to the page in Figures (Ctrl+4)"));
    };

    for (const WorkspaceRow& row : kWorkspaces) bar_->addWorkspace(QLatin1String(row.id), QLatin1String(row.title), QLatin1String(row.keys));
    makeActions();

    connect(bar_, &TopBar::workspaceChosen, this, [this](const QString& id) {
        Selection next = selection_.current();
        next.workspace = id;
        selection_.change(next, QStringLiteral("Show %1").arg(id));
    });
    connect(bar_, &TopBar::searchRequested, this, &MainWindow::showPalette);
    connect(&selection_, &views::SelectionModel::changed, this, [this](const Selection& now) { follow(now); });
    connect(hub_, &views::RunFeedHub::runsChanged, this, [this] {
        chooseFirstRun();
        updateChips();
        updateRunText();
    });
    auto* poll = new QTimer(this);
    poll->setInterval(kTrainingPollMs);
    connect(poll, &QTimer::timeout, this, &MainWindow::updateTraining);
    poll->start();
    if (auto* application = qobject_cast<Application*>(QCoreApplication::instance()))
        connect(application, &Application::handlerFailed, this, [this](const QString& words) {
            status_->sayError(QStringLiteral("Something went wrong in the window: %1. Nothing is lost; please report it.").arg(words));
        });

    restore();
    hub_->setFolders(options_.folders);
    follow(selection_.current());
    if (!settings_.problem().isEmpty()) status_->say(settings_.problem());
}

MainWindow::~MainWindow() {
    // Jobs hold the workspaces' closures: they end before anything they use goes.
    for (const auto& [id, one] : workspaces_) delete one;
    workspaces_.clear();
    delete jobs_;
}

Workspace* MainWindow::workspace(const QString& id) {
    if (const auto found = workspaces_.find(id); found != workspaces_.end()) return found->second;
    Workspace* made = nullptr;
    if (id == QLatin1String("train")) made = new views::TrainWorkspace(context_, stack_);
    else if (id == QLatin1String("inspect")) made = new views::InspectWorkspace(&context_, stack_);
    else if (id == QLatin1String("compare")) made = new views::CompareWorkspace(context_, stack_);
    else made = new views::FiguresWorkspace(context_, stack_);
    workspaces_[id] = made;
    stack_->addWidget(made);
    QJsonObject kept = options_.remember ? settings_.section(QStringLiteral("workspace.") + id) : QJsonObject{};
    if (id == QLatin1String("inspect"))
        for (auto asked = options_.inspect.begin(); asked != options_.inspect.end(); ++asked) kept.insert(asked.key(), asked.value());
    if (options_.remember || !kept.isEmpty()) made->restoreState(kept);
    if (options_.remember) views::restoreDetached(made, kept.value(QStringLiteral("detached")).toArray());
    if (!options_.page.isEmpty() && id == options_.workspace) made->showPage(options_.page);
    return made;
}

Workspace* MainWindow::currentWorkspace() { return workspace(selection_.current().workspace); }

void MainWindow::follow(const Selection& now) {
    bar_->setWorkspace(now.workspace);
    Workspace* shown = workspace(now.workspace);
    if (stack_->currentWidget() != shown) {
        stack_->setCurrentWidget(shown);
        shown->setFocus(Qt::OtherFocusReason);
    }
    updateChips();
    updateRunText();
}

void MainWindow::addAction(const QString& text, const QKeySequence& keys, std::function<void()> run, QMenu* menu) {
    commands_.push_back({text, keys.toString(QKeySequence::NativeText), run});
    QAction* action = menu->addAction(text);
    if (!keys.isEmpty()) action->setShortcut(keys);
    action->setShortcutContext(Qt::ApplicationShortcut);
    connect(action, &QAction::triggered, this, run);
    QMainWindow::addAction(action);
}

void MainWindow::makeActions() {
    auto* menu = new QMenu(this);
    for (const WorkspaceRow& row : kWorkspaces) {
        const QString id = QLatin1String(row.id);
        addAction(
            QLatin1String(row.title), QKeySequence(QLatin1String(row.keys)), [this, id] { Q_EMIT bar_->workspaceChosen(id); }, menu);
    }
    menu->addSeparator();
    addAction(
        QStringLiteral("Open a run or a folder of runs…"), QKeySequence::Open,
        [this] {
            const QString folder = QFileDialog::getExistingDirectory(this, QStringLiteral("Open a run or a folder of runs"));
            if (!folder.isEmpty()) openRun(folder);
        },
        menu);
    addAction(
        QStringLiteral("Search"), QKeySequence(Qt::CTRL | Qt::Key_K), [this] { showPalette(); }, menu);
    addAction(
        QStringLiteral("Undo selection"), QKeySequence::Undo, [this] { selection_.undoStack()->undo(); }, menu);
    addAction(
        QStringLiteral("Redo selection"), QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_Z), [this] { selection_.undoStack()->redo(); }, menu);
    menu->addSeparator();
    addAction(
        QStringLiteral("Light theme"), {}, [this] { theme_.setMode(views::ThemeMode::kLight); }, menu);
    addAction(
        QStringLiteral("Dark theme"), {}, [this] { theme_.setMode(views::ThemeMode::kDark); }, menu);
    addAction(
        QStringLiteral("Theme of the system"), {}, [this] { theme_.setMode(views::ThemeMode::kSystem); }, menu);
    menu->addSeparator();
    addAction(
        QStringLiteral("Keyboard shortcuts"), QKeySequence(Qt::Key_F1), [this] { showShortcuts(); }, menu);
    addAction(
        QStringLiteral("About ExpertScope"), {},
        [this] {
            QMessageBox::about(this, QStringLiteral("ExpertScope"),
                               QStringLiteral("<b>ExpertScope %1</b><p>Trains, records and shows sparse mixture-of-experts vision-language models.</p>"
                                              "<p>GPL-3.0-or-later. Uses LibTorch, Qt, QCustomPlot, OpenCV, HDF5 and SQLite.</p>")
                                   .arg(QStringLiteral(ES_VERSION)));
        },
        menu);
    addAction(
        QStringLiteral("Quit"), QKeySequence::Quit, [this] { close(); }, menu);
    bar_->menuButton()->setMenu(menu);
    auto* openMenu = new QShortcut(QKeySequence(Qt::Key_F10), this);
    connect(openMenu, &QShortcut::activated, this, [this] { bar_->menuButton()->showMenu(); });
}

void MainWindow::showPalette() {
    std::vector<views::PaletteEntry> entries;
    for (const Command& command : commands_) entries.push_back({command.text, command.keys, command.run});
    for (const auto& run : hub_->runs()) {
        const QString folder = QString::fromStdString(run.folder.string());
        entries.push_back({QStringLiteral("Run %1").arg(QString::fromStdString(run.name)), folder, [this, folder] {
                               Selection next = selection_.current();
                               next.run = folder;
                               selection_.change(next, QStringLiteral("Select run"));
                           }});
    }
    for (auto& entry : currentWorkspace()->paletteEntries()) entries.push_back(std::move(entry));
    (new CommandPalette(std::move(entries), &theme_, this))->open();
}

void MainWindow::showShortcuts() {
    std::vector<ShortcutSheet::Row> rows;
    for (const Command& command : commands_)
        if (!command.keys.isEmpty()) rows.push_back({command.keys, command.text});
    (new ShortcutSheet(rows, &theme_, this))->open();
}

void MainWindow::openRun(const QString& folder) {
    options_.folders << folder;
    hub_->setFolders(options_.folders);
    status_->say(QStringLiteral("Looking for runs in %1").arg(folder));
}

void MainWindow::chooseFirstRun() {
    const auto& runs = hub_->runs();
    if (!selection_.current().run.isEmpty() || runs.empty()) return;
    const store::RunSummary* best = nullptr;
    // The run in training, else the newest sparse one, else the newest: what a user most likely wants to see.
    for (const auto& run : runs) {
        if (!run.problem.empty()) continue;
        const auto rank = [](const store::RunSummary& r) { return (r.state == store::RunState::kTraining ? 2 : 0) + (r.ffn == "moe" ? 1 : 0); };
        if (!best || rank(run) > rank(*best)) best = &run;
    }
    if (!best) return;
    Selection next = selection_.current();
    next.run = QString::fromStdString(best->folder.string());
    selection_.reset(next);
}

void MainWindow::updateChips() {
    const Selection& now = selection_.current();
    const auto chip = [&](const QString& prefix, const QString& folder) {
        return TopBar::Chip{prefix + QFileInfo(folder).fileName(), views::Theme::runColor(hub_->colorGroup(folder), theme_.colors()), folder};
    };
    std::vector<TopBar::Chip> chips;
    if (now.workspace == QLatin1String("compare")) {
        if (!now.baseline.isEmpty()) chips.push_back(chip(QStringLiteral("baseline: "), now.baseline.first()));
        if (!now.candidate.isEmpty()) chips.push_back(chip(QStringLiteral("comparison: "), now.candidate.first()));
    } else if (now.workspace != QLatin1String("figures") && !now.run.isEmpty()) {
        chips.push_back(chip({}, now.run));
    }
    bar_->setChips(chips);
}

void MainWindow::updateRunText() {
    const auto& runs = hub_->runs();
    const auto found = std::find_if(runs.begin(), runs.end(),
                                    [&](const store::RunSummary& run) { return QString::fromStdString(run.folder.string()) == selection_.current().run; });
    if (found == runs.end()) {
        status_->setRight(hub_->listed() && runs.empty() ? QStringLiteral("no runs here yet") : QString());
        return;
    }
    const std::string_view state = store::toString(found->state);
    status_->setRight(QStringLiteral("%1 · %2 · step %3 of %4")
                          .arg(QString::fromStdString(found->name), QString::fromUtf8(state.data(), static_cast<qsizetype>(state.size())))
                          .arg(found->step)
                          .arg(found->steps));
}

void MainWindow::updateTraining() {
    const session::SessionSnapshot snapshot = context_.trainer->snapshot();
    const TrainingText text = trainingText(snapshot);
    status_->setTraining(text.text, text.progress);
    const QString run = QString::fromStdString(snapshot.run.string());
    if (text.active && !run.isEmpty() && run != knownRun_ && QFileInfo::exists(run + QStringLiteral("/run.toml"))) {
        knownRun_ = run;
        hub_->addRun(run);
    }
    if (snapshot.state == session::SessionState::kFailed && !snapshot.error.what.empty()) {
        const QString words = messageOf(snapshot.error);
        if (status_->property("lastFailure").toString() != words) {
            status_->setProperty("lastFailure", words);
            status_->sayError(words);
        }
    }
}

bool MainWindow::settled() { return hub_->listed() && jobs_->idle() && currentWorkspace()->settled(); }

bool MainWindow::allRunsEnded() const {
    const auto& runs = hub_->runs();
    return !runs.empty() && std::none_of(runs.begin(), runs.end(), [](const store::RunSummary& run) { return run.state == store::RunState::kTraining; });
}

QJsonObject MainWindow::dump() {
    QJsonObject document = currentWorkspace()->dump();
    document.insert(QStringLiteral("schema"), QStringLiteral("expertscope.window.1"));
    document.insert(QStringLiteral("workspace"), selection_.current().workspace);
    document.insert(QStringLiteral("selection"), toJson(selection_.current()));
    document.insert(QStringLiteral("status"), status_->message());
    return document;
}

void MainWindow::restore() {
    const QJsonObject window = options_.remember ? settings_.section(QStringLiteral("window")) : QJsonObject{};
    theme_.setMode(options_.theme_given
                       ? options_.theme
                       : static_cast<views::ThemeMode>(window.value(QStringLiteral("theme")).toInt(static_cast<int>(views::ThemeMode::kSystem))));
    resize(options_.size.isValid() ? options_.size : kFirstSize);
    if (!options_.size.isValid()) restoreGeometry(QByteArray::fromBase64(window.value(QStringLiteral("geometry")).toString().toLatin1()));
    Selection selection = options_.remember ? selectionFromJson(settings_.section(QStringLiteral("selection"))) : Selection{};
    if (!QFileInfo::exists(selection.run)) selection.run.clear();
    // Runs named on the command line win over the remembered one.
    if (!options_.folders.isEmpty() && !selection.run.isEmpty() && std::none_of(options_.folders.begin(), options_.folders.end(), [&](const QString& folder) {
            return QFileInfo(selection.run).absoluteFilePath().startsWith(QFileInfo(folder).absoluteFilePath());
        }))
        selection = Selection{};
    if (options_.selection) selection = *options_.selection;
    if (!options_.workspace.isEmpty()) selection.workspace = options_.workspace;
    if (!isWorkspace(selection.workspace)) selection.workspace = QStringLiteral("train");
    selection_.reset(selection);
}

void MainWindow::save() {
    if (!options_.remember || options_.read_only) return;
    settings_.setSection(QStringLiteral("window"), QJsonObject{{QStringLiteral("geometry"), QString::fromLatin1(saveGeometry().toBase64())},
                                                               {QStringLiteral("theme"), static_cast<int>(theme_.mode())}});
    settings_.setSection(QStringLiteral("selection"), toJson(selection_.current()));
    for (const auto& [id, one] : workspaces_) {
        QJsonObject kept = one->saveState();
        kept.insert(QStringLiteral("detached"), views::detachedPanels(one));
        settings_.setSection(QStringLiteral("workspace.") + id, kept);
    }
    settings_.save();
}

bool MainWindow::mayClose() {
    const auto state = context_.trainer->snapshot().state;
    if (state != session::SessionState::kTraining && state != session::SessionState::kPaused && state != session::SessionState::kStarting) return true;
    QMessageBox question(QMessageBox::Question, QStringLiteral("Training is under way"), QStringLiteral("Shall training go on without the window?"), {}, this);
    QPushButton* keep = question.addButton(QStringLiteral("Keep training"), QMessageBox::AcceptRole);
    QPushButton* stop = question.addButton(QStringLiteral("Save and stop"), QMessageBox::DestructiveRole);
    question.addButton(QStringLiteral("Back to the window"), QMessageBox::RejectRole);
    question.setDefaultButton(keep);
    question.exec();
    if (question.clickedButton() == keep) {
        if (auto* child = dynamic_cast<session::ChildSession*>(context_.trainer)) child->detach();
        return true;
    }
    if (question.clickedButton() == stop) {
        (void)context_.trainer->stop();
        return true;
    }
    return false;
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (!mayClose()) {
        event->ignore();
        return;
    }
    save();
    event->accept();
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    if (event->mimeData()->hasUrls()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
    QStringList files;
    for (const QUrl& url : event->mimeData()->urls()) {
        if (!url.isLocalFile()) continue;
        if (QFileInfo(url.toLocalFile()).isDir()) openRun(url.toLocalFile());
        else files << url.toLocalFile();
    }
    if (!files.isEmpty() && !currentWorkspace()->takeDrop(files))
        status_->say(QStringLiteral("Pictures can be dropped in Inspect (Ctrl+2); run folders anywhere"));
    event->acceptProposedAction();
}

}  // namespace es::app
