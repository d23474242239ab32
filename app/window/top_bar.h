// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

class QButtonGroup;
class QHBoxLayout;
class QLabel;
class QPushButton;
class QToolButton;

namespace es::views {
class Theme;
}

namespace es::app {

/// Name, workspaces, what is selected, search, menu.
class TopBar : public QWidget {
    Q_OBJECT
public:
    TopBar(views::Theme* theme, QWidget* parent = nullptr);
    void addWorkspace(const QString& id, const QString& title, const QString& shortcut);
    void setWorkspace(const QString& id);
    /// Chips beside the tabs: text with a coloured dot. Empty: none.
    struct Chip {
        QString text;
        QColor color;
        QString tip;
    };
    void setChips(const std::vector<Chip>& chips);
    [[nodiscard]] QToolButton* menuButton() const { return menu_; }

Q_SIGNALS:
    void workspaceChosen(const QString& id);
    void searchRequested();

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    void restyle();
    views::Theme* theme_;
    QLabel* name_;
    QHBoxLayout* tabs_;
    QHBoxLayout* chips_;
    QButtonGroup* group_;
    QPushButton* search_;
    QLabel* searchKeys_;
    QToolButton* menu_;
};

}  // namespace es::app
