// SPDX-License-Identifier: GPL-3.0-or-later
// The Inspect workspace: samples at the left, beside them one of several pages. The first page is one sample: routing overlay, patch or word,
// checkpoints.
#pragma once

#include <QLabel>
#include <QSplitter>
#include <QStackedWidget>

#include "views/inspect/inspect_model.h"
#include "views/inspect/inspect_part.h"
#include "views/inspect/routing_panel.h"
#include "views/inspect/sample_panel.h"
#include "views/inspect/scrubber_panel.h"
#include "views/inspect/token_panel.h"
#include "views/models/workspace_context.h"
#include "views/widgets/elided_label.h"
#include "views/widgets/segmented_control.h"

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
    /// Pages: "sample" and those added. False when there is no such page.
    bool showPage(const QString& key) override;
    [[nodiscard]] QString page() const { return tabs_->value(); }
    /// Adds a page beside the samples; the workspace owns it. `key` is what a session keeps and `--page` takes. An InspectPart is asked along
    /// for its state; "Send to Figures" of panels inside is joined.
    void addPage(const QString& key, const QString& title, QWidget* page);
    enum class Section { kBelowToken, kBelowMap };
    /// Adds a part of the page "sample": below the selected token in the right column, or below the map of experts and layers.
    void addSection(Section place, const QString& key, QWidget* section);
    [[nodiscard]] InspectModel* model() const { return model_; }

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    void paste();
    void join(const QString& key, QWidget* part);
    void showSelection();
    InspectModel* model_;
    SamplePanel* samples_;
    RoutingPanel* routing_;
    TokenPanel* token_;
    ScrubberPanel* scrubber_;
    QSplitter *columns_, *rows_, *upper_;
    SegmentedControl* tabs_;
    ElidedLabel* chosen_;
    QStackedWidget* pages_;
    QStringList page_keys_, page_titles_;
    std::vector<std::pair<QString, InspectPart*>> parts_;
};

}  // namespace es::views
