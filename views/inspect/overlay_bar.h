// SPDX-License-Identifier: GPL-3.0-or-later
// What the overlay shows: its mode, what it is compared with, and whether both are side by side.
#pragma once

#include <QPushButton>

#include "views/inspect/inspect_model.h"
#include "views/widgets/choice_box.h"
#include "views/widgets/flow_layout.h"
#include "views/widgets/segmented_control.h"

namespace es::views {

/// Wraps to its width. A mode that the records cannot show is disabled and says why. GUI thread only.
class OverlayBar : public QWidget {
    Q_OBJECT
public:
    explicit OverlayBar(InspectModel* model, QWidget* parent = nullptr);
    void refresh();

private:
    void choose(const QString& mode);
    void fillComparisons();
    InspectModel* model_;
    SegmentedControl *modes_, *compare_modes_;
    QPushButton* side_by_side_;
    QLabel* compared_name_;
    ChoiceBox* compared_;
};

/// "before", "step 100", "run /path": a comparison as a session keeps it, and back (the checkpoint before, where it cannot be read).
[[nodiscard]] QString toText(const OverlayComparison& comparison);
[[nodiscard]] OverlayComparison comparisonFromText(const QString& text);

}  // namespace es::views
