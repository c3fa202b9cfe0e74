// The graphs that components are tried on, built in code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host::check {

struct SampleModel {
  std::string name;  ///< "a graph without nodes"
  Graph graph;
  std::vector<std::uint32_t> targets;
  std::uint32_t int4 = kNone;  ///< a value to be shown as int4
};

/// A small residual CNN that every pruner and quantizer must be able to work on.
SampleModel small_cnn();
/// For backends without kernels for that: the least that one must be able to run.
SampleModel elementwise_operators();

SampleModel empty_graph();
std::vector<SampleModel> one_node_graphs();
std::vector<SampleModel> odd_shapes();
SampleModel unknown_operators();
std::vector<SampleModel> odd_types();
/// With NaN, with infinities, and with both among the weights.
std::vector<SampleModel> odd_numbers();
SampleModel ten_thousand_nodes();

/// Always the same graph for the same seed.
SampleModel random_graph(std::uint64_t seed);

/// In a few lines, for people.
std::string text_of(const SampleModel& model);

}  // namespace adze::host::check
