// Messages for people, on stderr. Results go to stdout and never through here.
#pragma once

#include <string_view>

namespace adze::host {

enum class LogLevel { debug, info, warning, error };

/// Messages below `level` are dropped; `color`: "auto" (a terminal that wants it), "always",
/// "never".
void set_log(LogLevel level, std::string_view color);
/// [any] thread.
void log(LogLevel level, std::string_view text);

}  // namespace adze::host
