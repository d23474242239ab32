// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/figures/figures_workspace.h"

#include <QApplication>
#include <QClipboard>
#include <QDir>
#include <QFileInfo>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "views/export/page_writers.h"
#include "views/export/recipe_renderer.h"
#include "views/models/file_paths.h"
#include "views/plots/plot_panel.h"

namespace es::views {

namespace {

constexpr int kPageRerunMs = 3000;  // a run in training changes four times a second; a page need not
constexpr int kMergeTitleBase = 20;

}  // namespace

template <class T>
void FiguresWorkspace::job(const QString& slot, const QString& label, std::function<Result<T>(JobContext&)> work, std::function<void(Result<T>)> done) {
    // Only the newest job of a slot answers: older ones of the same slot are no longer waited for.
    pending_[slot] = 1;
    context_->jobs->run<T>(this, slot, label, std::move(work), [this, slot, done = std::move(done)](Result<T> result) {
        pending_.erase(slot);
        done(std::move(result));
    });
}

FiguresWorkspace::FiguresWorkspace(const WorkspaceContext& context, QWidget* parent)
    : Workspace(parent), context_(&context), library_(new FigureLibrary(context, this)) {
    setObjectName(QStringLiteral("figuresWorkspace"));
    const int gutter = context_->theme->metrics().gutter;
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(gutter, gutter, gutter, gutter);
    columns_ = new QSplitter(Qt::Horizontal, this);
    left_ = new QSplitter(Qt::Vertical, columns_);
    for (QSplitter* splitter : {columns_, left_}) {
        splitter->setHandleWidth(gutter);
        splitter->setChildrenCollapsible(false);
    }
    layout->addWidget(columns_);
    buildList(left_);
    editor_ = new PanelEditor(context, left_);
    left_->setStretchFactor(0, 2);
    left_->setStretchFactor(1, 3);
    page_frame_ = new PanelFrame(context_->theme, tr("Page"), columns_);
    page_frame_->setObjectName(QStringLiteral("pageFrame"));
    view_ = new PageView(context_->theme);
    page_frame_->setContent(view_);
    page_frame_->addTool(QStringLiteral("plus"), tr("Add a panel"), [this] {
        analysis::PanelQuery query;
        const Figure* now = library_->current();
        query.kind = analysis::panelKinds().empty() ? "loss" : analysis::panelKinds().front().name;
        if (now && !now->recipe.panels.empty()) query.runs = now->recipe.panels.back().runs;
        else if (!context_->selection->current().run.isEmpty()) query.runs = {context_->selection->current().run.toStdString()};
        addPanel(query);
    });
    page_frame_->addTool(QStringLiteral("refresh"), tr("Ask the runs again"), [this] { ask(true); });
    panel_ = new PagePanel(context, columns_);
    left_->setMinimumWidth(210);
    panel_->setMinimumWidth(290);
    columns_->setStretchFactor(1, 1);
    columns_->setSizes({240, 690, 334});

    connect(library_, &FigureLibrary::listChanged, this, &FiguresWorkspace::showList);
    connect(library_, &FigureLibrary::currentChanged, this, &FiguresWorkspace::showFigure);
    connect(view_, &PageView::panelClicked, this, &FiguresWorkspace::choosePanel);
    connect(view_, &PageView::imageWanted, this, [this] { repaint_.start(); });
    connect(editor_, &PanelEditor::edited, this, [this](const analysis::PanelQuery& query, const QString& what, int merge_id) {
        const int panel = view_->selected();
        editRecipe([&](analysis::FigureRecipe& recipe) { recipe.panels[static_cast<std::size_t>(panel)] = query; }, what,
                   merge_id < 0 ? -1 : kMergeTitleBase + panel);
    });
    connect(editor_, &PanelEditor::removeRequested, this, [this] {
        const int panel = view_->selected();
        view_->setSelected(-1);
        editRecipe([&](analysis::FigureRecipe& recipe) { recipe.panels.erase(recipe.panels.begin() + panel); }, tr("Remove panel"));
    });
    connect(editor_, &PanelEditor::moveRequested, this, [this](int by) {
        const int panel = view_->selected();
        view_->setSelected(panel + by);
        editRecipe(
            [&](analysis::FigureRecipe& recipe) {
                std::swap(recipe.panels[static_cast<std::size_t>(panel)], recipe.panels[static_cast<std::size_t>(panel + by)]);
            },
            tr("Move panel"));
    });
    connect(panel_, &PagePanel::pageEdited, this, [this](const analysis::PageSettings& settings, const QString& what, int merge_id) {
        editRecipe([&](analysis::FigureRecipe& recipe) { recipe.page = settings; }, what, merge_id);
    });
    connect(panel_, &PagePanel::exportRequested, this, &FiguresWorkspace::exportFigure);
    connect(panel_, &PagePanel::copyImageRequested, this, &FiguresWorkspace::copyImage);
    connect(panel_, &PagePanel::copyCommandRequested, this, [this] {
        QApplication::clipboard()->setText(panel_->command());
        context_->say(tr("Copied the command"));
    });
    connect(context_->feeds, &RunFeedHub::runsChanged, this, [this] {
        editor_->refreshRuns();
        if (!library_->current()) showFigure();
    });
    rerun_.setSingleShot(true);
    rerun_.setInterval(kPageRerunMs);
    connect(&rerun_, &QTimer::timeout, this, [this] {
        if (isVisible()) ask(true);
        else outdated_ = true;
    });
    repaint_.setSingleShot(true);
    repaint_.setInterval(60);
    connect(&repaint_, &QTimer::timeout, this, &FiguresWorkspace::paint);
    showList();
    showFigure();
}

void FiguresWorkspace::buildList(QWidget* into) {
    list_frame_ = new PanelFrame(context_->theme, tr("Figures"), into);
    list_frame_->setObjectName(QStringLiteral("figureList"));
    auto* body = new QWidget;
    auto* layout = new QVBoxLayout(body);
    layout->setContentsMargins(6, 6, 6, 8);
    list_ = new QListWidget;
    list_->setAccessibleName(tr("Figures"));
    list_->setEditTriggers(QAbstractItemView::EditKeyPressed | QAbstractItemView::DoubleClicked);
    layout->addWidget(list_, 1);
    auto* hint =
        new QLabel(tr("Send any panel of another workspace here from its menu. A figure stores the query, not pixels: it is drawn anew when its runs change."));
    hint->setWordWrap(true);
    hint->setProperty("role", QStringLiteral("faint"));
    layout->addWidget(hint);
    list_frame_->setContent(body);
    list_frame_->addTool(QStringLiteral("plus"), tr("New figure of this project's runs"), [this] { makeFirst(); });
    duplicate_ = list_frame_->addTool(QStringLiteral("copy"), tr("Duplicate the figure"), [this] { library_->duplicate(); });
    remove_ = list_frame_->addTool(QStringLiteral("trash"), tr("Delete the figure (undo brings it back)"), [this] { library_->remove(); });
    connect(list_, &QListWidget::currentItemChanged, this, [this](QListWidgetItem* item) {
        if (!filling_ && item) library_->setCurrent(item->data(Qt::UserRole).toString());
    });
    connect(list_, &QListWidget::itemChanged, this, [this](QListWidgetItem* item) {
        if (filling_) return;
        library_->setCurrent(item->data(Qt::UserRole).toString());
        library_->rename(item->text());
    });
}

void FiguresWorkspace::showList() {
    filling_ = true;
    list_->clear();
    for (const Figure& figure : library_->figures()) {
        auto* item = new QListWidgetItem(QString::fromStdString(figure.recipe.name), list_);
        item->setData(Qt::UserRole, figure.file);
        item->setToolTip(figure.problem ? QString::fromStdString(figure.problem->message()) : tr("%1\nF2 renames it").arg(figure.file));
        if (figure.problem) item->setIcon(QIcon(context_->theme->icon(QStringLiteral("warning"), context_->theme->colors().warn)));
        else item->setFlags(item->flags() | Qt::ItemIsEditable);
        item->setSizeHint(QSize(0, context_->theme->metrics().row));
        const Figure* now = library_->current();
        if (now && now->file == figure.file) list_->setCurrentItem(item);
    }
    filling_ = false;
    list_frame_->setContext(library_->figures().empty() ? QString() : QString::number(library_->figures().size()));
    const QString none = library_->current() ? QString() : tr("There is no figure yet");
    setDisabledReason(duplicate_, none);
    setDisabledReason(remove_, none);
    if (!library_->listed()) list_frame_->showLoading(tr("Looking for figures"));
    else list_frame_->showReady();
    if (!library_->current()) showFigure();
}

void FiguresWorkspace::showFigure() {
    const Figure* now = library_->current();
    if (!now) {
        shown_file_.clear();
        page_.reset();
        answered_.clear();
        checks_.clear();
        editor_->setQuery(-1, 0, {});
        panel_->setFigure(nullptr, {});
        page_frame_->setTitle(tr("Page"));
        page_frame_->setContext({});
        page_frame_->setNotes({});
        if (!library_->listed()) page_frame_->showLoading(tr("Looking for figures"));
        else if (context_->feeds->runs().empty())
            page_frame_->showEmpty(tr("No figures yet"), tr("A figure is drawn from runs. Train one, or open a folder of runs; then make a first figure here."),
                                   {}, QStringLiteral("figure"));
        else
            page_frame_->showEmpty(
                tr("No figures yet"),
                tr("A figure is a page of panels, each a stored query of this project's runs. Panels of other workspaces can be sent here from their menus."),
                {tr("Make a first figure"), [this] { makeFirst(); }}, QStringLiteral("figure"));
        return;
    }
    if (now->file != shown_file_) {
        view_->setSelected(-1);
        view_->setImage({});
        page_.reset();
        answered_.clear();
        checks_.clear();
        written_.clear();
    }
    shown_file_ = now->file;
    if (list_->currentItem() == nullptr || list_->currentItem()->data(Qt::UserRole).toString() != now->file) showList();
    if (now->problem) {
        page_frame_->setTitle(QFileInfo(now->file).fileName());
        page_frame_->showFailed(*now->problem);
        panel_->setFigure(nullptr, {});
        editor_->setQuery(-1, 0, {});
        return;
    }
    const auto& recipe = now->recipe;
    page_frame_->setTitle(QString::fromStdString(recipe.name));
    page_frame_->setContext(recipe.panels.size() == 1 ? tr("1 panel") : tr("%1 panels").arg(recipe.panels.size()));
    panel_->setFigure(&recipe, now->file);
    const int panels = static_cast<int>(recipe.panels.size());
    if (view_->selected() >= panels) view_->setSelected(-1);
    choosePanel(view_->selected());
    if (panels == 0) {
        page_.reset();
        answered_.clear();
        page_frame_->showEmpty(tr("The page is empty"), tr("Add a panel with the plus above, or send one from another workspace."), {},
                               QStringLiteral("figure"));
        panel_->setExportDisabled(tr("The page has no panels"));
        panel_->setChecks({});
        return;
    }
    followRuns();
    ask(false);
}

void FiguresWorkspace::choosePanel(int panel) {
    view_->setSelected(panel);
    const Figure* now = library_->current();
    if (!now || now->problem || panel < 0 || panel >= static_cast<int>(now->recipe.panels.size())) editor_->setQuery(-1, 0, {});
    else editor_->setQuery(panel, static_cast<int>(now->recipe.panels.size()), now->recipe.panels[static_cast<std::size_t>(panel)]);
}

void FiguresWorkspace::editRecipe(const std::function<void(analysis::FigureRecipe&)>& edit, const QString& what, int merge_id) {
    const Figure* now = library_->current();
    if (!now || now->problem) return;
    analysis::FigureRecipe next = now->recipe;
    edit(next);
    library_->change(std::move(next), what, merge_id);
}

void FiguresWorkspace::addPanel(const analysis::PanelQuery& query) {
    const Figure* now = library_->current();
    if (now && !now->problem) {
        view_->setSelected(static_cast<int>(now->recipe.panels.size()));
        editRecipe(
            [&](analysis::FigureRecipe& recipe) {
                const auto rows = [&](std::size_t panels) {
                    return (panels + static_cast<std::size_t>(recipe.page.columns) - 1) / static_cast<std::size_t>(std::max(1, recipe.page.columns));
                };
                const auto before = rows(recipe.panels.size()), after = rows(recipe.panels.size() + 1);
                // A new row gets the height the others have, as far as the venue allows.
                if (before > 0 && after > before) {
                    double most = 400;
                    for (const auto& preset : analysis::pagePresets())
                        if (preset.name == recipe.page.preset && preset.max_height_mm > 0) most = preset.max_height_mm;
                    recipe.page.height_mm = std::min(most, recipe.page.height_mm * static_cast<double>(after) / static_cast<double>(before));
                }
                recipe.panels.push_back(query);
            },
            tr("Add panel"));
        return;
    }
    analysis::FigureRecipe recipe;
    recipe.name = "figure";
    recipe.panels.push_back(query);
    library_->create(std::move(recipe), tr("New figure"));
}

void FiguresWorkspace::makeFirst() {
    std::vector<std::filesystem::path> runs;
    for (const auto& run : context_->feeds->runs())
        if (run.problem.empty()) runs.push_back(run.folder);
    if (runs.empty()) {
        analysis::FigureRecipe recipe;
        recipe.name = "figure";
        library_->create(std::move(recipe), tr("New figure"));
        return;
    }
    job<analysis::FigureRecipe>(
        QStringLiteral("new"), tr("Making a figure"), [runs](JobContext& context) { return page::defaultRecipe("overview", runs, context); },
        [this](Result<analysis::FigureRecipe> recipe) {
            if (recipe) library_->create(std::move(*recipe), tr("New figure"));
            else context_->sayError(recipe.error());
        });
}

void FiguresWorkspace::followRuns() {
    for (const auto& connection : followed_) disconnect(connection);
    followed_.clear();
    const Figure* now = library_->current();
    if (!now) return;
    QStringList runs;
    for (const auto& panel : now->recipe.panels)
        for (const std::string& run : panel.runs) runs.append(QString::fromStdString(run));
    runs.removeDuplicates();
    for (const QString& run : runs) {
        if (!QFileInfo::exists(run)) continue;
        followed_.push_back(connect(context_->feeds->feed(run), &RunFeed::changed, this, [this] {
            if (!rerun_.isActive()) rerun_.start();
        }));
    }
}

void FiguresWorkspace::ask(bool force) {
    const Figure* now = library_->current();
    if (!now || now->problem || now->recipe.panels.empty()) return;
    // A change of the page's size or letters asks no run anything: panels whose query stayed are taken over.
    std::shared_ptr<const page::Page> old = force ? nullptr : page_;
    if (!page_) page_frame_->showLoading(tr("Asking the runs"));
    panel_->setExportDisabled(tr("The page is being drawn"));
    using Answer = std::shared_ptr<const page::Page>;
    const analysis::FigureRecipe recipe = now->recipe;
    const auto base = toPath(now->file).parent_path();
    const QString file = now->file;
    job<Answer>(
        QStringLiteral("ask"), tr("Drawing %1").arg(QString::fromStdString(recipe.name)),
        [recipe, base, old, answered = answered_](JobContext& context) -> Result<Answer> {
            analysis::FigureRecipe open = recipe;
            std::vector<std::ptrdiff_t> from(recipe.panels.size(), -1);
            open.panels.clear();
            for (std::size_t i = 0; i < recipe.panels.size(); ++i) {
                const auto found = std::find(answered.begin(), answered.end(), recipe.panels[i]);
                if (old && found != answered.end() && !old->panels[static_cast<std::size_t>(found - answered.begin())].error)
                    from[i] = found - answered.begin();
                else open.panels.push_back(recipe.panels[i]);
            }
            auto fresh = page::makePage(open, base, true, context);
            if (!fresh) return tl::unexpected(fresh.error());
            auto page = std::make_shared<page::Page>();
            page->name = QString::fromStdString(recipe.name);
            page->settings = recipe.page;
            std::size_t next = 0;
            for (std::size_t i = 0; i < from.size(); ++i)
                page->panels.push_back(from[i] >= 0 ? old->panels[static_cast<std::size_t>(from[i])] : fresh->panels[next++]);
            return Answer(page);
        },
        [this, recipe, file](Result<Answer> answer) {
            if (file != shown_file_) return;
            if (!answer) {
                if (answer.error().kind != ErrorKind::kStopped) page_frame_->showFailed(answer.error());
                return;
            }
            page_ = *answer;
            answered_ = recipe.panels;
            view_->setPage(QSizeF(recipe.page.width_mm, recipe.page.height_mm), page::layOut(recipe.page, recipe.panels.size()));
            QStringList notes;
            for (std::size_t i = 0; i < page_->panels.size(); ++i)
                if (page_->panels[i].error)
                    notes.append(tr("Panel (%1) cannot be drawn: %2").arg(page::panelLetter(i), QString::fromStdString(page_->panels[i].error->what)));
            if (const Error* why = library_->unsaved(file)) notes.append(tr("Not saved yet: %1").arg(QString::fromStdString(why->why)));
            page_frame_->setNotes(notes);
            page_frame_->showReady();
            panel_->setExportDisabled(notes.isEmpty() ? QString() : notes.first());
            paint();
            check();
        });
}

void FiguresWorkspace::showEvent(QShowEvent* event) {
    Workspace::showEvent(event);
    if (std::exchange(outdated_, false)) ask(true);
}

void FiguresWorkspace::paint() {
    const double dpi = view_->dpi();
    if (!page_ || dpi < 20) return;
    job<QImage>(
        QStringLiteral("paint"), tr("Painting the page"), [page = page_, dpi](JobContext&) { return page::pageAsImage(*page, dpi); },
        [this](Result<QImage> image) {
            if (image) view_->setImage(*image);
            else page_frame_->showFailed(image.error());
        });
}

void FiguresWorkspace::check() {
    const Figure* now = library_->current();
    if (!page_ || !now) return;
    using Checks = std::vector<page::FigureCheck>;
    job<Checks>(
        QStringLiteral("check"), tr("Checking the page"),
        [page = page_, recipe = now->recipe](JobContext&) -> Result<Checks> {
            page::PageReport report;
            const auto pdf = page::pageAsPdf(*page, &report);
            if (!pdf) return tl::unexpected(pdf.error());
            return page::checkFigure(*page, recipe, report, *pdf);
        },
        [this](Result<Checks> checks) {
            checks_ = checks ? *checks
                             : Checks{{page::CheckState::kBad, QStringLiteral("the page cannot be written"), QString::fromStdString(checks.error().message())}};
            panel_->setChecks(checks_);
        });
}

void FiguresWorkspace::exportFigure() {
    const Figure* now = library_->current();
    if (!page_ || !now) return;
    page::RenderOptions options;
    options.formats = panel_->formats();
    using Files = std::vector<std::filesystem::path>;
    job<Files>(
        QStringLiteral("export"), tr("Writing %1").arg(QString::fromStdString(now->recipe.name)),
        [page = page_, recipe = now->recipe, out = toPath(panel_->outFolder()), options](JobContext& context) {
            return page::writePage(*page, recipe, out, options, context);
        },
        [this](Result<Files> files) {
            if (!files) return context_->sayError(files.error());
            written_.clear();
            for (const auto& file : *files) written_.append(QString::fromStdString(file.string()));
            context_->say(written_.size() == 1 ? tr("Wrote %1").arg(written_.first())
                                               : tr("Wrote %1 files to %2").arg(written_.size()).arg(panel_->outFolder()));
        });
}

void FiguresWorkspace::copyImage() {
    if (!page_) return;
    job<QImage>(
        QStringLiteral("copy"), tr("Painting the page"), [page = page_](JobContext&) { return page::pageAsImage(*page, 300); },
        [this](Result<QImage> image) {
            if (!image) return context_->sayError(image.error());
            QApplication::clipboard()->setImage(*image);
            context_->say(tr("Copied the page as a picture of 300 dpi"));
        });
}

bool FiguresWorkspace::settled() const { return library_->listed() && !library_->busy() && pending_.empty() && !repaint_.isActive(); }

}  // namespace es::views
