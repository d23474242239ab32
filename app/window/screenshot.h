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
    Screenshot(MainWindow* window, QString picture, QString dump, QObject* parent = nullptr);
    void start();

private:
    void look();
    void finish(int code);
    MainWindow* window_;
    QString picture_, dump_;
    int calm_ = 0, waited_ = 0;
};

}  // namespace es::app
