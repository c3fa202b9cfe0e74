// Values of a graph while a backend runs it on samples.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "host/evaluate/runner.hpp"
#include "host/graph/graph.hpp"

namespace adze::host {

/// Compiles a graph so that it returns the values `extra` after its outputs.
using MakeRunner = std::function<std::unique_ptr<Runner>(
    const Graph& graph, const std::vector<std::string>& extra, std::uint32_t batch)>;

/// One graph, compiled when values are asked for that the last runner does not return.
class Activations {
 public:
  explicit Activations(MakeRunner make_runner) : make_runner_(std::move(make_runner)) {}

  /// Another graph, whose values have the indices of the first.
  void show(Graph graph);
  /// What run() shall return, and for how many samples at once.
  void want(const std::set<std::uint32_t>& values, std::uint32_t batch);
  /// `samples`: the model's inputs. Errors: DATA_LOSS for NaN or infinity, naming the node that
  /// produced it; those of the runner.
  std::map<std::uint32_t, Tensor> run(std::span<const Tensor> samples);

 private:
  bool is_given(std::uint32_t value) const;
  void check_finite(const Value& value, const Tensor& tensor) const;

  MakeRunner make_runner_;
  Graph graph_;
  std::set<std::uint32_t> wanted_, compiled_;
  std::uint32_t batch_ = 0;
  std::unique_ptr<Runner> runner_;
};

/// The elements of a float32 tensor in place, those of other types through `storage`.
std::span<const float> floats_of(const Tensor& tensor, std::vector<float>& storage);

}  // namespace adze::host
