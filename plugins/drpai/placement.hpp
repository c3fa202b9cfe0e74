// Which unit of the board runs each node, by the rules of the board type.
#pragma once

#include "plugins/tensor_exec/backend.hpp"

namespace adze::drpai {

enum class Unit : std::uint8_t { drpai, cpu };
inline const char* name_of(Unit unit) { return unit == Unit::drpai ? "drpai" : "cpu"; }

struct Placement {
  Unit unit = Unit::drpai;
  std::string reason;    ///< why not drpai; empty there
  bool emulated = true;  ///< the executor can run it
};

/// One entry a node. `program` may have been made with Contents::small.
std::vector<Placement> place_nodes(const exec::Program& program, const exec::Facts& facts);

}  // namespace adze::drpai
