// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/first_paint.h"

#include <unistd.h>
#include <QEvent>
#include <QFile>
#include <QTimer>
#include <QWidget>
#include <ctime>

namespace es::app {
namespace {

qint64 monotonicNs() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

double residentMb() {
    QFile file(QStringLiteral("/proc/self/statm"));
    if (!file.open(QIODevice::ReadOnly)) return 0;
    const QList<QByteArray> fields = file.readAll().split(' ');
    return fields.size() > 1 ? fields[1].toDouble() * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6 : 0;
}

bool engineMapped() {
    QFile file(QStringLiteral("/proc/self/maps"));
    if (!file.open(QIODevice::ReadOnly)) return false;
    const QByteArray maps = file.readAll();
    return maps.contains("libtorch") || maps.contains("libes_engine");
}

}  // namespace

FirstPaint::FirstPaint(QWidget* window) : QObject(window), window_(window) { window->installEventFilter(this); }

bool FirstPaint::eventFilter(QObject* watched, QEvent* event) {
    if (watched == window_ && event->type() == QEvent::UpdateRequest && report_.monotonic_ns == 0) {
        // The children paint within this event: look once it is through.
        QTimer::singleShot(0, this, &FirstPaint::take);
        window_->removeEventFilter(this);
    }
    return false;
}

void FirstPaint::take() { report_ = {monotonicNs(), residentMb(), engineMapped()}; }

}  // namespace es::app
