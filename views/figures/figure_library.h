// SPDX-License-Identifier: GPL-3.0-or-later
// The figures of a project: recipes in the "figures" folders of its runs, of the folders the window was opened on, and of the working folder.
#pragma once

#include <QObject>
#include <QTimer>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "views/models/workspace_context.h"

namespace es::views {

/// A recipe and the file it is saved in.
struct Figure {
    QString file;
    analysis::FigureRecipe recipe;
    std::optional<Error> problem;  ///< the file cannot be read: nothing can be changed
};

/// Every change is an undoable step on the window's undo stack and is saved by itself, in a job, in order. GUI thread only.
class FigureLibrary : public QObject {
    Q_OBJECT
public:
    explicit FigureLibrary(const WorkspaceContext& context, QObject* parent = nullptr);

    [[nodiscard]] const std::vector<Figure>& figures() const { return figures_; }
    [[nodiscard]] bool listed() const { return listed_; }
    [[nodiscard]] bool busy() const { return scanning_ || saves_ > 0; }
    [[nodiscard]] const Figure* current() const { return find(current_); }
    [[nodiscard]] const Figure* find(const QString& file) const;
    void setCurrent(const QString& file);
    /// Why the figure is kept in memory only: it is not whole yet (a panel without the runs it needs). Null: it is saved.
    [[nodiscard]] const Error* unsaved(const QString& file) const;
    /// Where new figures are saved.
    [[nodiscard]] QString folder() const;

    /// Saves a new figure under a free name and makes it current.
    void create(analysis::FigureRecipe recipe, const QString& what);
    /// Changes the current figure. Steps of the same `merge_id` (>= 0) in a row become one.
    void change(analysis::FigureRecipe next, const QString& what, int merge_id = -1);
    void rename(const QString& name);
    void duplicate();
    void remove();
    void rescan();

Q_SIGNALS:
    void listChanged();
    void currentChanged();  ///< another figure, or the current one has another recipe

private:
    friend class FigureCommand;
    struct Change {
        QString file;
        std::optional<analysis::FigureRecipe> recipe;  ///< empty: the file goes
    };
    void push(std::vector<Change> before, std::vector<Change> after, const QString& current_after, const QString& what, int merge_id = -1);
    void apply(const std::vector<Change>& changes, const QString& current);
    void save(const Change& change);
    [[nodiscard]] QString freeFile(const QString& name) const;

    const WorkspaceContext* context_;
    std::vector<Figure> figures_;
    QString current_;
    bool listed_ = false, scanning_ = false;
    int saves_ = 0;
    std::map<QString, Error> unsaved_;
    std::uint64_t edits_ = 0;
    std::shared_ptr<std::map<QString, std::uint64_t>> written_;
    std::shared_ptr<std::mutex> writing_;
    std::uint64_t sequence_ = 0;
    QTimer timer_;
};

}  // namespace es::views
