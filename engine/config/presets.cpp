// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/presets.h"

namespace es::config {

bool applyPreset(RunConfig& config, std::string_view name) {
    ModelOptions& model = config.model;
    MoeOptions& moe = config.moe;
    if (name == "tiny") {  // the defaults of the structs: 3 M parameters, learns emoji in two minutes on two cores
        const ModelOptions sizes;
        model.width = sizes.width;
        model.layers = sizes.layers;
        model.heads = sizes.heads;
        model.patch = sizes.patch;
        model.ffn_width = sizes.ffn_width;
        model.moe_layers = sizes.moe_layers;
        model.vl_layers = sizes.vl_layers;
        moe.experts = 8;
        moe.expert_width = 256;
    } else if (name == "small") {  // V-MoE's S: 8 layers, 512 wide, every other layer sparse
        model.width = 512;
        model.layers = 8;
        model.heads = 8;
        model.patch = 16;
        model.ffn_width = 2048;
        model.moe_layers = {1, 3, 5};
        model.vl_layers = 2;
        moe.experts = 8;
        moe.expert_width = 2048;
        config.data.image_size = 96;
    } else {
        return false;
    }
    model.preset = name;
    return true;
}

}  // namespace es::config
