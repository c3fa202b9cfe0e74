// Text that somebody else wrote, made fit to be shown.
#pragma once

#include <string>
#include <string_view>

namespace adze::host {

/// Well-formed UTF-8 without control characters.
bool is_printable_utf8(std::string_view text);

/// What a plugin said, for a message: one line of at most `most_bytes` that no terminal takes for a
/// command and nobody for a line of ours. Lines are joined by " / ", what else cannot be printed
/// becomes '?', and of a longer text the end is left out.
std::string one_line(std::string_view text, std::size_t most_bytes = 4000);

}  // namespace adze::host
