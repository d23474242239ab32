// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/out_of_memory.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <malloc.h>

#include <algorithm>
#include <new>
#include <string_view>

#include "engine/base/machine_resources.h"
#include "engine/model/memory_estimate.h"

namespace es::engine {
namespace {

/// The heap grows over the steps to about 1.4 times what the tensors in it take together.
constexpr double kToSpare = 1.6;

/// The configured batch with `part` of `whole` samples, at least one of each kind that it has.
config::RunConfig scaled(config::RunConfig config, std::int64_t part, std::int64_t whole) {
    for (std::int64_t* count : {&config.train.batch_images, &config.train.batch_texts, &config.train.batch_pairs})
        if (*count > 0) *count = std::max<std::int64_t>(1, *count * part / whole);
    return config;
}

}  // namespace

bool isOutOfMemory(const std::exception& problem) {
    if (dynamic_cast<const std::bad_alloc*>(&problem) || dynamic_cast<const c10::OutOfMemoryError*>(&problem)) return true;
    const auto* error = dynamic_cast<const c10::Error*>(&problem);
    if (!error) return false;
    const std::string_view what = error->what_without_backtrace();
    return what.find("DefaultCPUAllocator") != std::string_view::npos && what.find("memory") != std::string_view::npos;
}

double memoryLeft(at::Device device) {
    if (device.is_cpu()) {
        (void)::malloc_trim(0);
        return availableMemoryBytes();
    }
    try {
        auto* allocator = at::getDeviceAllocator(device.type());
        allocator->emptyCache();
        return static_cast<double>(allocator->getMemoryInfo(device.has_index() ? device.index() : c10::DeviceIndex{0}).first);
    } catch (const c10::Error&) {
        return 0;
    }
}

std::string FittingBatch::text() const {
    std::string out;
    const auto add = [&](const char* key, std::int64_t value) { out += (out.empty() ? "" : ", ") + std::string(key) + " = " + std::to_string(value); };
    if (images > 0) add("train.batch_images", images);
    if (texts > 0) add("train.batch_texts", texts);
    if (pairs > 0) add("train.batch_pairs", pairs);
    return out + " and train.accumulate = " + std::to_string(accumulate);
}

double stepBytes(const config::RunConfig& config, const DataShape& shape) {
    const MemoryEstimate memory = estimateMemory(config, shape);
    return memory.gradients + memory.activations + memory.working;
}

std::optional<FittingBatch> fittingBatch(const config::RunConfig& config, const DataShape& shape, double bytes) {
    const auto& train = config.train;
    const std::int64_t whole = std::max({train.batch_images, train.batch_texts, train.batch_pairs});
    const auto fits = [&](std::int64_t part) { return kToSpare * stepBytes(scaled(config, part, whole), shape) <= bytes; };
    std::int64_t good = 0, bad = whole / 2 + 1;
    while (bad - good > 1) {
        const std::int64_t middle = good + (bad - good) / 2;
        (fits(middle) ? good : bad) = middle;
    }
    if (good == 0) return std::nullopt;
    const auto smaller = scaled(config, good, whole).train;
    return FittingBatch{smaller.batch_images, smaller.batch_texts, smaller.batch_pairs, train.accumulate * ((whole + good - 1) / good)};
}

}  // namespace es::engine
