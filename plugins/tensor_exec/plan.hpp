// The steps that execute a program for a fixed number of samples, and the buffers between them.
#pragma once

#include <memory>
#include <vector>

#include "plugins/tensor_exec/memory.hpp"
#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

struct Buffer {
  enum class Kind : std::uint8_t { arena, constant, input } kind = Kind::arena;
  Lifetime lifetime{};
  AlignedBytes constant;
  std::uint32_t input = 0;  ///< index among the program's inputs
};

struct Step {
  std::vector<std::uint32_t> nodes;  ///< of the program; empty: a conversion
  std::unique_ptr<Kernel> kernel;
  std::vector<std::size_t> inputs, outputs;  ///< buffers
  std::uint64_t bytes = 0;                   ///< read and written
};

struct Plan {
  std::int64_t batch = 1;
  std::vector<Buffer> buffers;
  std::vector<Step> steps;
  std::vector<std::size_t> reported;  ///< buffers of outputs and extra outputs: plain, of
                                      ///< their own type
  std::size_t arena_bytes = 0, scratch_bytes = 0;
};

/// Nodes that run as one step: the first, and the Add, Relu or Clip on its result that can run with
/// it, and a chain; or a chain alone.
struct Group {
  std::vector<std::uint32_t> nodes;
  Clamp clamp;
  std::uint32_t addend = ADZE_NONE;  ///< the other value of the Add
  /// How many of the nodes, the last ones, are a chain. Each is a function of elements at the same
  /// place of one value, of results of the nodes before, and of numbers; only the last result is
  /// read by others.
  std::size_t chain = 0;
};
/// In the order of execution. Each node is in one group.
std::vector<Group> group_nodes(const Program& program);

/// Errors: UNIMPLEMENTED or INVALID_ARGUMENT naming the node.
Plan make_plan(const Program& program, std::int64_t batch, const Options& options);

}  // namespace adze::exec
