// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/dependence.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "analysis/stats/entropy.h"

namespace es::analysis {

MutualInformation mutualInformation(std::span<const double> joint_LE, std::int32_t labels, std::int32_t experts) {
    MutualInformation result;
    const auto rows = static_cast<std::size_t>(labels), columns = static_cast<std::size_t>(experts);
    std::vector<double> row_sum(rows, 0), column_sum(columns, 0);
    double total = 0;
    for (std::size_t l = 0; l < rows; ++l)
        for (std::size_t e = 0; e < columns; ++e) {
            const double n = joint_LE[l * columns + e];
            row_sum[l] += n;
            column_sum[e] += n;
            total += n;
        }
    result.tokens = std::llround(total);
    for (const double n : row_sum) result.labels += n > 0;
    for (const double n : column_sum) result.experts += n > 0;
    if (!(total > 0)) return result;
    double information = 0;
    for (std::size_t l = 0; l < rows; ++l)
        for (std::size_t e = 0; e < columns; ++e)
            if (const double n = joint_LE[l * columns + e]; n > 0) information += n / total * std::log(n * total / (row_sum[l] * column_sum[e]));
    result.mi_nats = std::max(information, 0.0);
    result.h_label_nats = entropyNats(std::span<const double>(row_sum));
    result.h_expert_nats = entropyNats(std::span<const double>(column_sum));
    const double smaller = std::min(result.h_label_nats, result.h_expert_nats);
    result.nmi = smaller > 0 ? std::min(result.mi_nats / smaller, 1.0) : 0;
    return result;
}

namespace {

/// `expertOf(t)` is a token's expert, -1 none; `most_expert` at least the largest.
template <class ExpertOf>
MutualInformation countedInformation(std::span<const std::int32_t> label_T, std::size_t n, std::int32_t most_expert, ExpertOf&& expertOf) {
    std::int32_t most_label = -1;
    for (std::size_t t = 0; t < n; ++t) most_label = std::max(most_label, label_T[t]);
    if (most_label < 0 || most_expert < 0) return {};
    // Labels may be hashes or vocabulary ids far apart: then they are numbered in order of appearance.
    constexpr std::int64_t kDirect = 1 << 22;
    const std::size_t columns = static_cast<std::size_t>(most_expert) + 1;
    std::size_t rows = static_cast<std::size_t>(most_label) + 1;
    std::vector<std::int32_t> numbered;
    if (static_cast<std::int64_t>(rows * columns) > kDirect) {
        std::unordered_map<std::int32_t, std::int32_t> number;
        numbered.resize(n);
        for (std::size_t t = 0; t < n; ++t)
            numbered[t] = label_T[t] < 0 ? -1 : number.emplace(label_T[t], static_cast<std::int32_t>(number.size())).first->second;
        label_T = numbered;
        rows = std::max<std::size_t>(number.size(), 1);
    }
    // Row and column 0 of the table take the tokens that are left out, so that the loop has no branch.
    const std::size_t stride = columns + 1, cells = (rows + 1) * stride;
    // Small tables twice, in turn: the patches of a picture share their label and often their expert, and one table would wait for its own last store.
    constexpr std::size_t kSmall = 1 << 12;
    const std::size_t other = cells <= kSmall ? cells : 0;
    std::vector<std::uint32_t> counts(cells + other, 0);
    const auto cell = [&](std::size_t t) {
        return static_cast<std::size_t>(std::max(label_T[t], -1) + 1) * stride + static_cast<std::size_t>(std::max(expertOf(t), -1) + 1);
    };
    std::size_t t = 0;
    for (; t + 2 <= n; t += 2) {
        ++counts[cell(t)];
        ++counts[other + cell(t + 1)];
    }
    if (t < n) ++counts[cell(t)];
    std::vector<double> joint(rows * columns);
    for (std::size_t l = 0; l < rows; ++l)
        for (std::size_t e = 0; e < columns; ++e) {
            const std::size_t at = (l + 1) * stride + e + 1;
            joint[l * columns + e] = static_cast<double>(counts[at]) + (other > 0 ? static_cast<double>(counts[other + at]) : 0.0);
        }
    return mutualInformation(joint, static_cast<std::int32_t>(rows), static_cast<std::int32_t>(columns));
}

}  // namespace

MutualInformation mutualInformation(std::span<const std::int32_t> label_T, std::span<const std::int32_t> expert_T) {
    const std::size_t n = std::min(label_T.size(), expert_T.size());
    std::int32_t most_expert = -1;
    for (std::size_t t = 0; t < n; ++t) most_expert = std::max(most_expert, expert_T[t]);
    return countedInformation(label_T, n, most_expert, [expert_T](std::size_t t) { return expert_T[t]; });
}

MutualInformation mutualInformation(std::span<const std::int32_t> label_T, const store::RoutingView& view) {
    const store::RoutingTable& table = view.table();
    if (table.router.layout != store::RoutingLayout::kFixedK || table.router.k < 1) return mutualInformation(label_T, firstChoices(view));
    const auto k = static_cast<std::size_t>(table.router.k);
    const std::size_t n = std::min(label_T.size(), table.expert_ids.size() / k);
    const std::int32_t experts = table.router.experts;
    return countedInformation(label_T, n, experts - 1, [ids = table.expert_ids.data(), k, experts](std::size_t t) {
        const std::int32_t expert = ids[t * k];
        return expert < experts ? expert : -1;
    });
}

std::vector<double> labelByExpert(const store::RoutingView& view, std::span<const std::int32_t> label_T, std::int32_t labels, Weighing weighing) {
    const auto experts = static_cast<std::size_t>(view.experts());
    std::vector<double> joint(static_cast<std::size_t>(labels) * experts, 0);
    forEachWeighted(view, weighing, [&](std::int64_t token, std::int32_t expert, double weight) {
        const std::int32_t label = label_T[static_cast<std::size_t>(token)];
        if (label >= 0 && label < labels) joint[static_cast<std::size_t>(label) * experts + static_cast<std::size_t>(expert)] += weight;
    });
    return joint;
}

std::vector<double> npmi(std::span<const double> joint_LE, std::int32_t labels, std::int32_t experts) {
    const auto rows = static_cast<std::size_t>(labels), columns = static_cast<std::size_t>(experts);
    std::vector<double> row_sum(rows, 0), column_sum(columns, 0), result(rows * columns, -1);
    double total = 0;
    for (std::size_t l = 0; l < rows; ++l)
        for (std::size_t e = 0; e < columns; ++e) {
            row_sum[l] += joint_LE[l * columns + e];
            column_sum[e] += joint_LE[l * columns + e];
            total += joint_LE[l * columns + e];
        }
    for (std::size_t l = 0; l < rows; ++l)
        for (std::size_t e = 0; e < columns; ++e) {
            const double n = joint_LE[l * columns + e];
            if (!(n > 0)) continue;
            const double surprise = -std::log(n / total);
            result[l * columns + e] = surprise > 0 ? std::log(n * total / (row_sum[l] * column_sum[e])) / surprise : 1;
        }
    return result;
}

ModalitySplit modalitySplit(const store::RoutingView& view, std::span<const std::int32_t> modality_T, std::int32_t modalities, Weighing weighing) {
    ModalitySplit split;
    split.modalities = modalities;
    split.experts = view.experts();
    const auto rows = static_cast<std::size_t>(modalities), columns = static_cast<std::size_t>(split.experts);
    const std::vector<double> joint = labelByExpert(view, modality_T, modalities, weighing);
    std::vector<double> column_sum(columns, 0);
    split.base_M.assign(rows, 0);
    double total = 0;
    for (std::size_t m = 0; m < rows; ++m)
        for (std::size_t e = 0; e < columns; ++e) {
            split.base_M[m] += joint[m * columns + e];
            column_sum[e] += joint[m * columns + e];
            total += joint[m * columns + e];
        }
    split.p_expert_given_modality_ME.assign(rows * columns, 0);
    split.p_modality_given_expert_EM.assign(rows * columns, 0);
    for (std::size_t m = 0; m < rows; ++m)
        for (std::size_t e = 0; e < columns; ++e) {
            const double n = joint[m * columns + e];
            if (split.base_M[m] > 0) split.p_expert_given_modality_ME[m * columns + e] = n / split.base_M[m];
            if (column_sum[e] > 0) split.p_modality_given_expert_EM[e * rows + m] = n / column_sum[e];
        }
    for (double& n : split.base_M) n = total > 0 ? n / total : 0;
    return split;
}

ModalitySplit modalitySplit(const store::RoutingView& view, Weighing weighing) {
    std::vector<std::int32_t> modality;
    modality.reserve(view.table().modality_T.size());
    for (const Modality m : view.table().modality_T) modality.push_back(m == Modality::kUnknown ? -1 : static_cast<std::int32_t>(m));
    modality.resize(static_cast<std::size_t>(view.tokens()), -1);
    return modalitySplit(view, modality, 2, weighing);
}

double vocabularySpecialisation(const store::RoutingView& view, std::span<const std::int32_t> token_T, Weighing weighing) {
    const auto experts = static_cast<std::size_t>(view.experts());
    std::unordered_map<std::int32_t, std::size_t> number;
    std::vector<double> mass;
    forEachWeighted(view, weighing, [&](std::int64_t t, std::int32_t expert, double weight) {
        const std::int32_t id = token_T[static_cast<std::size_t>(t)];
        if (id < 0) return;
        const auto [found, fresh] = number.emplace(id, number.size());
        if (fresh) mass.resize(mass.size() + experts, 0);
        mass[found->second * experts + static_cast<std::size_t>(expert)] += weight;
    });
    double sum = 0;
    std::int64_t ids = 0;
    for (std::size_t at = 0; at < mass.size(); at += experts) {
        double total = 0, most = 0;
        for (std::size_t e = 0; e < experts; ++e) {
            total += mass[at + e];
            most = std::max(most, mass[at + e]);
        }
        if (!(total > 0)) continue;
        sum += most / total;
        ++ids;
    }
    return ids > 0 ? sum / static_cast<double>(ids) : std::numeric_limits<double>::quiet_NaN();
}

double repetitionRate(std::span<const std::int64_t> sequence_T, std::span<const std::int32_t> expert_T) {
    std::int64_t neighbours = 0, equal = 0;
    for (std::size_t t = 1; t < std::min(sequence_T.size(), expert_T.size()); ++t) {
        if (sequence_T[t] < 0 || sequence_T[t] != sequence_T[t - 1] || expert_T[t] < 0 || expert_T[t - 1] < 0) continue;
        ++neighbours;
        equal += expert_T[t] == expert_T[t - 1];
    }
    return neighbours > 0 ? static_cast<double>(equal) / static_cast<double>(neighbours) : 0;
}

}  // namespace es::analysis
