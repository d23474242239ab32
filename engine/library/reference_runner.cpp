// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/library/reference_runner.h"

#include <ATen/Context.h>
#include <c10/core/GradMode.h>

#include <exception>

#include "engine/library/reference_case_tensors.h"

namespace es::engine {
namespace {

constexpr const char *kCannotCompute = "Cannot compute the case", *kReportCase = "Report this with the case";

const std::map<std::string, ReferenceOperation>& engineOperations() {
    static const std::map<std::string, ReferenceOperation> kOperations = [] {
        std::map<std::string, ReferenceOperation> all = referenceRouters();
        all.merge(referenceLosses());
        all.merge(referenceLayers());
        return all;
    }();
    return kOperations;
}

/// Of the loss, or of the sum of y times the seed, to every input that asked for it.
void addGradients(const CaseTensors& in, const CaseOutputs& out, NamedArrays& results) {
    const bool seeded = in.call().operation->gradients == reference::Gradients::kSeed;
    const std::string y = in.call().operation->outputs.front().name;
    const at::Tensor sum = seeded ? (out.at(y) * in("seed" + y.substr(1))).sum() : out.at("loss");
    if (sum.requires_grad()) sum.backward();
    for (const auto& [name, tensor] : in.all())
        if (tensor.requires_grad()) results["grad." + name] = arrayOf(tensor.grad().defined() ? tensor.grad() : at::zeros_like(tensor));
}

}  // namespace

Status checkReferenceDevice(const std::string& device) {
    if (device == "cpu" || (device == "cuda" && at::hasCUDA())) return {};
    if (device == "cuda")
        return badInput("Cannot compute on a GPU", "no GPU can be used here", "Use --device cpu, or run './run setup --cuda' on a machine with a GPU");
    return badInput("Cannot compute the cases", "'" + device + "' is no device", "Use cpu or cuda");
}

Result<NamedArrays> runReferenceCase(const reference::Call& call, const std::string& device) {
    if (Status there = checkReferenceDevice(device); !there)
        return tl::unexpected(Error{ErrorKind::kJobFailed, kCannotCompute, there.error().why, there.error().remedy, {}});
    const auto operation = engineOperations().find(call.operation->name);
    if (operation == engineOperations().end()) return jobFailed(kCannotCompute, "the engine has no operation '" + call.operation->name + "'", kReportCase);
    try {
        const c10::AutoGradMode gradients(call.gradients);
        const CaseTensors in(call, device == "cuda" ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU));
        const CaseOutputs out = operation->second(in);
        NamedArrays results;
        for (const auto& [name, tensor] : out) results["out." + name] = arrayOf(tensor);
        if (call.gradients) addGradients(in, out, results);
        return results;
    } catch (const BadReferenceCase& bad) {
        return badInput("The case cannot be used", bad.why, "Correct the case");
    } catch (const c10::Error& problem) {
        return jobFailed(kCannotCompute, problem.what_without_backtrace(), kReportCase);
    } catch (const std::exception& problem) {
        return jobFailed(kCannotCompute, problem.what(), kReportCase);
    }
}

}  // namespace es::engine
