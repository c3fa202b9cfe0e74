// Placement rules, as the board type writes them: operators, a condition by name, and the reason
// that a person reads.
#pragma once

#include "plugins/tensor_exec/backend.hpp"

namespace adze::drpai {

struct Rule {
  std::vector<std::string> ops;
  std::string when;    ///< one of the conditions of rules.cpp; "always" when left out
  double limit = 0;    ///< of conditions that compare
  std::string reason;  ///< {op}, {groups}, {kernel}, {mode} and {shapes} are filled in
  bool beside = false;
  bool hand_over_included = false;  ///< in what the node itself costs
};

/// `placement.rule` of the board type. Errors: INVALID_ARGUMENT for an unknown condition.
std::vector<Rule> read_rules(const exec::Facts& facts);

/// Who reads each value.
using Readers = std::vector<std::vector<std::uint32_t>>;

bool applies(const Rule& rule, const exec::Program& program, const exec::Node& node,
             const Readers& readers);

/// The reason of `rule` for `node`.
std::string explain(const Rule& rule, const exec::Program& program, const exec::Node& node);

}  // namespace adze::drpai
