// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/screenshot.h"

#include <QCoreApplication>
#include <QJsonDocument>
#include <QPixmap>
#include <QSaveFile>
#include <QTimer>

#include "app/window/few_colors.h"
#include "app/window/main_window.h"
#include "engine/base/logging.h"

namespace es::app {
namespace {

constexpr int kLookEveryMs = 40;
constexpr int kCalmLooks = 5;  // settled this many times in a row: queued replots and animations are through

}  // namespace

Screenshot::Screenshot(MainWindow* window, QString picture, QString dump, bool few_colors, int patience_s, QObject* parent)
    : QObject(parent), window_(window), picture_(std::move(picture)), dump_(std::move(dump)), few_colors_(few_colors), patience_s_(patience_s) {}

bool Screenshot::save() const {
    const QImage shown = window_->grab().toImage();
    return few_colors_ ? withFewColors(shown).save(picture_, "PNG", 0) : shown.save(picture_, "PNG");  // quality 0: the strongest compression
}

void Screenshot::start() {
    auto* timer = new QTimer(this);
    timer->setInterval(kLookEveryMs);
    connect(timer, &QTimer::timeout, this, &Screenshot::look);
    timer->start();
}

void Screenshot::look() {
    calm_ = window_->settled() ? calm_ + 1 : 0;
    if (++waited_ > patience_s_ * 1000 / kLookEveryMs) {
        spdlog::error("The window was still loading after {} s; nothing was saved. Give it more time with --patience SECONDS", patience_s_);
        finish(1);
        return;
    }
    if (calm_ < kCalmLooks) return;
    if (!picture_.isEmpty() && !save()) {
        spdlog::error("Cannot write the picture {}", picture_.toStdString());
        finish(1);
        return;
    }
    if (!dump_.isEmpty()) {
        QSaveFile out(dump_);
        if (!out.open(QIODevice::WriteOnly) || out.write(QJsonDocument(window_->dump()).toJson()) < 0 || !out.commit()) {
            spdlog::error("Cannot write {}: {}", dump_.toStdString(), out.errorString().toStdString());
            finish(1);
            return;
        }
    }
    finish(0);
}

void Screenshot::finish(int code) {
    sender()->deleteLater();
    QCoreApplication::exit(code);
}

}  // namespace es::app
