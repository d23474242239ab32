// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QHash>
#include <QWidget>
#include <vector>

#include "engine/config/config_io.h"
#include "views/theme/theme.h"

class QLabel;
class QScrollArea;
class QVBoxLayout;

namespace es::views {

/// A form for every option of a configuration, generated from config::describeOptions(). Shows one section at a time, or all that match a
/// search. Options that differ from where the form started are marked and can be put back. GUI thread only.
class OptionForm : public QWidget {
    Q_OBJECT
public:
    explicit OptionForm(Theme* theme, QWidget* parent = nullptr);
    void setConfig(const config::RunConfig& config);  ///< what the changes are counted from
    [[nodiscard]] const config::RunConfig& config() const { return config_; }
    [[nodiscard]] QStringList sections() const;
    void showSection(const QString& section);
    void search(const QString& needle);  ///< empty: back to the section
    /// Sets an option as the user would type it; true when it was taken.
    bool setValue(const QString& key, const QString& value);
    [[nodiscard]] QStringList changedKeys() const;
    [[nodiscard]] bool valid() const { return problems_.isEmpty(); }
    [[nodiscard]] QString firstProblem() const;  ///< key and words of the first bad entry; empty when all are good
    /// The editor of "section.key".
    [[nodiscard]] QWidget* editor(const QString& key) const;

Q_SIGNALS:
    void changed();

private:
    struct Row {
        QString section, key;  ///< key is "section.name"
        QString words;         ///< what a search looks through
        QWidget *widget = nullptr, *editor = nullptr, *reset = nullptr;
        QLabel *name = nullptr, *problem = nullptr;
        QString type;
    };
    void addRow(const config::OptionDescription& option);
    void take(Row& row, const QString& text);
    void showValue(Row& row);
    void mark(Row& row);
    void filter();
    Theme* theme_;
    config::RunConfig start_, config_;
    std::vector<Row> rows_;
    QHash<QString, QString> problems_;
    QVBoxLayout* column_;
    QScrollArea* scroll_;
    QString section_, needle_;
    bool filling_ = false;
};

}  // namespace es::views
