// SPDX-License-Identifier: GPL-3.0-or-later
// The Figures workspace: recipes of the project, the page, its panels' queries, checks and export.
#pragma once

#include <QListWidget>
#include <QSplitter>
#include <QTimer>

#include "views/figures/figure_library.h"
#include "views/figures/page_panel.h"
#include "views/figures/page_view.h"
#include "views/figures/panel_editor.h"

namespace es::views {

/// GUI thread only. The context must outlive it.
class FiguresWorkspace : public Workspace {
    Q_OBJECT
public:
    explicit FiguresWorkspace(const WorkspaceContext& context, QWidget* parent = nullptr);
    /// Adds a panel to the current figure; makes a figure when there is none.
    void addPanel(const analysis::PanelQuery& query);

    [[nodiscard]] QJsonObject dump() const override;
    [[nodiscard]] bool settled() const override;
    [[nodiscard]] std::vector<PaletteEntry> paletteEntries() override;
    [[nodiscard]] QJsonObject saveState() const override;
    void restoreState(const QJsonObject& state) override;

protected:
    void showEvent(QShowEvent* event) override;

private:
    void buildList(QWidget* into);
    void showList();
    void showFigure();
    void ask(bool force);  ///< runs the queries that changed, in a job
    void paint();          ///< paints the page for the screen, in a job
    void check();          ///< writes it as PDF in memory and looks at that
    void followRuns();
    void choosePanel(int panel);
    void editRecipe(const std::function<void(analysis::FigureRecipe&)>& edit, const QString& what, int merge_id = -1);
    void makeFirst();
    void exportFigure();
    void copyImage();
    template <class T>
    void job(const QString& slot, const QString& label, std::function<Result<T>(JobContext&)> work, std::function<void(Result<T>)> done);

    const WorkspaceContext* context_;
    FigureLibrary* library_;
    QSplitter *columns_, *left_;
    PanelFrame *list_frame_, *page_frame_;
    QListWidget* list_;
    PanelEditor* editor_;
    PageView* view_;
    PagePanel* panel_;
    IconButton *duplicate_, *remove_;
    bool filling_ = false;

    QString shown_file_, wanted_file_;
    std::shared_ptr<const page::Page> page_;      ///< what the view shows
    std::vector<analysis::PanelQuery> answered_;  ///< the queries that page_'s panels answer
    std::vector<page::FigureCheck> checks_;
    QStringList written_;  ///< by the last export
    std::map<QString, int> pending_;
    bool outdated_ = false;  ///< runs changed while the workspace was hidden
    std::vector<QMetaObject::Connection> followed_;
    QTimer rerun_, repaint_;
};

}  // namespace es::views
