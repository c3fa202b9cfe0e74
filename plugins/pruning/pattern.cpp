#include "plugins/pruning/pattern.hpp"

#include <adze/adze.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

namespace pruning {
namespace {

std::int64_t parse_count(std::string_view digits, std::string_view pattern) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size())
    throw adze::Error(
        ADZE_INVALID_ARGUMENT,
        "pattern '" + std::string(pattern) +
            "' is not of the form N:M or :M, as in '4:16' (keep 4 of 16), 1xK or Kx1");
  return value;
}

}  // namespace

Goal parse_goal(double sparsity, std::string_view pattern) {
  const bool said = sparsity != kNotSaid;
  if (said && !(sparsity >= 0 && sparsity < 1))
    throw adze::Error(ADZE_INVALID_ARGUMENT,
                      "sparsity is " + std::to_string(sparsity) + ", but must be in 0..1 below 1");
  Goal goal;
  goal.sparsity = said ? sparsity : kDefaultSparsity;
  if (pattern.empty()) return goal;

  if (const std::size_t cross = pattern.find('x'); cross != std::string_view::npos) {
    goal.block_outputs = parse_count(pattern.substr(0, cross), pattern);
    goal.block_inputs = parse_count(pattern.substr(cross + 1), pattern);
    const auto [smaller, larger] = std::minmax(goal.block_outputs, goal.block_inputs);
    if (smaller != 1 || larger < 2 || larger > kLargestBlock)
      throw adze::Error(ADZE_INVALID_ARGUMENT, "pattern '" + std::string(pattern) +
                                                   "': a block is 1xK or Kx1 with K from 2 to 256");
    return goal;
  }
  const std::size_t colon = pattern.find(':');
  if (colon == std::string_view::npos) parse_count("", pattern);
  goal.group = parse_count(pattern.substr(colon + 1), pattern);
  if (goal.group < 2 || goal.group > kLargestGroup)
    throw adze::Error(ADZE_INVALID_ARGUMENT, "pattern '" + std::string(pattern) +
                                                 "': the group must have 2 to 16 channels");
  const auto size = static_cast<double>(goal.group);
  if (colon == 0) {
    // A sparsity that is met exactly, such as 0.75 in groups of 16, must not lose one to rounding.
    goal.kept = static_cast<std::int64_t>(std::floor((1 - goal.sparsity) * size + 1e-9));
    if (goal.kept < 1)
      throw adze::Error(ADZE_INVALID_ARGUMENT, "sparsity " + std::to_string(goal.sparsity) +
                                                   " leaves nothing in groups of " +
                                                   std::to_string(goal.group) +
                                                   "; lower it or choose a larger group");
  } else {
    if (said)
      throw adze::Error(ADZE_INVALID_ARGUMENT, "pattern '" + std::string(pattern) +
                                                   "' already fixes the sparsity; leave `sparsity` "
                                                   "out, or give ':M' to let N follow from it");
    goal.kept = parse_count(pattern.substr(0, colon), pattern);
    if (goal.kept < 1 || goal.kept > goal.group)
      throw adze::Error(ADZE_INVALID_ARGUMENT,
                        "pattern '" + std::string(pattern) + "': N must be in 1..M");
  }
  goal.sparsity = 1 - static_cast<double>(goal.kept) / size;
  return goal;
}

}  // namespace pruning
