// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/model/routing_rules.h"

namespace es::engine {
namespace {

/// Tokens of a batch shared out among experts that have a number of places each, for the largest sum of scores. Tokens come one after the
/// other: each goes along the best chain of moves (it takes a place, whose token moves on to another expert, and so on to a free place), found
/// among the experts by Bellman and Ford. So the plan is the best one for the tokens so far (successive shortest paths), and the work grows
/// with the tokens of an expert, not with the cube of all tokens. T tokens, E experts.
class Sharing {
public:
    Sharing(const double* scores, std::int64_t tokens, std::int64_t experts, std::int64_t places)
        : scores_(scores), experts_(static_cast<std::size_t>(experts)), places_(static_cast<std::size_t>(places)), members_(experts_),
          moves_(experts_ * experts_), expert_of_(static_cast<std::size_t>(tokens), experts_) {
        double largest = 0;
        for (std::int64_t i = 0; i < tokens * experts; ++i) largest = std::max(largest, std::abs(scores[i]));
        least_gain_ = largest * 1e-12;
    }

    void place(std::size_t token) {
        std::vector<double> value(experts_);
        std::vector<std::size_t> from(experts_, experts_);  // experts_: the token itself
        for (std::size_t e = 0; e < experts_; ++e) value[e] = score(token, e);
        for (std::size_t round = 1, changed = 1; round < experts_ && changed; ++round) {
            changed = 0;
            for (std::size_t e = 0; e < experts_; ++e)
                for (std::size_t f = 0; f < experts_; ++f)
                    // Rounding must not make a gain of a circle.
                    if (value[e] + moves_[e * experts_ + f].gain > value[f] + least_gain_) {
                        value[f] = value[e] + moves_[e * experts_ + f].gain;
                        from[f] = e;
                        changed = 1;
                    }
        }
        std::size_t end = experts_;
        for (std::size_t e = 0; e < experts_; ++e)
            if (members_[e].size() < places_ && (end == experts_ || value[e] > value[end])) end = e;
        std::vector<std::size_t> touched{end};
        std::size_t to = end;
        for (; from[to] != experts_; to = from[to]) {
            const std::size_t mover = moves_[from[to] * experts_ + to].token;
            std::erase(members_[from[to]], mover);
            join(mover, to);
            touched.push_back(from[to]);
        }
        join(token, to);
        for (const std::size_t e : touched) findMoves(e);
    }

    [[nodiscard]] std::size_t expertOf(std::size_t token) const { return expert_of_[token]; }

private:
    struct Move {
        double gain = -std::numeric_limits<double>::infinity();
        std::size_t token = 0;
    };
    [[nodiscard]] double score(std::size_t token, std::size_t expert) const { return scores_[token * experts_ + expert]; }
    void join(std::size_t token, std::size_t expert) {
        members_[expert].push_back(token);
        expert_of_[token] = expert;
    }
    /// The best token to send from `e` to each other expert.
    void findMoves(std::size_t e) {
        for (std::size_t f = 0; f < experts_; ++f) {
            Move& best = moves_[e * experts_ + f];
            best = {};
            if (f == e) continue;
            for (const std::size_t token : members_[e])
                if (const double gain = score(token, f) - score(token, e); gain > best.gain) best = {gain, token};
        }
    }

    const double* scores_;
    std::size_t experts_, places_;
    std::vector<std::vector<std::size_t>> members_;
    std::vector<Move> moves_;  ///< E x E, from x to
    std::vector<std::size_t> expert_of_;
    double least_gain_ = 0;
};

}  // namespace

at::Tensor assignmentWithin(const at::Tensor& scores_TE, std::int64_t places) {
    TORCH_CHECK(scores_TE.dim() == 2 && scores_TE.size(1) >= 1, "scores have shape ", scores_TE.sizes());
    const std::int64_t tokens = scores_TE.size(0), experts = scores_TE.size(1);
    TORCH_CHECK(places * experts >= tokens, experts, " experts of ", places, " places have no room for ", tokens, " tokens");
    at::Tensor scores = scores_TE.detach().to(at::kCPU, at::kDouble).contiguous();
    if (!scores.isfinite().all().item<bool>()) scores = scores.nan_to_num(0, 0, 0);  // the loss says that something is wrong
    Sharing sharing(scores.const_data_ptr<double>(), tokens, experts, places);
    for (std::int64_t t = 0; t < tokens; ++t) sharing.place(static_cast<std::size_t>(t));
    at::Tensor expert_T = at::empty({tokens}, at::kLong);
    for (std::int64_t t = 0; t < tokens; ++t)
        expert_T.mutable_data_ptr<std::int64_t>()[t] = static_cast<std::int64_t>(sharing.expertOf(static_cast<std::size_t>(t)));
    return expert_T;
}

at::Tensor balancedAssignment(const at::Tensor& scores_TE) {
    TORCH_CHECK(scores_TE.dim() == 2 && scores_TE.size(1) >= 1, "scores have shape ", scores_TE.sizes());
    TORCH_CHECK(scores_TE.size(0) % scores_TE.size(1) == 0, scores_TE.size(0), " tokens are not divisible among ", scores_TE.size(1), " experts");
    return assignmentWithin(scores_TE, scores_TE.size(0) / scores_TE.size(1));
}

}  // namespace es::engine
