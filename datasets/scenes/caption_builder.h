// SPDX-License-Identifier: GPL-3.0-or-later
// A caption and the role of each of its words, written word by word.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/scene_truth.h"

namespace es::datasets {

class CaptionBuilder {
public:
    /// Adds words of one role, each a word of its own; spaces go between.
    CaptionBuilder& add(std::string_view words, WordRole role = WordRole::kFunction, std::int32_t object = -1) {
        while (!words.empty()) {
            const auto end = std::min(words.find(' '), words.size());
            if (!caption_.empty()) caption_ += ' ';
            const auto begin = static_cast<std::uint32_t>(caption_.size());
            caption_ += words.substr(0, end);
            words_.push_back({begin, static_cast<std::uint32_t>(caption_.size()), role, object});
            words.remove_prefix(std::min(end + 1, words.size()));
        }
        return *this;
    }
    [[nodiscard]] const std::string& caption() const { return caption_; }
    [[nodiscard]] const std::vector<SceneWord>& words() const { return words_; }

private:
    std::string caption_;
    std::vector<SceneWord> words_;
};

/// "a" or "an".
[[nodiscard]] inline std::string_view articleBefore(std::string_view word) {
    return !word.empty() && std::string_view("aeiouAEIOU").find(word[0]) != std::string_view::npos ? "an" : "a";
}

}  // namespace es::datasets
