// SPDX-License-Identifier: GPL-3.0-or-later
// The Inspect workspace: samples, routing overlay, patch or word, checkpoints.
#pragma once

#include <QSplitter>

#include "views/inspect/inspect_model.h"
#include "views/inspect/routing_panel.h"
#include "views/inspect/sample_panel.h"
#include "views/inspect/scrubber_panel.h"
#include "views/inspect/token_panel.h"
#include "views/models/workspace_context.h"

namespace es::views {

/// GUI thread only. The context must outlive it.
class InspectWorkspace : public Workspace {
    Q_OBJECT
public:
    explicit InspectWorkspace(WorkspaceContext* context, QWidget* parent = nullptr);
    [[nodiscard]] QJsonObject dump() const override;
    [[nodiscard]] bool settled() const override;
    [[nodiscard]] std::vector<PaletteEntry> paletteEntries() override;
    [[nodiscard]] QJsonObject saveState() const override;
    void restoreState(const QJsonObject& state) override;
    bool takeDrop(const QStringList& files) override;
    [[nodiscard]] InspectModel* model() const { return model_; }

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    void paste();
    InspectModel* model_;
    SamplePanel* samples_;
    RoutingPanel* routing_;
    TokenPanel* token_;
    ScrubberPanel* scrubber_;
    QSplitter *columns_, *rows_, *upper_;
};

}  // namespace es::views
