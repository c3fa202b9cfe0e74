// What the user probably meant: the known name closest to a misspelled one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace adze::host {

/// The candidate with the fewest edits (insertion, removal, replacement, swap of neighbours) to
/// `name`; the first one of equals. Empty when even that one is too far to be meant.
std::string nearest(std::string_view name, std::span<const std::string> candidates);

/// "; did you mean 'x'?", or empty: to be appended to a message.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

}  // namespace adze::host
