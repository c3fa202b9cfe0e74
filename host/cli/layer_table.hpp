// A comparison layer by layer, for the terminal.
#pragma once

#include <string>

#include "host/compare/layers.hpp"

namespace adze::host {

/// The table, what it leaves out, and where the runners part. `a`, `b`: their names.
std::string layer_text(const LayerComparison& comparison, const std::string& a,
                       const std::string& b);

}  // namespace adze::host
