// SPDX-License-Identifier: GPL-3.0-or-later
// A run to write and read, with something of everything in it.
#pragma once

#include "store_fixture.h"

namespace es::store {

namespace fs = std::filesystem;

class RunTest : public test::StoreTest {
protected:
    std::unique_ptr<RunWriter> create(const fs::path& folder, RunWriterOptions options = {}) {
        config::RunConfig config;
        config.run.name = "Läufe";
        config.train.steps = 42;
        Provenance provenance;
        provenance.device = "cpu";
        provenance.threads = 2;
        provenance.flops_per_step_active = 1.5e9;
        provenance.extra["note"] = "ü";
        const auto routers = test::twoRouters();
        return test::must(RunWriter::create(folder, config, provenance, routers, options));
    }
    /// One step with everything that every step has.
    static void writeStep(RunWriter& writer, std::int64_t step, double offset = 0) {
        test::must(writer.scalars(step, {{"train/loss", 10.0 - 0.1 * static_cast<double>(step) + offset}, {"grad_norm/all", 1.0}}));
        test::must(writer.load({test::loadRecord(step, 0), test::loadRecord(step, 1, Modality::kText)}));
        if (step % 5 == 0) test::must(writer.trace(step, trace(step)));
    }
    static std::vector<TraceUnit> trace(std::int64_t step) {
        return {test::randomTable(test::routerInfo(0), step, 100, 3, false), test::randomTable(test::routerInfo(1), step, 100, 3, false)};
    }
    static Probe probe(std::int64_t step, const std::string& variant) {
        return {{step, variant}, {test::randomTable(test::routerInfo(0), step, 100, 7), test::randomTable(test::routerInfo(1), step, 100, 8)}};
    }
    fs::path folder_ = scratch_ / "Läufe" / "run один";
};

}  // namespace es::store
