// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/widgets/detached_panels.h"

#include <QGuiApplication>
#include <QJsonObject>
#include <QScreen>
#include <algorithm>

#include "views/widgets/panel_frame.h"

namespace es::views {

QJsonArray detachedPanels(const QWidget* workspace) {
    QJsonArray panels;
    for (const PanelFrame* frame : workspace->findChildren<PanelFrame*>()) {
        if (!frame->detached()) continue;
        const QRect at = frame->detachedWindow()->geometry();
        panels.append(QJsonObject{{QStringLiteral("panel"), frame->key()},
                                  {QStringLiteral("x"), at.x()},
                                  {QStringLiteral("y"), at.y()},
                                  {QStringLiteral("width"), at.width()},
                                  {QStringLiteral("height"), at.height()}});
    }
    return panels;
}

void restoreDetached(QWidget* workspace, const QJsonArray& panels) {
    const QList<PanelFrame*> frames = workspace->findChildren<PanelFrame*>();
    for (const auto& value : panels) {
        const QJsonObject panel = value.toObject();
        const auto found = std::find_if(frames.begin(), frames.end(),
                                        [&](const PanelFrame* frame) { return frame->key() == panel.value(QStringLiteral("panel")).toString(); });
        if (found == frames.end() || (*found)->detached()) continue;
        (*found)->detach();
        QRect at(panel.value(QStringLiteral("x")).toInt(), panel.value(QStringLiteral("y")).toInt(), panel.value(QStringLiteral("width")).toInt(),
                 panel.value(QStringLiteral("height")).toInt());
        if (at.width() < 100 || at.height() < 100) continue;
        const QScreen* screen = QGuiApplication::screenAt(at.center());
        if (!screen) at.moveCenter(QGuiApplication::primaryScreen()->availableGeometry().center());
        (*found)->detachedWindow()->setGeometry(at);
    }
}

}  // namespace es::views
