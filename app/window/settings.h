// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QJsonObject>
#include <QString>

namespace es::app {

/// What the window remembers between starts, as one JSON file. A home that cannot be written is no error: the window then starts fresh
/// each time, and says so once.
class Settings {
public:
    /// Reads the file; a damaged one is set aside (renamed *.damaged; left as it is when `read_only`) and the defaults are used. `file` empty: the
    /// user's own.
    explicit Settings(QString file = {}, bool read_only = false);
    [[nodiscard]] QJsonObject section(const QString& name) const { return root_.value(name).toObject(); }
    void setSection(const QString& name, const QJsonObject& value) { root_.insert(name, value); }
    /// False when it could not be written; problem() says why. Does nothing when read-only.
    bool save();
    [[nodiscard]] const QString& problem() const { return problem_; }
    [[nodiscard]] const QString& file() const { return file_; }

private:
    QString file_, problem_;
    bool read_only_;
    QJsonObject root_;
};

}  // namespace es::app
