// SPDX-License-Identifier: GPL-3.0-or-later
// A page or a section of Inspect that the workspace asks along: is it loading, what does it show, what should be kept.
#pragma once

#include <QJsonArray>
#include <QJsonObject>
#include <QWidget>
#include <vector>

#include "views/models/workspace_context.h"

namespace es::views {

/// Follows the InspectModel by itself. While it is hidden it need not be right: it catches up when shown. GUI thread only.
class InspectPart : public QWidget {
    Q_OBJECT
public:
    using QWidget::QWidget;
    /// Nothing is loading here, as far as it is on screen.
    [[nodiscard]] virtual bool settled() const { return true; }
    /// Its panels as dumpPanel() gives them.
    [[nodiscard]] virtual QJsonArray dump() const { return {}; }
    [[nodiscard]] virtual std::vector<PaletteEntry> paletteEntries() { return {}; }
    [[nodiscard]] virtual QJsonObject saveState() const { return {}; }
    virtual void restoreState(const QJsonObject&) {}
};

}  // namespace es::views
