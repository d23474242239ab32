// SPDX-License-Identifier: GPL-3.0-or-later
// Routing of the sample over training: the scrubber with its buttons.
#pragma once

#include <QJsonObject>
#include <QTimer>

#include "views/inspect/inspect_model.h"
#include "views/inspect/scrubber_view.h"
#include "views/widgets/panel_frame.h"

namespace es::views {

/// GUI thread only.
class ScrubberPanel : public PanelFrame {
    Q_OBJECT
public:
    explicit ScrubberPanel(InspectModel* model, QWidget* parent = nullptr);
    [[nodiscard]] ScrubberView* view() const { return view_; }
    [[nodiscard]] QJsonObject dumpData() const;

private:
    void refresh();
    void goBy(int steps);
    void play(bool on);
    void newGesture();
    InspectModel* model_;
    ScrubberView* view_;
    QLabel* step_;
    IconButton *back_, *forward_, *play_;
    QTimer timer_;
    static constexpr int kFirstGesture = 4100;
    int gesture_ = kFirstGesture;  ///< merge id: a drag or a play is one step to undo
};

}  // namespace es::views
