#include "plugins/tensor_exec/memory_limit.hpp"

#include <unistd.h>

#include <algorithm>

namespace adze::exec {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 31;

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string((bytes >> 20) + ((bytes & 0xFFFFF) != 0)) + " MiB";
}

[[noreturn]] void refuse(const std::string& what, std::uint64_t needed, std::uint64_t limit) {
  throw Error(ADZE_RESOURCE_EXHAUSTED,
              what + " takes " + mebibytes(needed) + " of memory, more than the " +
                  mebibytes(limit) +
                  " it may; choose a smaller input or batch, or raise memory_limit_mib");
}

std::string producer_of(const Program& program, std::uint32_t value) {
  for (const Node& node : program.nodes)
    if (std::ranges::find(node.outputs, value) != node.outputs.end())
      return "node '" + node.name + "' (" + node.op + "): its output";
  return "input";
}

}  // namespace

std::optional<std::int64_t> bounded_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size > kMaxElements / count) return std::nullopt;
    count *= std::max<std::int64_t>(size, 1);
  }
  return count;
}

std::uint64_t machine_memory_bytes() {
  return static_cast<std::uint64_t>(std::max(sysconf(_SC_PHYS_PAGES), 1L)) *
         static_cast<std::uint64_t>(std::max(sysconf(_SC_PAGESIZE), 1L));
}

void check_values_fit(const Program& program, std::uint64_t limit_bytes) {
  for (std::uint32_t i = 0; i < program.values.size(); ++i) {
    const Value& value = program.values[i];
    if (value.is_constant()) continue;
    const auto count = bounded_count(value.shape);
    if (!count) continue;  // its nodes are refused
    const std::uint64_t bytes =
        static_cast<std::uint64_t>(*count) * std::max(size_of(value.dtype), sizeof(float));
    if (bytes > limit_bytes)
      refuse(producer_of(program, i) + " '" + value.name + "' of " + to_string(value.shape), bytes,
             limit_bytes);
  }
}

void check_total_fits(std::uint64_t needed_bytes, std::uint64_t limit_bytes) {
  if (needed_bytes > limit_bytes) refuse("the model", needed_bytes, limit_bytes);
}

}  // namespace adze::exec
