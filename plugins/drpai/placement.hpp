// Which unit of the board runs each node, by the rules of the board type.
#pragma once

#include "plugins/tensor_exec/backend.hpp"

namespace adze::drpai {

enum class Unit : std::uint8_t { drpai, cpu };
inline const char* name_of(Unit unit) { return unit == Unit::drpai ? "drpai" : "cpu"; }

struct Placement {
  Unit unit = Unit::drpai;
  std::string reason;               ///< why not drpai; empty there
  bool emulated = true;             ///< the executor can run it
  bool view = false;                ///< moves no data: runs where its input is
  bool beside = false;              ///< on the CPU without cutting the subgraph of the accelerator
  bool hand_over_included = false;  ///< in what the node itself costs
  std::uint32_t subgraph = 0;       ///< nodes that run together, on either unit
};

/// One entry a node. `program` may have been made with Contents::small. Errors: INVALID_ARGUMENT
/// for a rule of the board type that nobody here understands.
std::vector<Placement> place_nodes(const exec::Program& program, const exec::Facts& facts);

/// The node that makes each value; ADZE_NONE: inputs and constants.
std::vector<std::uint32_t> producers(const exec::Program& program);

}  // namespace adze::drpai
