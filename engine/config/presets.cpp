// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/presets.h"

#include <algorithm>
#include <array>
#include <string>

namespace es::config {
namespace {

/// The mean gate of the demo's sparse model over training (resources/experiments/demo-scaled-dense.toml has it by layer and branch).
constexpr double kDemoMeanGate = 0.23;

struct PresetSizes {
    std::string_view name;
    bool sparse;  ///< without an ending: 8 experts
    std::int64_t width, layers, heads, patch, ffn_width, vl_layers;
    std::string_view attention;
    bool sub_norm;
    double layer_scale, drop_path;
    std::int64_t image_size, max_words, vocabulary;
};

// VLMo: unilm/vlmo/vlmo/modules/multiway_transformer.py and config.py (40 words, BERT's 30,522 pieces, drop path 0.1).
// BEiT-3: unilm/beit3/modeling_utils.py on torchscale's encoder (64,010 pieces, subln); 64 words as it is tuned on pairs.
constexpr std::array<PresetSizes, 7> kPresetSizes{{
    {"tiny", true, 128, 4, 4, 8, 256, 1, "shared", false, 0, 0, 48, 16, 1024},     // 3 M parameters, learns emoji in two minutes on two cores
    {"small", true, 512, 8, 8, 16, 2048, 2, "shared", false, 0, 0, 96, 16, 1024},  // V-MoE's S
    {"vlmo-base", false, 768, 12, 12, 16, 3072, 2, "shared", false, 0.1, 0.1, 224, 40, 30522},
    {"vlmo-base-plus", false, 544, 24, 16, 16, 2176, 3, "shared", false, 0, 0.1, 224, 40, 30522},
    {"vlmo-large", false, 1024, 24, 16, 16, 4096, 3, "shared", false, 0.1, 0.1, 224, 40, 30522},
    {"beit3-base", false, 768, 12, 12, 16, 3072, 0, "decoupled", true, 0, 0.1, 224, 64, 64010},
    {"beit3-large", false, 1024, 24, 16, 16, 4096, 0, "decoupled", true, 0, 0.1, 224, 64, 64010},
}};

struct PresetEnding {
    std::string_view text, ffn;
    std::int64_t experts;
};
constexpr std::array<PresetEnding, 4> kPresetEndings{{{"-dense", "dense", 8}, {"-scaled-dense", "scaled_dense", 8}, {"-16e", "moe", 16}, {"-32e", "moe", 32}}};

/// Every preset once, by full name.
struct Preset {
    std::string name;
    const PresetSizes* sizes;
    PresetEnding ending;
};

const std::vector<Preset>& allPresets() {
    static const std::vector<Preset> presets = [] {
        std::vector<Preset> made;
        for (const PresetSizes& sizes : kPresetSizes) {
            made.push_back({std::string(sizes.name), &sizes, {"", sizes.sparse ? "moe" : "dense", 8}});
            for (const PresetEnding& ending : kPresetEndings)
                if (sizes.sparse || ending.ffn != "dense") made.push_back({std::string(sizes.name) + std::string(ending.text), &sizes, ending});
        }
        return made;
    }();
    return presets;
}

/// The demo's are the two middle layers; every other one elsewhere, from the second, as far as the vision-language layers.
std::vector<std::int64_t> sparseLayers(const PresetSizes& sizes) {
    if (sizes.name == "tiny") return {1, 2};
    std::vector<std::int64_t> layers;
    for (std::int64_t layer = 1; layer < sizes.layers - sizes.vl_layers; layer += 2) layers.push_back(layer);
    return layers;
}

}  // namespace

std::vector<std::string_view> presetNames() {
    std::vector<std::string_view> names;
    for (const Preset& preset : allPresets()) names.push_back(preset.name);
    return names;
}

bool applyPreset(RunConfig& config, std::string_view name) {
    const auto found = std::ranges::find(allPresets(), name, &Preset::name);
    if (found == allPresets().end()) return false;
    const PresetSizes& sizes = *found->sizes;
    ModelOptions model;
    model.preset = name;
    model.ffn = found->ending.ffn;
    model.width = sizes.width;
    model.layers = sizes.layers;
    model.heads = sizes.heads;
    model.patch = sizes.patch;
    model.ffn_width = sizes.ffn_width;
    model.moe_layers = sparseLayers(sizes);
    model.vl_layers = sizes.vl_layers;
    model.attention = sizes.attention;
    model.sub_norm = sizes.sub_norm;
    model.layer_scale = sizes.layer_scale;
    model.drop_path = sizes.drop_path;
    if (model.ffn == "scaled_dense") model.ffn_scales.assign(model.moe_layers.size() * model.moe_branches.size(), kDemoMeanGate);
    config.model = model;
    config.moe.experts = found->ending.experts;
    config.moe.expert_width = sizes.ffn_width;
    config.data.image_size = sizes.image_size;
    config.data.max_words = sizes.max_words;
    config.data.vocabulary = sizes.vocabulary;
    return true;
}

std::optional<PublishedCount> publishedCount(std::string_view preset) {
    constexpr std::string_view kVlmo = "github.com/microsoft/unilm, vlmo/README.md", kBeit3 = "github.com/microsoft/unilm, beit3/README.md";
    if (preset == "vlmo-base") return PublishedCount{175e6, CountScope::kWithoutHeads, kVlmo};
    if (preset == "vlmo-base-plus") return PublishedCount{167e6, CountScope::kWithoutHeads, kVlmo};
    if (preset == "vlmo-large") return PublishedCount{562e6, CountScope::kWithoutHeads, kVlmo};
    if (preset == "beit3-base") return PublishedCount{276e6, CountScope::kWithWordAndCodeHead, kBeit3};
    if (preset == "beit3-large") return PublishedCount{746e6, CountScope::kWithWordAndCodeHead, kBeit3};
    return std::nullopt;
}

}  // namespace es::config
