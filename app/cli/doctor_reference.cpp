// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/doctor_reference.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "analysis/reference/reference_metrics.h"
#include "app/cli/output.h"
#include "engine/reference/compare.h"
#include "engine/session/engine_library.h"

namespace es::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCaseEnding = ".safetensors";

Result<std::vector<fs::path>> caseFiles(const fs::path& path) {
    const auto refuse = [&](std::string why) {
        return badInput("Cannot check reference cases", std::move(why), "Name a case file or a folder of *.safetensors", path.string());
    };
    std::error_code error;
    if (!fs::exists(path, error)) return refuse(error ? error.message() : "there is no such file or folder");
    if (!fs::is_directory(path, error)) return std::vector<fs::path>{path};
    std::vector<fs::path> files;
    for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error))
        if (entry->path().extension() == kCaseEnding && !entry->is_directory()) files.push_back(entry->path());
    if (error) return refuse(error.message());
    if (files.empty()) return refuse("the folder holds no case");
    std::sort(files.begin(), files.end());
    return files;
}

/// The engine is loaded when a case first needs it: metrics and statistics are checked without it.
class CaseEngine {
public:
    explicit CaseEngine(std::string device) : device_(std::move(device)) {}

    Result<NamedArrays> run(const reference::Call& call) {
        const auto& library = load();
        if (!library) return tl::unexpected(failed(library.error()));
        return (*library)->runReference(call, device_);
    }
    Status checkDevice() {
        if (device_ == "cpu") return {};
        const auto& library = load();
        if (!library) return tl::unexpected(library.error());
        return (*library)->checkDevice(device_);
    }

private:
    /// A missing engine fails the case; it does not make the case a bad one.
    static Error failed(Error error) {
        error.kind = ErrorKind::kJobFailed;
        error.why = error.message();
        return error;
    }
    const Result<std::shared_ptr<session::EngineLibrary>>& load() {
        if (!library_) library_ = session::loadEngineLibrary();
        return *library_;
    }

    std::string device_;
    std::optional<Result<std::shared_ptr<session::EngineLibrary>>> library_;
};

nlohmann::json outcomeJson(const reference::Outcome& outcome, const fs::path& path) {
    nlohmann::json row = {{"name", outcome.name}, {"op", outcome.op}, {"status", reference::nameOf(outcome.verdict)}, {"path", path.string()}};
    row["tensor"] = outcome.tensor.empty() ? nlohmann::json() : nlohmann::json(outcome.tensor);
    row["reason"] = outcome.reason.empty() ? nlohmann::json() : nlohmann::json(outcome.reason);
    row["largest_absolute_error"] = outcome.tensor.empty() ? nlohmann::json() : nlohmann::json(outcome.absolute);
    row["largest_relative_error"] = outcome.tensor.empty() ? nlohmann::json() : nlohmann::json(outcome.relative);
    return row;
}

void printOutcome(const reference::Outcome& outcome) {
    fmt::print("{:<10} {}", reference::nameOf(outcome.verdict), outcome.name);
    if (!outcome.tensor.empty()) fmt::print("  abs {:.2e}  rel {:.2e}  {}", outcome.absolute, outcome.relative, outcome.tensor);
    fmt::print("{}{}\n", outcome.reason.empty() ? "" : "  ", outcome.reason);
}

Status writeComputed(const fs::path& file, const reference::Outcome& outcome, const NamedArrays& computed) {
    ArrayFile content;
    content.metadata = {{"op", outcome.op}, {"status", std::string(reference::nameOf(outcome.verdict))}};
    content.arrays = computed;
    return writeArrayFile(file, content);
}

nlohmann::json operationJson(const reference::Operation& operation) {
    nlohmann::json parameters = nlohmann::json::array(), inputs = nlohmann::json::array(), outputs = nlohmann::json::array();
    for (const auto& p : operation.parameters) parameters.push_back({{"name", p.name}, {"allowed", reference::describe(p)}, {"required", !p.fallback}});
    for (const auto& form : operation.inputs) inputs.push_back({{"name", form.name}, {"shape", reference::describe(form)}, {"required", !form.optional}});
    for (const auto& form : operation.outputs) outputs.push_back({{"name", form.name}, {"shape", reference::describe(form)}});
    return {{"name", operation.name},
            {"parameters", parameters},
            {"inputs", inputs},
            {"outputs", outputs},
            {"gradients", operation.gradients != reference::Gradients::kNone}};
}

int listOperations(bool json) {
    nlohmann::json rows = nlohmann::json::array();
    for (const reference::Operation& operation : reference::operations()) {
        rows.push_back(operationJson(operation));
        if (json) continue;
        fmt::print("{}\n", operation.name);
        for (const auto& p : operation.parameters) fmt::print("    {}{}\n", reference::describe(p), p.fallback ? " (may be left out)" : "");
        std::string inputs, outputs;
        for (const auto& form : operation.inputs) inputs += fmt::format("{}{}{}", inputs.empty() ? "" : ", ", form.name, form.optional ? "?" : "");
        for (const auto& form : operation.outputs) outputs += (outputs.empty() ? "" : ", ") + form.name;
        fmt::print("    in: {}\n    out: {}{}\n", inputs, outputs, operation.gradients == reference::Gradients::kNone ? "" : "; and gradients of real inputs");
    }
    if (json) printJson({{"schema", "expertscope.reference_operations.1"}, {"operations", rows}});
    return 0;
}

}  // namespace

int checkReferences(const ReferenceArguments& arguments) {
    if (arguments.list) return listOperations(arguments.json);
    const auto files = caseFiles(arguments.path);
    if (!files) return report(files.error(), arguments.json);
    CaseEngine engine(arguments.device);
    if (const Status there = engine.checkDevice(); !there) return report(there.error(), arguments.json);
    if (!arguments.write.empty()) {
        std::error_code error;
        fs::create_directories(arguments.write, error);
        if (error || !fs::is_directory(arguments.write, error))
            return report({ErrorKind::kBadInput, "Cannot write what is computed", error ? error.message() : "it is not a folder",
                           "Name a folder that can be written", arguments.write},
                          arguments.json);
    }
    std::size_t passed = 0, failed = 0;
    nlohmann::json rows = nlohmann::json::array();
    for (const fs::path& file : *files) {
        NamedArrays computed;
        const reference::Outcome outcome = reference::runCase(
            file, [&](const reference::Call& call) { return engine.run(call); }, analysis::runReferenceMetric, &computed);
        ++(outcome.verdict == reference::Verdict::kOk ? passed : failed);
        if (!arguments.json) printOutcome(outcome);
        else rows.push_back(outcomeJson(outcome, file));
        if (!arguments.write.empty() && !computed.empty())
            if (const Status done = writeComputed(fs::path(arguments.write) / file.filename(), outcome, computed); !done)
                return report(done.error(), arguments.json);
    }
    if (arguments.json)
        printJson({{"schema", "expertscope.reference.1"}, {"device", arguments.device}, {"passed", passed}, {"failed", failed}, {"cases", rows}});
    else fmt::print("{} passed, {} failed\n", passed, failed);
    return failed == 0 ? 0 : static_cast<int>(ErrorKind::kJobFailed);
}

}  // namespace es::app
