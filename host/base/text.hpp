// Text that somebody else wrote, made fit to be shown; bytes as text.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adze::host {

/// Well-formed UTF-8 without control characters.
bool is_printable_utf8(std::string_view text);

/// What a plugin said, for a message: one line of at most `most_bytes` that no terminal takes for a
/// command and nobody for a line of ours. Lines are joined by " / ", what else cannot be printed
/// becomes '?', and of a longer text the end is left out.
std::string one_line(std::string_view text, std::size_t most_bytes = 4000);

/// Standard alphabet, padded.
std::string base64(std::span<const std::byte> bytes);
/// Errors: DATA_LOSS for anything that base64() does not write.
std::vector<std::byte> from_base64(std::string_view text);

}  // namespace adze::host
