// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include "engine/config/config_io.h"

namespace es::config {

std::string referencePage() {
    std::string page =
        "# Configuration\n\n"
        "Every key of a run's TOML file. A key that is not given has its default; `--set section.key=value` changes one on the command line.\n"
        "The whole configuration, defaults included, is stored as `run.toml` in the run directory, so any run can be repeated from it.\n"
        "Unknown keys, wrong types and values out of range are refused before anything starts.\n\n"
        "This page is made from the program's own description of its options.\n";
    std::string section;
    for (const OptionDescription& option : describeOptions()) {
        if (option.section != section) {
            section = option.section;
            page += fmt::format("\n## [{}]\n\n| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n", section);
        }
        const std::string allowed = option.range + (option.unit.empty() ? "" : (option.range.empty() ? "" : " ") + option.unit);
        page += fmt::format("| `{}` | {} | `{}` | {} | {} |\n", option.name, option.type, option.default_value, allowed, option.help);
    }
    return page;
}

}  // namespace es::config
