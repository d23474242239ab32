// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QLineEdit>
#include <QSpinBox>
#include <QVBoxLayout>

#include "views/export/figure_checks.h"
#include "views/models/workspace_context.h"
#include "views/widgets/panel_frame.h"

namespace es::views {

/// Page settings, checks, and what to write where. GUI thread only.
class PagePanel : public PanelFrame {
    Q_OBJECT
public:
    PagePanel(const WorkspaceContext& context, QWidget* parent = nullptr);
    /// Shows a figure's settings; `recipe_file` names the files in the list of what is written. Null: no figure.
    void setFigure(const analysis::FigureRecipe* recipe, const QString& recipe_file);
    void setChecks(const std::vector<page::FigureCheck>& checks);
    /// Why nothing can be exported now; empty: it can.
    void setExportDisabled(const QString& why);
    [[nodiscard]] std::vector<std::string> formats() const;
    [[nodiscard]] QString outFolder() const;
    [[nodiscard]] QString command() const;
    [[nodiscard]] QJsonObject saveState() const;
    void restoreState(const QJsonObject& state);

Q_SIGNALS:
    void pageEdited(const es::analysis::PageSettings& page, const QString& what, int merge_id);
    void exportRequested();
    void copyImageRequested();
    void copyCommandRequested();

private:
    void edit(const QString& what, int merge_id);
    void showCommand();
    const WorkspaceContext* context_;
    analysis::PageSettings page_;
    QString recipe_file_, stem_;
    QString chosen_folder_;  ///< by the user; empty: beside the recipe
    bool filling_ = false;
    QComboBox *preset_, *font_;
    QDoubleSpinBox *width_, *height_, *font_pt_;
    QSpinBox* columns_;
    QCheckBox* letters_;
    QVBoxLayout* checks_;
    std::vector<std::pair<std::string, QCheckBox*>> formats_;
    QLineEdit* folder_;
    QPushButton *export_, *copy_image_, *copy_command_;
    QLabel* command_;
};

}  // namespace es::views
