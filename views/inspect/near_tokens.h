// SPDX-License-Identifier: GPL-3.0-or-later
// Patches or words of the probe that a router treats most like the selected one.
#pragma once

#include <QAbstractButton>
#include <QImage>
#include <QLabel>
#include <QWidget>
#include <memory>

#include "analysis/figures/nearest_tokens.h"
#include "views/inspect/inspect_model.h"
#include "views/models/latest_job.h"
#include "views/widgets/reused_widgets.h"

namespace es::views {

/// A heading and the tokens, nearest first; a click or Space shows one in its sample. Looks in a job. GUI thread only.
class NearTokens : public QWidget {
    Q_OBJECT
public:
    explicit NearTokens(InspectModel* model, QWidget* parent = nullptr);
    /// Of the selected token as read in one router. Asks only when it is another question than before.
    void setReading(const analysis::TokenReading& reading);
    [[nodiscard]] const std::vector<analysis::NearToken>& tokens() const { return tokens_; }

private:
    struct Found {
        analysis::NearestTokens near;
        std::vector<QImage> crops;  ///< one a token, null for words
        std::vector<QString> names, captions;
    };
    using Question = std::tuple<QString, std::int32_t, std::uint64_t, Modality, TokenIndex, std::int64_t, std::size_t, std::vector<float>, std::uint64_t>;
    void show(Result<Found> found);
    void clear();
    [[nodiscard]] QAbstractButton* makeButton(std::size_t place);
    InspectModel* model_;
    QLabel *heading_, *note_;
    QWidget* row_;
    std::unique_ptr<ReusedWidgets<QAbstractButton>> buttons_;  ///< one for each of tokens_: chips of words, crops of patches
    bool makes_chips_ = false;
    std::vector<analysis::NearToken> tokens_;
    RouterId router_;
    std::optional<Question> asked_;
    LatestJob<Found> job_;
};

}  // namespace es::views
