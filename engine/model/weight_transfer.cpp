// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/weight_transfer.h"

#include <ATen/core/grad_mode.h>
#include <c10/util/StringUtil.h>

#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "engine/base/hash.h"
#include "engine/base/random.h"
#include "engine/base/safetensors_file.h"
#include "engine/model/router.h"

namespace es::engine {
namespace {

constexpr const char* kCannotStart = "The checkpoint cannot be where the run starts from";
constexpr const char *kExperts = ".moe.experts.", *kShared = ".moe.shared.", *kDense = ".ffn.", *kRouter = ".moe.router.";
constexpr const char *kPatchPositions = "embed.position_v", *kWordPositions = "embed.position_t";
constexpr double kNoiseDeviation = 0.02;

std::string shapeTextOf(const at::Tensor& tensor) { return shapeText(tensor.sizes().vec()); }

std::string lastPart(const std::string& name) { return name.substr(name.rfind('.') + 1); }

/// The name with `part` in the place of `other`; empty when it has no such part.
std::string renamed(const std::string& name, const std::string& other, const std::string& part) {
    const auto at = name.find(other);
    return at == std::string::npos ? std::string() : name.substr(0, at) + part + name.substr(at + other.size());
}

std::optional<std::int64_t> gridSide(std::int64_t patches) {
    const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(patches))));
    return side * side == patches ? std::optional(side) : std::nullopt;
}

/// Which key of the configuration decides a shape.
std::string keysOf(const std::string& name) {
    if (name == "embed.patch.weight" || name.starts_with("head.pixel")) return "model.patch and model.width";
    if (name == "embed.word" || name.starts_with("head.word")) return "the vocabulary (data.set, data.vocabulary) and model.width";
    if (name.find(kRouter) != std::string::npos) return "moe.experts, moe.router and model.width";
    if (name.find(".moe.") != std::string::npos) return "moe.experts, moe.expert_width and model.width";
    if (name.find(kDense) != std::string::npos) return "model.ffn_width (in MoE layers moe.k and moe.expert_width) and model.width";
    return "[model]";
}

class Transfer {
public:
    Transfer(VlMoe& model, const std::map<std::string, at::Tensor>& source, const TransferOptions& options, std::string path)
        : model_(model), source_(source), options_(options), path_(std::move(path)) {}

    Result<TransferReport> run() {
        for (const auto& parameter : model_.named_parameters()) targets_.emplace_back(parameter.key(), parameter.value());
        for (const auto& buffer : model_.named_buffers()) targets_.emplace_back(buffer.key(), buffer.value());
        for (const auto& [name, target] : targets_)
            if (Status done = plan(name, target); !done) return tl::unexpected(done.error());
        for (const auto& [name, tensor] : source_) {
            if (used_.contains(name)) continue;
            if (!name.starts_with("head."))
                return fails(c10::str("the model has no place for its tensor '", name, "' of the shape ", shapeTextOf(tensor)), name);
            report_.unused.push_back(name);
        }
        const at::NoGradGuard no_gradient;
        for (auto& [target, value] : filled_) target.copy_(value);
        for (const auto& [layer, slices] : slices_) equalRows(layer, slices);
        return std::move(report_);
    }

private:
    [[nodiscard]] tl::unexpected<Error> fails(std::string why, const std::string& name) const {
        return badInput(kCannotStart, std::move(why), c10::str("Give ", keysOf(name), " the values of that run's run.toml, or start from another checkpoint"),
                        path_);
    }
    [[nodiscard]] tl::unexpected<Error> shapesDiffer(const std::string& name, const at::Tensor& target, const std::string& other,
                                                     const at::Tensor& found) const {
        const std::string made = name == other ? "" : c10::str(" to be made of '", other, "'");
        return fails(c10::str("tensor '", name, "'", made, " has the shape ", shapeTextOf(found), ", the model needs ", shapeTextOf(target)), name);
    }
    const at::Tensor* take(const std::string& name) {
        const auto found = source_.find(name);
        if (found == source_.end()) return nullptr;
        used_.insert(name);
        return &found->second;
    }
    void fill(const std::string& name, const at::Tensor& target, at::Tensor value, std::vector<std::string>& list) {
        filled_.emplace_back(target, std::move(value));
        list.push_back(name);
    }

    Status plan(const std::string& name, const at::Tensor& target) {
        if (const at::Tensor* same = take(name)) return planSame(name, target, *same);
        if (name.find(".all.") != std::string::npos)
            return fails(c10::str("'", name, "' is of a pool that patches and words share (moe.pool), and no single dense network can be copied to it"), name);
        if (name.find(kExperts) != std::string::npos) return planExperts(name, target);
        if (name.find(kShared) != std::string::npos && options_.shared) return planShared(name, target);
        if (name.find(".moe.") == std::string::npos && !name.starts_with("head."))
            return fails(c10::str("it has no tensor '", name, "', which the model needs with the shape ", shapeTextOf(target)), name);
        report_.fresh.push_back(name);
        return {};
    }

    Status planSame(const std::string& name, const at::Tensor& target, const at::Tensor& found) {
        if (found.sizes() == target.sizes()) {
            fill(name, target, found, report_.copied);
            return {};
        }
        const bool wide = found.dim() == 2 && target.dim() == 2 && found.size(1) == target.size(1);
        if (name == kPatchPositions && wide) {
            const auto from = gridSide(found.size(0)), to = gridSide(target.size(0));
            if (!from || !to) return shapesDiffer(name, target, name, found);
            note(c10::str("positions of patches interpolated from ", *from, " x ", *from, " to ", *to, " x ", *to));
            fill(name, target, interpolatePositions(found, *to), report_.resized);
            return {};
        }
        if (name == kWordPositions && wide) {
            const std::int64_t rows = std::min(found.size(0), target.size(0));
            at::Tensor value = target.detach().clone();
            value.narrow(0, 0, rows).copy_(found.narrow(0, 0, rows));
            note(rows < target.size(0) ? c10::str("positions of words from ", rows, " on are new")
                                       : c10::str("positions of words from ", rows, " on left out"));
            fill(name, target, std::move(value), report_.resized);
            return {};
        }
        return shapesDiffer(name, target, name, found);
    }

    Status planExperts(const std::string& name, const at::Tensor& target) {
        const std::string dense_name = renamed(name, kExperts, kDense), part = lastPart(name), layer = name.substr(0, name.find(".moe."));
        const at::Tensor* dense = take(dense_name);
        if (!dense)
            return fails(c10::str("it has neither '", name, "' nor a dense '", dense_name, "' to make it of; the model needs the shape ", shapeTextOf(target)),
                         name);
        if (dense->dim() + 1 != target.dim()) return shapesDiffer(name, target, dense_name, *dense);
        const std::int64_t experts = target.size(0);
        const at::Tensor width = part == "w2" ? target.select(0, 0).t() : target.select(0, 0), hidden = part == "w2" ? dense->t() : *dense;
        const bool cuts = part != "b2", same_width = hidden.sizes().slice(1) == width.sizes().slice(1);
        const std::int64_t slices = cuts ? hidden.size(0) / std::max<std::int64_t>(1, width.size(0)) : 1;
        if (!same_width || (!cuts && hidden.size(0) != width.size(0))) return shapesDiffer(name, target, dense_name, *dense);
        if (slices < 1 || width.size(0) * slices != hidden.size(0))
            return badInput(kCannotStart,
                            c10::str("tensor '", dense_name, "' of the shape ", shapeTextOf(*dense), " cannot be cut into '", name, "' of the shape ",
                                     shapeTextOf(target), ": experts ", hidden.size(0), " wide are allowed, or a divisor of that"),
                            c10::str("Set moe.expert_width = ", hidden.size(0), ", or a divisor of it"), path_);
        if (slices > 1)
            if (Status fine = checkSlices(layer, part, experts, slices); !fine) return fine;
        at::Tensor value = expertsOf(part, *dense, experts, slices).to(at::kFloat);
        if (options_.noise > 0 && part.starts_with('w')) addNoise(value, name);
        fill(name, target, std::move(value), report_.upcycled);
        return {};
    }

    /// m experts stand for one network: chosen together, so both E and k are to be multiples of m.
    Status checkSlices(const std::string& layer, const std::string& part, std::int64_t experts, std::int64_t slices) {
        std::int64_t k = 0;
        std::string kind;
        for (const store::RouterInfo& router : model_.routers())
            if (c10::str("layers.", router.layer.value, ".", toString(router.branch)) == layer) k = router.k, kind = router.kind;
        const auto refuse = [&](std::string why) {
            return badInput(kCannotStart, c10::str("experts of '", layer, "' would be slices of dense networks, ", slices, " of each: ", why),
                            "Set moe.expert_width to the width of the dense network, or moe.experts and moe.k to multiples of the number of slices", path_);
        };
        if (experts % slices != 0) return refuse(c10::str("moe.experts ", experts, " is no multiple of ", slices));
        if (k % slices != 0) return refuse(c10::str("moe.k ", k, " is no multiple of ", slices));
        if (part.starts_with("norm")) return refuse("sub-LayerNorm normalises the hidden units of the whole network (model.sub_norm)");
        if (kind != "softmax_topk" && kind != "topk_softmax" && kind != "sigmoid_topk")
            return refuse(c10::str("a '", kind, "' router does not choose equal experts together"));
        slices_[layer] = slices;
        return {};
    }

    Status planShared(const std::string& name, const at::Tensor& target) {
        const std::string dense_name = renamed(name, kShared, kDense);
        const at::Tensor* dense = take(dense_name);
        if (!dense) return fails(c10::str("it has neither '", name, "' nor a dense '", dense_name, "' to copy (model.upcycle_shared)"), name);
        if (dense->sizes() != target.sizes().slice(1)) return shapesDiffer(name, target, dense_name, *dense);
        fill(name, target, dense->unsqueeze(0), report_.upcycled);
        return {};
    }

    void addNoise(at::Tensor& value, const std::string& name) const {
        RandomStream random(options_.seed, RandomPurpose::kWeights, hash64(name + ".upcycled"));
        float* numbers = value.mutable_data_ptr<float>();
        for (std::int64_t i = 0; i < value.numel(); ++i)
            if (random.uniform() < options_.noise) numbers[i] = static_cast<float>(random.normal() * kNoiseDeviation);
    }

    /// The experts of one network get one row of the router.
    void equalRows(const std::string& layer, std::int64_t slices) {
        for (auto& [name, target] : targets_) {
            if (name != layer + kRouter + "weight") continue;
            for (std::int64_t e = 0; e < target.size(0); ++e)
                if (e % slices != 0) target[e].copy_(target[e - e % slices]);
        }
    }

    void note(const std::string& text) { report_.positions += (report_.positions.empty() ? "" : ", ") + text; }

    VlMoe& model_;
    const std::map<std::string, at::Tensor>& source_;
    TransferOptions options_;
    std::string path_;
    std::vector<std::pair<std::string, at::Tensor>> targets_;
    std::vector<std::pair<at::Tensor, at::Tensor>> filled_;
    std::set<std::string> used_;
    std::map<std::string, std::int64_t> slices_;  // by layer and branch, where there are more than one
    TransferReport report_;
};

}  // namespace

std::string TransferReport::text() const {
    std::string out = c10::str(copied.size(), " tensors copied");
    if (!upcycled.empty()) out += c10::str(", ", upcycled.size(), " of experts made of dense networks");
    if (!positions.empty()) out += ", " + positions;
    if (!fresh.empty()) out += c10::str(", ", fresh.size(), " started anew");
    if (!unused.empty()) out += c10::str(", ", unused.size(), " of heads left behind");
    return out;
}

at::Tensor interpolatePositions(const at::Tensor& positions_PD, std::int64_t side) {
    const auto from = gridSide(positions_PD.size(0));
    TORCH_CHECK(from && side >= 1, "positions of ", positions_PD.size(0), " patches are no square grid");
    const at::NoGradGuard no_gradient;
    const at::Tensor grid_1DGG = positions_PD.to(at::kFloat).view({*from, *from, -1}).permute({2, 0, 1}).unsqueeze(0).contiguous();
    return at::upsample_bicubic2d(grid_1DGG, {side, side}, /*align_corners=*/false).squeeze(0).permute({1, 2, 0}).reshape({side * side, -1});
}

at::Tensor expertsOf(const std::string& name, const at::Tensor& dense, std::int64_t experts, std::int64_t slices) {
    const at::NoGradGuard no_gradient;
    std::vector<at::Tensor> made;
    for (std::int64_t e = 0; e < experts; ++e) {
        if (name == "b2") {
            made.push_back(dense);
            continue;
        }
        const std::int64_t dimension = name == "w2" ? 1 : 0, hidden = dense.size(dimension) / slices;
        const at::Tensor slice = dense.narrow(dimension, (e % slices) * hidden, hidden);
        made.push_back(name == "w2" && slices > 1 ? slice * static_cast<double>(slices) : slice);
    }
    return at::stack(made);
}

Result<TransferReport> transferWeights(VlMoe& model, const std::map<std::string, at::Tensor>& source, const TransferOptions& options, const std::string& path) {
    return Transfer(model, source, options, path).run();
}

}  // namespace es::engine
