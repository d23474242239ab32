// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/figures/figure_library.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QPointer>
#include <QUndoCommand>
#include <algorithm>

#include "views/export/recipe_renderer.h"
#include "views/models/file_paths.h"

namespace es::views {

namespace {
constexpr int kRescanMs = 4000;

/// In memory, runs are named by whole paths: a recipe can then be copied between folders.
void makeAbsolute(analysis::FigureRecipe& recipe, const std::filesystem::path& base) {
    for (auto& panel : recipe.panels)
        for (std::string& run : panel.runs)
            if (!std::filesystem::path(run).is_absolute()) run = (base / run).lexically_normal().string();
}

bool sameFigure(const analysis::FigureRecipe& a, const analysis::FigureRecipe& b) { return a.name == b.name && a.page == b.page && a.panels == b.panels; }
}  // namespace

/// Puts figures into the state after (redo) or before (undo) a step.
class FigureCommand : public QUndoCommand {
public:
    FigureCommand(FigureLibrary* library, std::vector<FigureLibrary::Change> before, std::vector<FigureLibrary::Change> after, QString current_before,
                  QString current_after, const QString& what, int merge_id)
        : QUndoCommand(what), library_(library), before_(std::move(before)), after_(std::move(after)), current_before_(std::move(current_before)),
          current_after_(std::move(current_after)), merge_id_(merge_id) {}
    void redo() override {
        if (library_) library_->apply(after_, current_after_);
    }
    void undo() override {
        if (library_) library_->apply(before_, current_before_);
    }
    [[nodiscard]] int id() const override { return merge_id_ < 0 ? -1 : 0x4600 + merge_id_; }
    bool mergeWith(const QUndoCommand* other) override {
        const auto* next = static_cast<const FigureCommand*>(other);
        if (next->library_ != library_ || next->current_before_ != current_after_ || next->before_.size() != 1 || after_.size() != 1 ||
            next->after_[0].file != after_[0].file)
            return false;
        after_ = next->after_;
        return true;
    }

private:
    QPointer<FigureLibrary> library_;
    std::vector<FigureLibrary::Change> before_, after_;
    QString current_before_, current_after_;
    int merge_id_;
};

FigureLibrary::FigureLibrary(const WorkspaceContext& context, QObject* parent)
    : QObject(parent), context_(&context), written_(std::make_shared<std::map<QString, std::uint64_t>>()), writing_(std::make_shared<std::mutex>()) {
    connect(context_->feeds, &RunFeedHub::runsChanged, this, &FigureLibrary::rescan);
    connect(&timer_, &QTimer::timeout, this, &FigureLibrary::rescan);
    timer_.start(kRescanMs);
    rescan();
}

const Figure* FigureLibrary::find(const QString& file) const {
    const auto found = std::find_if(figures_.begin(), figures_.end(), [&](const Figure& figure) { return figure.file == file; });
    return found == figures_.end() ? nullptr : &*found;
}

const Error* FigureLibrary::unsaved(const QString& file) const {
    const auto found = unsaved_.find(file);
    return found == unsaved_.end() ? nullptr : &found->second;
}

void FigureLibrary::setCurrent(const QString& file) {
    if (file == current_ || !find(file)) return;
    current_ = file;
    Q_EMIT currentChanged();
}

QString FigureLibrary::folder() const {
    const QStringList folders = context_->feeds->folders();
    const QDir place(folders.isEmpty() ? QDir::currentPath() : folders.first());
    return place.absoluteFilePath(QStringLiteral("figures"));
}

void FigureLibrary::rescan() {
    if (scanning_ || saves_ > 0) return;
    scanning_ = true;
    QStringList folders{QDir::current().absoluteFilePath(QStringLiteral("figures"))};
    for (const QString& place : context_->feeds->folders()) folders.append(QDir(place).absoluteFilePath(QStringLiteral("figures")));
    for (const auto& run : context_->feeds->runs())
        folders.append(QDir(QString::fromStdString(run.folder.string())).absoluteFilePath(QStringLiteral("figures")));
    folders.removeDuplicates();
    const std::uint64_t edits = edits_;
    context_->jobs->run<std::vector<Figure>>(
        this, QStringLiteral("scan"), tr("Looking for figures"),
        [folders](JobContext&) -> Result<std::vector<Figure>> {
            std::vector<Figure> found;
            for (const QString& folder : folders)
                for (const QFileInfo& info : QDir(folder).entryInfoList({QStringLiteral("*.json")}, QDir::Files, QDir::Name)) {
                    Figure figure{info.absoluteFilePath(), {}, {}};
                    auto recipe = analysis::loadRecipe(toPath(figure.file));
                    if (recipe) {
                        figure.recipe = std::move(*recipe);
                        makeAbsolute(figure.recipe, toPath(figure.file).parent_path());
                    } else {
                        figure.problem = recipe.error();
                    }
                    if (figure.recipe.name.empty()) figure.recipe.name = info.completeBaseName().toStdString();
                    const bool known = std::any_of(found.begin(), found.end(), [&](const Figure& other) { return other.file == figure.file; });
                    if (!known) found.push_back(std::move(figure));
                }
            return found;
        },
        [this, edits](Result<std::vector<Figure>> found) {
            scanning_ = false;
            listed_ = true;
            // What was changed here while the job looked is newer than what it saw.
            if (!found || edits != edits_ || saves_ > 0) {
                Q_EMIT listChanged();
                return;
            }
            const Figure* before = current();
            const std::optional<Figure> old = before ? std::optional<Figure>(*before) : std::nullopt;
            for (const auto& [file, why] : unsaved_)
                if (const Figure* kept = find(file)) {
                    const auto there = std::find_if(found->begin(), found->end(), [&](const Figure& figure) { return figure.file == kept->file; });
                    if (there != found->end()) *there = *kept;
                    else found->push_back(*kept);
                }
            figures_ = std::move(*found);
            if (!current() && !figures_.empty()) current_ = figures_.front().file;
            if (figures_.empty()) current_.clear();
            Q_EMIT listChanged();
            const Figure* after = current();
            const bool same =
                old && after && old->file == after->file && sameFigure(old->recipe, after->recipe) && old->problem.has_value() == after->problem.has_value();
            if (!same && (old || after)) Q_EMIT currentChanged();
        });
}

QString FigureLibrary::freeFile(const QString& name) const {
    const QString stem = QString::fromStdString(page::fileNameOf(name.trimmed().toStdString()));
    const QDir place(folder());
    for (int n = 1;; ++n) {
        const QString file = place.absoluteFilePath(n == 1 ? stem + QStringLiteral(".json") : QStringLiteral("%1-%2.json").arg(stem).arg(n));
        if (!find(file) && !QFileInfo::exists(file)) return file;
    }
}

void FigureLibrary::create(analysis::FigureRecipe recipe, const QString& what) {
    const QString file = freeFile(QString::fromStdString(recipe.name));
    recipe.name = QFileInfo(file).completeBaseName().toStdString();
    makeAbsolute(recipe, std::filesystem::current_path());
    push({{file, {}}}, {{file, std::move(recipe)}}, file, what);
}

void FigureLibrary::change(analysis::FigureRecipe next, const QString& what, int merge_id) {
    const Figure* now = current();
    if (!now || now->problem || sameFigure(now->recipe, next)) return;
    const QString file = now->file;
    makeAbsolute(next, std::filesystem::current_path());
    push({{file, now->recipe}}, {{file, std::move(next)}}, file, what, merge_id);
}

void FigureLibrary::rename(const QString& name) {
    const Figure* now = current();
    if (!now || now->problem || name.trimmed().isEmpty() || name.trimmed().toStdString() == now->recipe.name) return;
    const QString old = now->file;
    analysis::FigureRecipe renamed = now->recipe;
    // The file moves within its own folder, so that run paths relative to it stay true.
    const QString stem = QString::fromStdString(page::fileNameOf(name.trimmed().toStdString()));
    const QString file = QFileInfo(old).dir().absoluteFilePath(stem + QStringLiteral(".json"));
    if (find(file) || QFileInfo::exists(file)) {
        context_->sayError({ErrorKind::kBadInput, "Cannot rename the figure", "there is one of that name already", "Choose another name", file.toStdString()});
        Q_EMIT listChanged();
        return;
    }
    renamed.name = stem.toStdString();
    push({{file, {}}, {old, now->recipe}}, {{old, {}}, {file, std::move(renamed)}}, file, tr("Rename figure"));
}

void FigureLibrary::duplicate() {
    const Figure* now = current();
    if (!now || now->problem) return;
    analysis::FigureRecipe copy = now->recipe;
    copy.name += "-copy";
    create(std::move(copy), tr("Duplicate figure"));
}

void FigureLibrary::remove() {
    const Figure* now = current();
    if (!now) return;
    const QString file = now->file, name = QString::fromStdString(now->recipe.name);
    if (now->problem) {
        context_->sayError({ErrorKind::kBadInput, "Cannot delete '" + name.toStdString() + "' here",
                            "the file could not be read, so deleting it could not be undone", "Delete it in a file manager", file.toStdString()});
        return;
    }
    QString next;
    for (std::size_t i = 0; i < figures_.size(); ++i)
        if (figures_[i].file == file) next = i + 1 < figures_.size() ? figures_[i + 1].file : i > 0 ? figures_[i - 1].file : QString();
    push({{file, now->recipe}}, {{file, {}}}, next, tr("Delete figure"));
    context_->say(tr("Deleted %1. Undo brings it back.").arg(name));
}

void FigureLibrary::push(std::vector<Change> before, std::vector<Change> after, const QString& current_after, const QString& what, int merge_id) {
    context_->selection->undoStack()->push(new FigureCommand(this, std::move(before), std::move(after), current_, current_after, what, merge_id));
}

void FigureLibrary::apply(const std::vector<Change>& changes, const QString& current) {
    ++edits_;
    bool list = false;
    for (const Change& change : changes) {
        const auto found = std::find_if(figures_.begin(), figures_.end(), [&](const Figure& figure) { return figure.file == change.file; });
        if (!change.recipe) {
            if (found != figures_.end()) figures_.erase(found);
            list = true;
        } else if (found != figures_.end()) {
            found->recipe = *change.recipe;
        } else {
            figures_.push_back({change.file, *change.recipe, {}});
            std::stable_sort(figures_.begin(), figures_.end(),
                             [](const Figure& a, const Figure& b) { return QFileInfo(a.file).fileName() < QFileInfo(b.file).fileName(); });
            list = true;
        }
        save(change);
    }
    current_ = find(current) ? current : figures_.empty() ? QString() : figures_.front().file;
    listed_ = true;
    if (list) Q_EMIT listChanged();
    Q_EMIT currentChanged();
}

void FigureLibrary::save(const Change& change) {
    unsaved_.erase(change.file);
    if (change.recipe)
        if (const auto whole = analysis::recipeFromJson(analysis::toJson(*change.recipe), change.file.toStdString()); !whole) {
            // A file that could not be read again would be worse than the last good one.
            unsaved_[change.file] = whole.error();
            return;
        }
    ++saves_;
    // Jobs may overtake each other: each file takes the newest change only.
    const std::uint64_t number = ++sequence_;
    context_->jobs->run<int>(
        this, QStringLiteral("save-%1").arg(number), tr("Saving the figure"),
        [change, number, written = written_, writing = writing_](JobContext&) -> Result<int> {
            const std::scoped_lock lock(*writing);
            std::uint64_t& newest = (*written)[change.file];
            if (newest > number) return 0;
            newest = number;
            const auto path = toPath(change.file);
            if (!change.recipe) {
                std::error_code failure;
                std::filesystem::remove(path, failure);
                if (failure) return badInput("Cannot delete the figure", failure.message(), "Check that you may write to its folder", path.string());
                return 0;
            }
            if (auto saved = page::saveRecipe(*change.recipe, path.parent_path(), path); !saved) return tl::unexpected(saved.error());
            return 0;
        },
        [this](Result<int> done) {
            --saves_;
            if (!done) context_->sayError(done.error());
        });
}

}  // namespace es::views
