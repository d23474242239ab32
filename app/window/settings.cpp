// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/settings.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonDocument>
#include <QSaveFile>
#include <QStandardPaths>

namespace es::app {

Settings::Settings(QString file, bool read_only) : file_(std::move(file)), read_only_(read_only) {
    if (file_.isEmpty()) file_ = QStandardPaths::writableLocation(QStandardPaths::GenericConfigLocation) + QStringLiteral("/expertscope/window.json");
    QFile in(file_);
    if (!in.open(QIODevice::ReadOnly)) return;
    const QJsonDocument document = QJsonDocument::fromJson(in.readAll());
    if (document.isObject()) {
        root_ = document.object();
        return;
    }
    in.close();
    problem_ = QStringLiteral("The remembered layout is damaged: %1").arg(file_);
    if (read_only_) return;
    QFile::remove(file_ + QStringLiteral(".damaged"));
    QFile::rename(file_, file_ + QStringLiteral(".damaged"));
    problem_ = QStringLiteral("The remembered layout was damaged and is set aside as %1.damaged").arg(file_);
}

bool Settings::save() {
    if (read_only_) return true;
    QDir().mkpath(QFileInfo(file_).absolutePath());
    QSaveFile out(file_);
    const bool written = out.open(QIODevice::WriteOnly) && out.write(QJsonDocument(root_).toJson()) >= 0 && out.commit();
    if (!written) problem_ = QStringLiteral("The layout cannot be remembered: %1 (%2)").arg(out.errorString(), file_);
    return written;
}

}  // namespace es::app
