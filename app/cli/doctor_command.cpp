// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/doctor_reference.h"
#include "app/cli/output.h"
#include "engine/session/engine_library.h"

namespace es::app {
namespace {

int doctor(bool json) {
    session::DoctorReport found;
    found.lines.push_back({"program", ES_VERSION, true});
    std::error_code error;
    const auto space = std::filesystem::space(".", error);
    if (!error)
        found.lines.push_back({"free disk here", fmt::format("{:.1f} GB", static_cast<double>(space.available) / 1e9), space.available > 1'000'000'000});
    if (auto library = session::loadEngineLibrary()) {
        for (auto& line : (*library)->doctor().lines) found.lines.push_back(std::move(line));
    } else {
        found.lines.push_back({"engine", library.error().message(), false});
    }
    bool ok = true;
    nlohmann::json lines = nlohmann::json::array();
    for (const auto& line : found.lines) {
        ok = ok && line.ok;
        lines.push_back({{"item", line.item}, {"value", line.value}, {"ok", line.ok}});
        if (!json) fmt::print("{} {:<24} {}\n", line.ok ? "ok  " : "FAIL", line.item, line.value);
    }
    if (json) printJson({{"schema", "expertscope.doctor.1"}, {"ok", ok}, {"lines", lines}});
    return ok ? 0 : static_cast<int>(ErrorKind::kJobFailed);
}

}  // namespace

void addDoctorCommand(CLI::App& program, Action& action) {
    auto arguments = std::make_shared<ReferenceArguments>();
    CLI::App* command = program.add_subcommand("doctor", "Versions, devices, precision support, disk; the numerics against reference cases");
    CLI::Option* reference = command->add_option("--reference", arguments->path, "Compute a case file, or every *.safetensors of a folder, and compare");
    command->add_option("--write", arguments->write, "Folder for what was computed, a safetensors file a case")->needs(reference);
    command->add_option("--device", arguments->device, "Where the engine computes the cases: cpu or cuda")
        ->check(CLI::IsMember({"cpu", "cuda"}))
        ->needs(reference);
    command->add_flag("--list", arguments->list, "Print the operations that cases can name, with their parameters");
    command->add_flag("--json", arguments->json, "Print JSON");
    command->callback([arguments, reference, &action] {
        const bool cases = arguments->list || reference->count() > 0;
        action = [arguments, cases] { return cases ? checkReferences(*arguments) : doctor(arguments->json); };
    });
}

}  // namespace es::app
