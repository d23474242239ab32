// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/interventions/similarity_job.h"

#include "engine/store/annotations.h"

namespace es::views {

QString SimilarityJob::unavailable() const {
    if (running_) return tr("It is running");
    if (model_->runPart() != InspectModel::Part::kReady) return tr("Open a run first");
    if (model_->contents().routers.empty()) return tr("This run is dense: it has no experts");
    if (!checkpointFor(model_->contents().checkpoints, model_->shown().step)) return tr("This run has no checkpoint");
    return model_->context().expertSimilarity ? QString() : tr("This program was started without an engine");
}

void SimilarityJob::run() {
    if (!unavailable().isEmpty()) return;
    session::SimilarityRequest request;
    request.run = std::filesystem::path(model_->shown().run.toStdString());
    request.checkpoint = *checkpointFor(model_->contents().checkpoints, model_->shown().step);
    running_ = true;
    error_.reset();
    model_->context().jobs->run<bool>(
        this, QStringLiteral("similarity"), tr("Comparing experts"),
        [request, compare = model_->context().expertSimilarity](JobContext& context) -> Result<bool> {
            const auto similar = compare(request, context);
            if (!similar) return tl::unexpected(similar.error());
            return store::Annotations(request.run).keepSimilarities(*similar).map([] { return true; });
        },
        [this](Result<bool> done) {
            running_ = false;
            if (done) Q_EMIT model_->similaritiesChanged();
            else if (done.error().kind != ErrorKind::kStopped) error_ = done.error();
            Q_EMIT changed();
        });
    Q_EMIT changed();
}

}  // namespace es::views
