// SPDX-License-Identifier: GPL-3.0-or-later
// One expert as the expert page and the small gallery show it: loaded in jobs, the gallery first, kept while the same expert is looked at.
#pragma once

#include <QObject>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>

#include "analysis/experts/expert_details.h"
#include "analysis/experts/expert_gallery.h"
#include "views/inspect/inspect_model.h"

namespace es::views {

/// What is read first: the expert's tokens and its gallery.
struct ExpertGalleryData {
    analysis::ExpertTokens tokens;
    analysis::ExpertGallery gallery;
    bool patches = false, words = false;  ///< what passes the router
};

/// Follows the InspectModel while somebody looks. GUI thread only.
class ExpertModel : public QObject {
    Q_OBJECT
public:
    enum class Part { kNone, kLoading, kReady, kFailed };

    explicit ExpertModel(InspectModel* model, QObject* parent = nullptr);
    [[nodiscard]] InspectModel* inspect() const { return model_; }

    /// The router at hand; null in a dense run.
    [[nodiscard]] const store::RouterInfo* router() const { return model_->currentRouter(); }
    /// The selected expert; without one the first choice of the selected token, else the one that takes most of the probe. Invalid in a dense run.
    [[nodiscard]] ExpertIndex expert() const { return expert_; }
    [[nodiscard]] bool isSelected() const { return model_->shown().expert.valid(); }
    /// Probed step that is looked at; empty: the run has no probe.
    [[nodiscard]] std::optional<std::int64_t> step() const { return step_; }

    [[nodiscard]] Part galleryPart() const { return gallery_part_; }
    [[nodiscard]] const Error& galleryError() const { return gallery_error_; }
    [[nodiscard]] const std::shared_ptr<const ExpertGalleryData>& gallery() const { return gallery_; }
    [[nodiscard]] Part detailsPart() const { return details_part_; }
    [[nodiscard]] const Error& detailsError() const { return details_error_; }
    [[nodiscard]] const analysis::ExpertDetails* details() const { return details_.get(); }
    /// Facts of the probe's samples; null until the first details are there.
    [[nodiscard]] const analysis::ProbeFacts* facts() const { return facts_.get(); }

    /// A sample of the run without its picture; null when the run does not hold it. Found at once, however many there are.
    [[nodiscard]] const store::SampleRecord* record(std::uint64_t sample) const;

    [[nodiscard]] const analysis::GalleryOptions& options() const { return options_; }
    void setOptions(const analysis::GalleryOptions& options);
    /// Whether its tokens are patches, words or both: what the gallery may show.
    [[nodiscard]] bool hasPatches() const { return has_patches_; }
    [[nodiscard]] bool hasWords() const { return has_words_; }
    /// The kind that the gallery shows: the wanted one where the router has both.
    [[nodiscard]] Modality shownKind() const {
        return has_words_ && (!has_patches_ || options_.modality == Modality::kText) ? Modality::kText : Modality::kVision;
    }

    /// A viewer that is on screen; while there is none, nothing is read.
    void setWatched(const QObject* viewer, bool watched);
    [[nodiscard]] bool settled() const { return pending_.isEmpty(); }

    // What the user does: each a named step to undo.
    void chooseItem(const analysis::GalleryItem& item);  ///< its sample and token; router and expert stay
    void chooseExpert(int expert);                       ///< of the router at hand
    void chooseExpertBy(int steps);                      ///< the next ones by number, around

Q_SIGNALS:
    void expertChanged();   ///< another expert, router, step or run
    void galleryChanged();  ///< its data or its state
    void detailsChanged();

private:
    using Target = std::tuple<QString, std::int32_t, std::int32_t, std::int64_t, std::uint32_t>;  ///< run, router, expert, step, attempts
    void follow();
    void indexSamples();
    void load();
    void loadGallery();
    void loadDetails();
    [[nodiscard]] ExpertIndex likelyExpert() const;
    template <class T>
    void job(const QString& slot, const QString& label, std::function<Result<T>(JobContext&)> work, std::function<void(Result<T>)> done);

    InspectModel* model_;
    ExpertIndex expert_;
    std::optional<std::int64_t> step_;
    std::optional<Target> target_, gallery_of_, details_of_;
    Part gallery_part_ = Part::kNone, details_part_ = Part::kNone;
    Error gallery_error_, details_error_;
    std::shared_ptr<const ExpertGalleryData> gallery_;
    std::shared_ptr<const analysis::ExpertDetails> details_;
    std::shared_ptr<const analysis::ProbeFacts> facts_;
    std::tuple<QString, std::uint32_t, std::size_t> facts_of_;  ///< run, attempts, samples
    analysis::GalleryOptions options_;
    bool has_patches_ = false, has_words_ = false;
    std::unordered_map<std::uint64_t, std::size_t> place_;  ///< of samples in the run's contents
    std::set<const QObject*> watchers_;
    QSet<QString> pending_;
};

}  // namespace es::views
