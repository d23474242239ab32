// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/train_estimate.h"

#include <spdlog/fmt/fmt.h>

#include <nlohmann/json.hpp>

namespace es::app {
namespace {

/// "175.3 M", "2.40 T"; three or four digits.
std::string scaled(double value) {
    constexpr const char* kUnits[] = {"", " k", " M", " G", " T", " P", " E"};
    std::size_t unit = 0;
    while (value >= 999.95 && unit + 1 < std::size(kUnits)) {
        value /= 1000;
        ++unit;
    }
    return unit == 0 ? fmt::format("{:.0f}", value) : fmt::format("{:.{}f}{}", value, value < 10 ? 2 : 1, kUnits[unit]);
}
std::string scaled(std::int64_t value) { return scaled(static_cast<double>(value)); }
std::string bytesText(double value) { return scaled(value) + "B"; }

std::string partRow(const session::PartCost& part) {
    return fmt::format("  {:<16}{:>14}{:>14}{:>16}{:>16}\n", part.name, scaled(part.parameters_total), scaled(part.parameters_active),
                       scaled(part.flops_per_step_active), scaled(part.flops_per_step_total));
}

std::string publishedText(const session::PublishedComparison& p) {
    const double ours = static_cast<double>(p.ours);
    return fmt::format(
        "\nPublished for {}: {} parameters ({})\n  counted alike ({}), at the preset's own vocabulary and picture size: {}, {:+.2f} %\n  with the heads of our "
        "objectives: {}\n",
        p.preset, scaled(p.published), p.source, p.counts, scaled(p.ours), 100 * (ours / p.published - 1), scaled(p.ours_with_our_heads));
}

nlohmann::json partJson(const session::PartCost& part) {
    return {{"part", part.name},
            {"parameters_total", part.parameters_total},
            {"parameters_active", part.parameters_active},
            {"flops_per_step_active", part.flops_per_step_active},
            {"flops_per_step_total", part.flops_per_step_total}};
}

/// null where the system does not say.
nlohmann::json known(double value) { return value > 0 ? nlohmann::json(value) : nlohmann::json(); }

}  // namespace

std::string estimateText(const session::TrainEstimate& e) {
    std::string text = fmt::format("Preset {}, feed-forward of the MoE layers: {}, on {}\n\n", e.preset, e.ffn, e.device);
    text += fmt::format("  {:<16}{:>14}{:>14}{:>16}{:>16}\n", "part", "parameters", "active", "FLOPs a step", "all experts");
    for (const session::PartCost& part : e.parts) text += partRow(part);
    text += partRow(e.model);
    text += "Active: with the experts that one token chooses. FLOPs: matrix products, forward and backward, texts at full length.\n";
    text += fmt::format("A step: {} pictures, {} texts, {} pairs. One picture {}FLOPs, one text {}FLOPs, one pair {}FLOPs\n", e.images_per_step,
                        e.texts_per_step, e.pairs_per_step, scaled(e.flops_per_image), scaled(e.flops_per_text), scaled(e.flops_per_pair));
    text += fmt::format("Pictures of {} x {} pixels, texts of {} words, vocabulary of {} pieces ({})\n", e.image_size, e.image_size, e.max_words, e.vocabulary,
                        e.prepared ? "the prepared data's" : "assumed from data.vocabulary: the data are not prepared");
    if (e.published) text += publishedText(*e.published);

    const session::MemoryNeed& m = e.memory;
    text += fmt::format("\nMemory, about {}: weights {}, gradients {}, optimizer moments {}, activations {}, working space {}\n", bytesText(m.total()),
                        bytesText(m.weights), bytesText(m.gradients), bytesText(m.moments), bytesText(m.activations), bytesText(m.working));
    text += m.available > 0 ? fmt::format("  available: {}\n", bytesText(m.available)) : std::string("  available: not known\n");
    const session::DiskEstimate& d = e.disk;
    text += fmt::format("Disk, at most about {}: {} checkpoints of {}, traces {} ({} a traced step), probes {}, evaluations {}, samples {}, journal {}\n",
                        bytesText(d.total()), d.checkpoints, bytesText(d.checkpoint), bytesText(d.trace_run), bytesText(d.trace_step), bytesText(d.probes),
                        bytesText(d.evaluations), bytesText(d.samples), bytesText(d.journal));
    text += d.free > 0 ? fmt::format("  free: {}\n", bytesText(d.free)) : std::string("  free: not known\n");
    for (const session::EstimateWarning& warning : e.warnings) text += fmt::format("\nwarning: {}\n", warning.message);
    return text;
}

nlohmann::json estimateJson(const session::TrainEstimate& e) {
    nlohmann::json parts = nlohmann::json::array(), warnings = nlohmann::json::array(), published;
    for (const session::PartCost& part : e.parts) parts.push_back(partJson(part));
    for (const session::EstimateWarning& warning : e.warnings) warnings.push_back({{"kind", warning.kind}, {"message", warning.message}});
    if (e.published)
        published = {{"preset", e.published->preset},        {"source", e.published->source}, {"counts", e.published->counts},
                     {"parameters", e.published->published}, {"ours", e.published->ours},     {"ours_with_our_heads", e.published->ours_with_our_heads}};
    const session::MemoryNeed& m = e.memory;
    const session::DiskEstimate& d = e.disk;
    return {{"schema", "expertscope.estimate.1"},
            {"preset", e.preset},
            {"ffn", e.ffn},
            {"device", e.device},
            {"parts", parts},
            {"model", partJson(e.model)},
            {"flops_per_sample", {{"image", e.flops_per_image}, {"text", e.flops_per_text}, {"pair", e.flops_per_pair}}},
            {"batch", {{"images", e.images_per_step}, {"texts", e.texts_per_step}, {"pairs", e.pairs_per_step}}},
            {"steps", e.steps},
            {"data",
             {{"vocabulary", e.vocabulary},
              {"vocabulary_from", e.prepared ? "prepared data" : "configuration"},
              {"image_size_pixels", e.image_size},
              {"max_words", e.max_words}}},
            {"published", published},
            {"memory_bytes",
             {{"weights", m.weights},
              {"gradients", m.gradients},
              {"moments", m.moments},
              {"activations", m.activations},
              {"working", m.working},
              {"total", m.total()},
              {"available", known(m.available)}}},
            {"disk_bytes",
             {{"checkpoint", d.checkpoint},
              {"trace_per_traced_step", d.trace_step},
              {"trace", d.trace_run},
              {"probes", d.probes},
              {"evaluations", d.evaluations},
              {"samples", d.samples},
              {"journal", d.journal},
              {"total", d.total()},
              {"free", known(d.free)}}},
            {"checkpoints_kept", d.checkpoints},
            {"warnings", warnings}};
}

}  // namespace es::app
