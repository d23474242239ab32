// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>

#include "views/models/workspace_context.h"
#include "views/train/option_form.h"

class QLabel;
class QLineEdit;
class QPushButton;

namespace es::views {

class ChoiceBox;
class SegmentedControl;

/// Chooses a configuration (an example that comes with the program, or a file), lets every option be changed, and says where the run will be.
class NewRunDialog : public QDialog {
    Q_OBJECT
public:
    explicit NewRunDialog(const WorkspaceContext& context, QWidget* parent = nullptr);
    [[nodiscard]] session::TrainRequest request() const;
    [[nodiscard]] OptionForm* form() const { return form_; }
    /// Why it cannot start; empty when it can.
    [[nodiscard]] QString problem() const;
    /// Takes a configuration from TOML text; `path` is named in errors.
    void take(const std::string& toml, const std::string& path);

private:
    void loadExample(const QString& resource);
    void openFile();
    void suggestFolder();
    void refresh();
    const WorkspaceContext* context_;
    ChoiceBox* source_;
    OptionForm* form_;
    SegmentedControl* sections_;
    QLineEdit* folder_;
    QLabel *words_, *file_;
    QPushButton* start_;
    QString load_problem_, suggested_;
};

}  // namespace es::views
