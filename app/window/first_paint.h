// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

class QWidget;

namespace es::app {

/// Notes when a window was first painted, and what the process weighed then.
class FirstPaint : public QObject {
    Q_OBJECT
public:
    explicit FirstPaint(QWidget* window);
    struct Report {
        qint64 monotonic_ns = 0;     ///< CLOCK_MONOTONIC at the end of the first paint; 0: not painted yet
        double resident_mb = 0;      ///< resident memory of the process then
        bool engine_mapped = false;  ///< whether the engine's library or LibTorch was loaded by then
    };
    [[nodiscard]] const Report& report() const { return report_; }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void take();
    QWidget* window_;
    Report report_;
};

}  // namespace es::app
