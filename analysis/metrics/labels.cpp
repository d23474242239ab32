// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/labels.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_set>

namespace es::analysis {

std::vector<std::uint8_t> blankPatches(const store::SampleRecord& sample) {
    constexpr double kTransparent = 0.02, kFlat = 2.0 / 255;
    const store::Picture& picture = sample.picture;
    const std::int64_t width = picture.width, height = picture.height;
    if (picture.empty() || sample.grid_width <= 0 || sample.grid_height <= 0 || width <= 0 || height <= 0 ||
        picture.rgba.size() < static_cast<std::size_t>(width * height * 4))
        return {};
    std::vector<std::uint8_t> blank;
    for (std::int64_t row = 0; row < sample.grid_height; ++row)
        for (std::int64_t column = 0; column < sample.grid_width; ++column) {
            const std::int64_t top = row * height / sample.grid_height, bottom = (row + 1) * height / sample.grid_height;
            const std::int64_t left = column * width / sample.grid_width, right = (column + 1) * width / sample.grid_width;
            double alpha = 0, sum[3] = {}, squares[3] = {};
            double pixels = 0;
            for (std::int64_t y = top; y < bottom; ++y)
                for (std::int64_t x = left; x < right; ++x) {
                    const std::uint8_t* pixel = picture.rgba.data() + (y * width + x) * 4;
                    const double opacity = pixel[3] / 255.0;
                    alpha += opacity;
                    for (std::size_t c = 0; c < 3; ++c) {
                        const double value = pixel[c] / 255.0 * opacity + (1 - opacity);
                        sum[c] += value;
                        squares[c] += value * value;
                    }
                    ++pixels;
                }
            double deviation = 0;
            for (std::size_t c = 0; c < 3 && pixels > 0; ++c) {
                const double mean = sum[c] / pixels;
                deviation = std::max(deviation, std::sqrt(std::max(0.0, squares[c] / pixels - mean * mean)));
            }
            blank.push_back(pixels == 0 || alpha / pixels <= kTransparent || deviation <= kFlat);
        }
    return blank;
}

std::vector<std::uint64_t> samplesOf(const store::RoutingTable& table) {
    std::vector<std::uint64_t> samples;
    std::unordered_set<std::uint64_t> seen;
    for (const std::uint64_t sample : table.sample_T)
        if (seen.insert(sample).second) samples.push_back(sample);
    return samples;
}

Result<CategoryLabels> categoryLabels(const store::RunReader& run, std::span<const std::uint64_t> samples) {
    CategoryLabels labels;
    const std::unordered_set<std::uint64_t> wanted(samples.begin(), samples.end());
    auto list = run.sampleList();
    if (!list) return tl::unexpected(list.error());
    std::map<std::string, std::int32_t> number;
    for (const store::SampleRecord& record : *list)
        if (wanted.contains(record.hash) && !record.category.empty()) number.emplace(record.category, 0);
    for (auto& [name, index] : number) {
        index = static_cast<std::int32_t>(labels.names.size());
        labels.names.push_back(name);
    }
    for (const store::SampleRecord& record : *list) {
        if (!wanted.contains(record.hash)) continue;
        if (!record.category.empty()) labels.category[record.hash] = number[record.category];
        if (record.grid_width <= 0) continue;
        auto whole = run.sample(record.hash);
        if (!whole) return tl::unexpected(whole.error());
        labels.blank[record.hash] = blankPatches(*whole);
    }
    return labels;
}

std::vector<std::int32_t> CategoryLabels::of(const store::RoutingTable& table, bool leave_out_masked) const {
    std::vector<std::int32_t> result(static_cast<std::size_t>(table.tokens), -1);
    for (std::size_t t = 0; t < result.size() && t < table.sample_T.size(); ++t) {
        if (leave_out_masked && !table.masked_T.empty() && table.masked_T[t]) continue;
        const bool patch = table.modality_T.empty() || table.modality_T[t] == Modality::kVision;
        if (patch && !table.position_T.empty())
            if (const auto found = blank.find(table.sample_T[t]);
                found != blank.end() && table.position_T[t] < found->second.size() && found->second[table.position_T[t]]) {
                result[t] = blankLabel();
                continue;
            }
        if (const auto found = category.find(table.sample_T[t]); found != category.end()) result[t] = found->second;
    }
    return result;
}

std::vector<std::int32_t> tokenIdLabels(const store::RoutingTable& table, bool leave_out_masked) {
    std::vector<std::int32_t> result(static_cast<std::size_t>(table.tokens), -1);
    for (std::size_t t = 0; t < result.size() && t < table.token_id_T.size(); ++t)
        if (!(leave_out_masked && !table.masked_T.empty() && table.masked_T[t])) result[t] = table.token_id_T[t];
    return result;
}

}  // namespace es::analysis
