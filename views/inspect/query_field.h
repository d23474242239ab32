// SPDX-License-Identifier: GPL-3.0-or-later
// The line that samples are searched with: caption words or a query, completed while it is typed, with help and saved sets at hand.
#pragma once

#include <QCompleter>
#include <QLabel>
#include <QStandardItemModel>

#include "views/inspect/sample_search.h"
#include "views/widgets/controls.h"
#include "views/widgets/search_field.h"

namespace es::views {

/// GUI thread only. The search must outlive it.
class QueryField : public QWidget {
    Q_OBJECT
public:
    QueryField(Theme* theme, SampleSearch* search, InspectModel* model, QWidget* parent = nullptr);
    [[nodiscard]] SearchField* line() const { return line_; }
    [[nodiscard]] QString text() const { return line_->text(); }
    void setText(const QString& text);
    /// Saved sets, saving and removing, what pages look at, help. Filled anew each time.
    [[nodiscard]] QMenu* menu();
    void showHelp();

private:
    void complete(const QString& text);
    void showAnswer();
    void saveSet();
    Theme* theme_;
    SampleSearch* search_;
    InspectModel* model_;
    SearchField* line_;
    IconButton* more_;
    QLabel* answer_;
    QCompleter* completer_;
    QStandardItemModel* candidates_;
    QMenu* menu_ = nullptr;
};

}  // namespace es::views
