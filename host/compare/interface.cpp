#include "host/compare/interface.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

std::string described(const Value& value) {
  return fmt::format("'{}' ({} of {})", value.name,
                     value.shape ? to_string(*value.shape) : "unknown shape",
                     info(value.dtype).name);
}

bool fit(const Value& a, const Value& b) {
  if (a.dtype != b.dtype) return false;
  if (!a.shape || !b.shape) return true;
  if (a.shape->size() != b.shape->size()) return false;
  for (std::size_t axis = 0; axis < a.shape->size(); ++axis)
    if ((*a.shape)[axis] >= 0 && (*b.shape)[axis] >= 0 && (*a.shape)[axis] != (*b.shape)[axis])
      return false;
  return true;
}

}  // namespace

void require_comparable(const Graph& a, const std::string& a_name, const Graph& b,
                        const std::string& b_name) {
  const auto refuse = [&](const std::string& why) {
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("cannot compare '{}' with '{}': {}", a_name, b_name, why));
  };
  if (a.inputs.size() != b.inputs.size())
    refuse(fmt::format("the first has {} inputs, the second {}", a.inputs.size(), b.inputs.size()));
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    const Value &mine = a.value(a.inputs[i]), &other = b.value(b.inputs[i]);
    if (!fit(mine, other))
      refuse(
          fmt::format("the input of the first is {}, that of the second {}; both must take the "
                      "same samples",
                      described(mine), described(other)));
  }
  for (const std::uint32_t output : a.outputs) {
    const Value& mine = a.value(output);
    const auto found = std::ranges::find_if(
        b.outputs, [&](std::uint32_t index) { return b.value(index).name == mine.name; });
    if (found != b.outputs.end() && !fit(mine, b.value(*found)))
      refuse(fmt::format("the output of the first is {}, that of the second {}", described(mine),
                         described(b.value(*found))));
  }
}

}  // namespace adze::host
