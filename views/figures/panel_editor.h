// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCheckBox>
#include <QComboBox>
#include <QFormLayout>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>

#include "views/models/workspace_context.h"
#include "views/widgets/panel_frame.h"

namespace es::views {

/// The query behind one panel of the page: kind, title, runs, parameters; its place on the page. GUI thread only.
class PanelEditor : public PanelFrame {
    Q_OBJECT
public:
    PanelEditor(const WorkspaceContext& context, QWidget* parent = nullptr);
    /// Shows panel `index` of `panels`; index -1: none chosen.
    void setQuery(int index, int panels, const analysis::PanelQuery& query);
    void refreshRuns();

Q_SIGNALS:
    void edited(const es::analysis::PanelQuery& query, const QString& what, int merge_id);
    void moveRequested(int by);  ///< -1 earlier, 1 later
    void removeRequested();

private:
    void fill();
    void fillParameters();
    void fillRuns();
    [[nodiscard]] QStringList knownRuns() const;
    void editParameter(const std::string& name, const QString& value);
    /// What a parameter may be; empty: anything.
    [[nodiscard]] QStringList choicesOf(const std::string& parameter) const;
    [[nodiscard]] const analysis::PanelKind* kind() const;

    const WorkspaceContext* context_;
    analysis::PanelQuery query_;
    int index_ = -1, panels_ = 0;
    bool filling_ = false;
    QStringList known_;  ///< runs of the hub that the list was filled with
    QComboBox* kind_;
    QLabel* help_;
    QLineEdit* title_;
    QListWidget* runs_;
    QFormLayout* parameters_;
    QWidget* parameter_box_;
    IconButton *earlier_, *later_, *remove_;
};

}  // namespace es::views
