// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/reference/compare.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>

namespace es::reference {
namespace {

struct TensorErrors {
    double absolute = 0, relative = 0;
    double worst = 0;       ///< largest error over tolerance; above 1: a mismatch. Infinite for NaN and unequal integers
    std::size_t where = 0;  ///< of the worst
};

TensorErrors errorsOf(const NumberArray& got, const NumberArray& wanted, double atol, double rtol) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    TensorErrors errors;
    const bool real = isReal(wanted.type);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double reference = real ? wanted.reals[i] : static_cast<double>(wanted.integers[i]);
        double error = std::abs((real ? got.reals[i] : static_cast<double>(got.integers[i])) - reference);
        const double allowed = real ? atol + rtol * std::abs(reference) : 0;
        double ratio = 0;
        if (!real) ratio = got.integers[i] == wanted.integers[i] ? 0 : kInfinity;
        else if (!(error <= allowed)) ratio = error > allowed && allowed > 0 ? std::max(error / allowed, std::nextafter(1.0, 2.0)) : kInfinity;
        else if (allowed > 0) ratio = error / allowed;
        if (std::isnan(error)) error = kInfinity;
        errors.absolute = std::max(errors.absolute, error);
        if (reference != 0) errors.relative = std::max(errors.relative, error / std::abs(reference));
        if (ratio > errors.worst) errors.worst = ratio, errors.where = i;
    }
    return errors;
}

std::string placeText(std::size_t flat, const std::vector<std::int64_t>& shape) {
    std::vector<std::int64_t> place(shape.size());
    for (std::size_t d = shape.size(); d-- > 0;) {
        const auto width = static_cast<std::size_t>(std::max<std::int64_t>(shape[d], 1));
        place[d] = static_cast<std::int64_t>(flat % width);
        flat /= width;
    }
    return shapeText(place);
}

std::string mismatch(const std::string& name, const NumberArray& got, const NumberArray& wanted, std::size_t where) {
    const std::string place = wanted.shape.empty() ? "" : placeText(where, wanted.shape);
    if (isReal(wanted.type)) return fmt::format("{}{} is {:.9g}, expected {:.9g}", name, place, got.reals[where], wanted.reals[where]);
    return fmt::format("{}{} is {}, expected {}", name, place, got.integers[where], wanted.integers[where]);
}

}  // namespace

std::string_view nameOf(Verdict verdict) {
    switch (verdict) {
        case Verdict::kOk: return "ok";
        case Verdict::kFail: return "FAIL";
        case Verdict::kUnknownOp: return "unknown op";
        case Verdict::kBadCase: return "bad case";
    }
    return "?";
}

Outcome compare(const Case& test, const NamedArrays& computed) {
    Outcome outcome;
    outcome.name = test.name;
    outcome.op = test.op;
    double worst = -1;
    const auto consider = [&](const std::string& name, const NumberArray& wanted) {
        const auto found = computed.find(name);
        const bool fits = found != computed.end() && found->second.shape == wanted.shape && isReal(found->second.type) == isReal(wanted.type) &&
                          found->second.size() == wanted.size();
        if (!fits) {
            worst = std::numeric_limits<double>::infinity();
            outcome.tensor = name;
            outcome.reason = found == computed.end()
                                 ? name + " was not computed"
                                 : fmt::format("{} was computed with shape {}, expected {}", name, shapeText(found->second.shape), shapeText(wanted.shape));
            return;
        }
        const TensorErrors errors = errorsOf(found->second, wanted, test.atol, test.rtol);
        if (!(errors.worst > worst)) return;
        worst = errors.worst;
        outcome.absolute = errors.absolute;
        outcome.relative = errors.relative;
        outcome.tensor = name;
        outcome.reason = worst > 1 ? mismatch(name, found->second, wanted, errors.where) : "";
    };
    for (const auto& [name, wanted] : test.outputs) consider("out." + name, wanted);
    for (const auto& [name, wanted] : test.gradients) consider("grad." + name, wanted);
    outcome.verdict = worst > 1 || worst < 0 ? Verdict::kFail : Verdict::kOk;
    return outcome;
}

Outcome runCase(const std::filesystem::path& path, const Runner& engine, const Runner& analysis, NamedArrays* computed) {
    Outcome outcome;
    outcome.name = path.stem().string();
    const auto end = [&outcome](Verdict verdict, std::string reason) {
        outcome.verdict = verdict;
        outcome.reason = std::move(reason);
        return outcome;
    };
    try {
        const auto test = readCase(path);
        if (!test) return end(Verdict::kBadCase, test.error().why);
        outcome.op = test->op;
        const Operation* operation = findOperation(test->op);
        if (!operation) return end(Verdict::kUnknownOp, "there is no operation '" + test->op + "'");
        const auto call = checkCase(*test);
        if (!call) return end(Verdict::kBadCase, call.error().why);
        auto results = (operation->home == Home::kEngine ? engine : analysis)(*call);
        if (!results) return end(results.error().kind == ErrorKind::kBadInput ? Verdict::kBadCase : Verdict::kFail, results.error().why);
        outcome = compare(*test, *results);
        if (computed) *computed = std::move(*results);
        return outcome;
    } catch (const std::exception& problem) {
        return end(Verdict::kFail, problem.what());
    }
}

}  // namespace es::reference
