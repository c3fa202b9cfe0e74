// What the facts of a board type must look like for the sections that Adze itself reads.
#pragma once

#include "host/pipeline/board_type.hpp"

namespace adze::host {

/// Sections that Adze does not know are left to the plugins that read them. Errors:
/// INVALID_ARGUMENT naming `file` and the fact: missing, of the wrong type, out of its range, or
/// unknown (numbers say their unit in their name).
void check_board_type(const Facts& facts, const std::string& file);

}  // namespace adze::host
