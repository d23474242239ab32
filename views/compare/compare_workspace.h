// SPDX-License-Identifier: GPL-3.0-or-later
// The Compare workspace: two groups of runs, on a choice of axis.
#pragma once

#include <QComboBox>
#include <QSplitter>
#include <QTimer>

#include "views/compare/compare_data.h"
#include "views/compare/verdict_panel.h"
#include "views/models/workspace_context.h"
#include "views/widgets/segmented_control.h"

namespace es::views {

/// GUI thread only. The context must outlive it.
class CompareWorkspace : public Workspace {
    Q_OBJECT
public:
    explicit CompareWorkspace(const WorkspaceContext& context, QWidget* parent = nullptr);
    [[nodiscard]] QJsonObject dump() const override;
    [[nodiscard]] bool settled() const override;
    [[nodiscard]] std::vector<PaletteEntry> paletteEntries() override;
    [[nodiscard]] QJsonObject saveState() const override;
    void restoreState(const QJsonObject& state) override;

protected:
    void showEvent(QShowEvent* event) override;

private:
    void buildBar(QWidget* bar);
    void buildPanels();
    [[nodiscard]] PlotPanel* makePanel(const QString& name, const QString& title, QWidget* parent);
    void followRuns();       ///< the list of runs changed: groups, choices, default sides
    void followSelection();  ///< the sides changed
    void chooseSides(const QStringList& baseline, const QStringList& candidate, const QString& what);
    void swap();
    void ask();
    void showAnswer(std::shared_ptr<const CompareAnswer> answer);
    void showNothing(const QString& headline, const QString& words);
    void showFailure(const Error& error);
    [[nodiscard]] const RunChoice* side(const QStringList& runs) const;
    void setQueries();

    const WorkspaceContext* context_;
    std::shared_ptr<ReaderCache> cache_;
    std::vector<RunChoice> groups_;
    QComboBox *baseline_, *candidate_;
    QPushButton* swap_;
    QLabel* comparable_;
    QSplitter *columns_, *left_, *middle_;
    PlotPanel *curves_, *reach_, *match_, *speed_, *cost_, *configuration_, *categories_;
    VerdictPanel* verdict_;
    SegmentedControl* axis_;
    QComboBox* router_;
    std::vector<PlotPanel*> panels_;
    std::shared_ptr<const CompareAnswer> answer_;
    std::vector<QMetaObject::Connection> followed_;
    QTimer rerun_;
    bool asking_ = false;
    bool listed_ = false;    ///< groups_ come from a finished listing
    bool outdated_ = false;  ///< there is something to ask once the workspace is seen
};

}  // namespace es::views
