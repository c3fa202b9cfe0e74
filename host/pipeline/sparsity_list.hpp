// Sparsities as users write them on a command line: one, several, or a range.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace adze::host {

/// "sparsity=0.7", "sparsity=0.5,0.7,0.9", "sparsity=0.7..0.95" (in steps of 0.05) or
/// "sparsity=0.7..0.95:0.01"; ranges may stand in a list. Ascending, each once; the end of a range
/// counts even when no step falls on it. `option`: "--what-if", for messages. Errors:
/// INVALID_ARGUMENT saying what is wrong and how it is written.
std::vector<double> parse_sparsities(std::string_view option, std::string_view text);

}  // namespace adze::host
