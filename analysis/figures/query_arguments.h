// SPDX-License-Identifier: GPL-3.0-or-later
// Reads the text parameters of a panel query. The first thing that is wrong is kept and told at the end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/figures/figure_recipe.h"

namespace es::analysis {

class QueryArguments {
public:
    explicit QueryArguments(const PanelQuery& query) : query_(query) {}
    [[nodiscard]] std::string text(const std::string& name, std::string otherwise = {});
    [[nodiscard]] std::int64_t integer(const std::string& name, std::int64_t otherwise, std::int64_t least, std::int64_t most);
    [[nodiscard]] double real(const std::string& name, double otherwise, double least, double most);
    /// One of `choices`: its index.
    [[nodiscard]] std::size_t choice(const std::string& name, const std::vector<std::string>& choices);
    [[nodiscard]] XAxis axis(const std::string& name, XAxis otherwise);
    [[nodiscard]] std::vector<std::string> list(const std::string& name, std::vector<std::string> otherwise);
    [[nodiscard]] std::optional<std::uint64_t> hash(const std::string& name);
    [[nodiscard]] Modality modality(const std::string& name, Modality otherwise);
    /// Router by name ("1.v"); `otherwise`: none given.
    [[nodiscard]] RouterId router(const std::string& name, const store::RunReader& run, RouterId otherwise);
    /// True when the parameter is there and not empty.
    [[nodiscard]] bool given(const std::string& name) const;
    void require(const std::string& name, const std::string& why);
    [[nodiscard]] const std::optional<Error>& problem() const { return problem_; }

private:
    void wrong(const std::string& name, const std::string& why, const std::string& remedy);
    const PanelQuery& query_;
    std::optional<Error> problem_;
};

}  // namespace es::analysis
