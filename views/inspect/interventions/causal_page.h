// SPDX-License-Identifier: GPL-3.0-or-later
// Every expert banned alone, as a job that can be stopped and goes on later: what each is needed for, and whether the most specialised one
// matters more than the others.
#pragma once

#include <QPushButton>
#include <memory>

#include "views/inspect/inspect_part.h"
#include "views/inspect/interventions/intervention_model.h"
#include "views/inspect/interventions/similarity_job.h"
#include "views/plots/plot_panel.h"
#include "views/widgets/segmented_control.h"

namespace es::views {

/// GUI thread only.
class CausalPage : public InspectPart {
    Q_OBJECT
public:
    explicit CausalPage(InspectModel* model, QWidget* parent = nullptr);
    [[nodiscard]] bool settled() const override { return !running_ && !reading_ && !similarity_->running(); }
    [[nodiscard]] QJsonArray dump() const override { return {table_->dump(), comparison_->dump()}; }
    [[nodiscard]] std::vector<PaletteEntry> paletteEntries() override;
    /// The batch goes on while other runs and steps are looked at, and its results stand where they belong.
    void run();
    void cancel();

protected:
    void showEvent(QShowEvent* event) override;

private:
    /// What is on screen, made in a job.
    struct Found {
        std::int64_t done = 0, all = 0;
        std::shared_ptr<const analysis::Panel> table, comparison;
    };
    /// What results are of.
    struct Of {
        QString run;
        std::int64_t checkpoint = -1;
        session::InterventionKind kind = session::InterventionKind::kBan;
        bool operator==(const Of&) const = default;
    };
    [[nodiscard]] Of ofNow() const;
    [[nodiscard]] static session::CausalRequest requestOf(const Of& of);
    [[nodiscard]] static Result<Found> read(const store::RunReader& run, const session::CausalRequest& request, const JobContext& context);
    [[nodiscard]] QString unavailable() const;
    void follow();
    void load();
    void take(Result<Found> found);
    void refresh();
    InspectModel* model_;
    QObject* runner_;  ///< owns the batch
    SegmentedControl* kind_;
    QPushButton *run_, *cancel_, *compare_;
    SimilarityJob* similarity_;
    QLabel* progress_text_;
    PlotPanel *table_, *comparison_;
    QTimer poll_;
    std::shared_ptr<SharedProgress> progress_;
    Found found_;
    std::optional<Error> error_;
    Of of_, batch_of_;  ///< what found_ is of, and the batch
    bool running_ = false, reading_ = false;
};

}  // namespace es::views
