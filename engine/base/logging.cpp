// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/logging.h"

#include <spdlog/sinks/stdout_color_sinks.h>

#include <cstdlib>
#include <string>

namespace es {

void setUpLogging(std::string_view level) {
    auto logger = std::make_shared<spdlog::logger>("expertscope", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_pattern("%H:%M:%S %^%l%$ %v");
    const char* fromEnvironment = std::getenv("EXPERTSCOPE_LOG");
    logger->set_level(spdlog::level::from_str(fromEnvironment ? fromEnvironment : std::string(level)));
    spdlog::set_default_logger(std::move(logger));
}

}  // namespace es
