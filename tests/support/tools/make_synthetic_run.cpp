// SPDX-License-Identifier: GPL-3.0-or-later
// es_make_synthetic_run OUT [--dense|--scaled-dense] [--seed N] [--name NAME] [--steps N] [--experts N] [--k N] [--dead N] [--spike STEP]
#include <cstdio>
#include <cstdlib>
#include <string>

#include "support/synthetic_run.h"

int main(int argc, char** argv) {
    es::test::SyntheticRunOptions options;
    std::string out;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const auto next = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
        if (argument == "--dense") options.ffn = "dense";
        else if (argument == "--scaled-dense") options.ffn = "scaled_dense";
        else if (argument == "--seed") options.seed = std::atoll(next().c_str());
        else if (argument == "--name") options.name = next();
        else if (argument == "--steps") options.steps = std::atoll(next().c_str());
        else if (argument == "--experts") options.experts = std::atoll(next().c_str());
        else if (argument == "--k") options.k = std::atoll(next().c_str());
        else if (argument == "--dead") options.dead_expert = std::atoi(next().c_str());
        else if (argument == "--spike") options.spikes.push_back(std::atoll(next().c_str()));
        else out = argument;
    }
    if (out.empty()) {
        std::fprintf(
            stderr,
            "usage: es_make_synthetic_run OUT [--dense|--scaled-dense] [--seed N] [--name NAME] [--steps N] [--experts N] [--k N] [--dead N] [--spike STEP]\n");
        return 2;
    }
    if (options.name == "synthetic") options.name = out.substr(out.find_last_of('/') + 1);
    const es::Status status = es::test::writeSyntheticRun(out, options);
    if (!status) std::fprintf(stderr, "%s\n", status.error().message().c_str());
    return status ? 0 : static_cast<int>(status.error().kind);
}
