// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/reference/reference_case.h"

#include <charconv>
#include <cmath>

namespace es::reference {
namespace {

/// A finite number >= 0 in the notation of JSON or Python.
Result<double> tolerance(const std::map<std::string, std::string>& metadata, const std::string& key) {
    const auto found = metadata.find(key);
    if (found == metadata.end()) return badCase("its metadata lack " + key);
    double value = 0;
    const char *begin = found->second.data(), *end = begin + found->second.size();
    const auto [stop, problem] = std::from_chars(begin, end, value);
    if (problem != std::errc() || stop != end || !std::isfinite(value) || value < 0) return badCase(key + " = '" + found->second + "' is no tolerance");
    return value;
}

std::string textOf(const std::map<std::string, std::string>& metadata, const std::string& key, const std::string& otherwise) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? otherwise : found->second;
}

}  // namespace

tl::unexpected<Error> badCase(std::string why) { return badInput("The case cannot be used", std::move(why), "Correct the case"); }

Result<Case> readCase(const std::filesystem::path& path) {
    auto file = readArrayFile(path);
    if (!file) return tl::unexpected(std::move(file.error()));
    Case test;
    test.name = path.stem().string();
    if (!file->metadata.count("op")) return badCase("its metadata lack op");
    test.op = file->metadata.at("op");
    test.params = textOf(file->metadata, "params", "{}");
    test.source = textOf(file->metadata, "source", "");
    for (auto& [name, array] : file->arrays) {
        if (name.starts_with("in.")) test.inputs[name.substr(3)] = std::move(array);
        else if (name.starts_with("out.")) test.outputs[name.substr(4)] = std::move(array);
        else if (name.starts_with("grad.")) test.gradients[name.substr(5)] = std::move(array);
        else return badCase("tensor '" + name + "' is neither in., out. nor grad.");
    }
    // An operation that nobody knows needs no tolerances to be called unknown.
    if (!findOperation(test.op)) return test;
    for (const auto& [key, target] : {std::pair{"atol", &test.atol}, std::pair{"rtol", &test.rtol}}) {
        const auto value = tolerance(file->metadata, key);
        if (!value) return tl::unexpected(value.error());
        *target = *value;
    }
    return test;
}

}  // namespace es::reference
