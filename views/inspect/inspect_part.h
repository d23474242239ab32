// SPDX-License-Identifier: GPL-3.0-or-later
// A page or a section of Inspect that the workspace asks along: is it loading, what does it show, what should be kept.
#pragma once

#include <QJsonArray>
#include <QJsonObject>
#include <QWidget>
#include <algorithm>
#include <utility>
#include <vector>

#include "views/models/workspace_context.h"
#include "views/widgets/panel_frame.h"

namespace es::views {

/// Follows the InspectModel by itself. While neither it nor one of its panels is to be seen it need not be right: it catches up when shown.
/// GUI thread only.
class InspectPart : public QWidget {
    Q_OBJECT
public:
    using QWidget::QWidget;
    /// Nothing is loading here, as far as it is to be seen.
    [[nodiscard]] virtual bool settled() const { return true; }
    /// Its panels as dumpPanel() gives them.
    [[nodiscard]] virtual QJsonArray dump() const { return {}; }
    [[nodiscard]] virtual std::vector<PaletteEntry> paletteEntries() { return {}; }
    [[nodiscard]] virtual QJsonObject saveState() const { return {}; }
    virtual void restoreState(const QJsonObject&) {}

protected:
    /// It is on screen, or one of its panels in a window of its own.
    [[nodiscard]] bool active() const {
        const auto panels = findChildren<PanelFrame*>();
        return isVisible() || std::any_of(panels.begin(), panels.end(), [](const PanelFrame* panel) { return panel->detached(); });
    }
    /// Calls `follow` whenever one of the panels that it has by now goes into a window of its own or comes back.
    template <class Follow>
    void followDetached(Follow follow) {
        for (PanelFrame* panel : findChildren<PanelFrame*>()) connect(panel, &PanelFrame::detachedChanged, this, follow);
    }
};

}  // namespace es::views
