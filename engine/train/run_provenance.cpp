// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/run_provenance.h"

#include <torch/headeronly/version.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>

#include "engine/base/hash.h"
#include "engine/config/config_io.h"
#include "engine/train/build_info.h"
#include "engine/train/run_estimate.h"

namespace es::engine {
namespace {

std::string randomUuid() {
    std::ifstream in("/proc/sys/kernel/random/uuid");
    std::string uuid;
    std::getline(in, uuid);
    return uuid;
}

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::string join(const std::array<float, 3>& values) { return std::to_string(values[0]) + " " + std::to_string(values[1]) + " " + std::to_string(values[2]); }

}  // namespace

store::Provenance describeRun(const config::RunConfig& config, const DataSource& source, const ComputePlace& place, const VlMoe& model) {
    store::Provenance out;
    out.run_uuid = randomUuid();
    out.program_version = programVersion();
    out.commit = sourceCommit();
    out.torch_version = TORCH_VERSION;
    out.device = place.device_name;
    out.cpu = place.cpu_name;
    out.precision = place.precision;
    out.threads = place.threads;
    out.data_threads = config.data.threads;
    out.seed = config.run.seed;
    out.config_hash = config::configHash(config);
    out.group_hash = config::groupHash(config);
    out.data_hash = hashText(source.dataset().contentHash());
    out.created_s = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    const ModelAccount account = model.account();
    out.parameters_total = account.parameters_total;
    out.parameters_active = account.parameters_active;
    out.flops_per_step_active = account.flops_per_step_active;
    out.flops_per_step_total = account.flops_per_step_total;
    out.extra["account"] = accountJson(account);
    const auto& train = config.train;
    const std::int64_t patches = source.grid() * source.grid();
    out.samples_per_step = train.batch_images + train.batch_texts + train.batch_pairs;
    // Captions are counted at their longest, as the account of FLOPs does.
    out.tokens_per_step = (train.batch_images + train.batch_pairs) * patches + (train.batch_texts + train.batch_pairs) * config.data.max_words;
    out.extra["cpu_capability"] = at::get_cpu_capability();
    out.extra["pixel_mean"] = join(source.scale().mean);
    out.extra["pixel_deviation"] = join(source.scale().deviation);
    out.extra["evaluation_masks"] = "fixed, independent of the seed";
    out.extra["probe_masks"] = "nothing masked";
    for (const char* name : {"OMP_WAIT_POLICY", "OMP_NUM_THREADS", "MKL_CBWR"})
        if (const std::string value = environment(name); !value.empty()) out.extra[name] = value;
    char host[256] = {};
    if (::gethostname(host, sizeof(host) - 1) == 0) out.extra["host"] = host;
    return out;
}

double residentMegabytes() {
    std::ifstream in("/proc/self/statm");
    double total = 0, resident = 0;
    in >> total >> resident;
    return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1024.0 * 1024.0);
}

}  // namespace es::engine
