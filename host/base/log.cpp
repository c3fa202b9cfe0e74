#include "host/base/log.hpp"

// Header-only, so that the statically linked agent needs no shared fmt.
#define FMT_HEADER_ONLY 1
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace adze::host {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      break;
  }
  return spdlog::level::err;
}

spdlog::logger& logger() {
  static spdlog::logger instance = [] {
    spdlog::logger made("adze", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made.set_pattern("adze: %^%l%$: %v");
    return made;
  }();
  return instance;
}

}  // namespace

void set_log(LogLevel level, std::string_view color) {
  auto& sink = static_cast<spdlog::sinks::stderr_color_sink_mt&>(*logger().sinks().front());
  sink.set_color_mode(color == "always"  ? spdlog::color_mode::always
                      : color == "never" ? spdlog::color_mode::never
                                         : spdlog::color_mode::automatic);
  logger().set_level(level_of(level));
}

void log(LogLevel level, std::string_view text) { logger().log(level_of(level), text); }

}  // namespace adze::host
