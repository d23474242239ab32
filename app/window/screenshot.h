// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>

namespace es::app {

class MainWindow;

/// Waits until a window shows its final picture, saves it and the data behind it, then ends the event loop with an exit code.
class Screenshot : public QObject {
    Q_OBJECT
public:
    /// `few_colors`: at most 256, for a smaller file. Gives up after `patience_s` seconds.
    Screenshot(MainWindow* window, QString picture, QString dump, bool few_colors, int patience_s, QObject* parent = nullptr);
    void start();

private:
    void look();
    [[nodiscard]] bool save() const;
    void finish(int code);
    MainWindow* window_;
    QString picture_, dump_;
    bool few_colors_;
    int patience_s_;
    int calm_ = 0, waited_ = 0;
};

}  // namespace es::app
