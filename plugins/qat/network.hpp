// The graph as a LibTorch network that is trained: forward, loss, backward. No header of LibTorch
// is needed to use it.
#pragma once

#include <adze/ext/draft/dataset.h>

#include <adze/adze.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "plugins/qat/grids.hpp"
#include "plugins/quantization/plan.hpp"

namespace qat {

/// Something that training changes.
struct Parameter {
  enum class Kind : std::uint32_t {
    constant,   ///< a weight or bias of the graph
    log_scale,  ///< natural logarithm of a grid's scale: a step changes it by a share of itself
    range       ///< low and high of an activation, moving averages; has no gradient
  };
  Kind kind = Kind::constant;
  std::uint32_t value = 0;  ///< of the graph
  std::span<float> elements;
  std::span<const float> gradients;  ///< of the last learn(); empty: it took no part
  std::vector<std::uint8_t> keep;    ///< empty: all; 0 stays exactly zero
};

struct Loss {
  double labels = 1, distillation = 0;  ///< shares of the cross entropy and of the imitation
  double temperature = 1;               ///< both distributions are flattened by it
};

/// Sums over the samples of a batch.
struct Sums {
  double loss = 0;
  std::uint64_t right = 0, samples = 0;  ///< right: the largest output is the label's
};

struct NetworkOptions {
  const ptq::Plan* plan = nullptr;  ///< NULL: nothing is ever quantized
  GridOptions grids = {};
};

class Network {
 public:
  /// Constants of the graph's target nodes are trained; weights that are zero or masked stay zero.
  /// Errors: adze::Error UNIMPLEMENTED naming the node for an operator it cannot train through.
  Network(const adze_graph& graph, const NetworkOptions& options);
  ~Network();

  std::vector<Parameter>& parameters();

  /// Forward and backward: fills the parameters' gradients of the mean loss. `reference`: what to
  /// imitate, in the order of the outputs; empty: this network before it was trained.
  /// Errors: adze::Error for labels that do not go with the output.
  Sums learn(const adze_batch& batch, std::span<const adze_tensor* const> reference,
             const Loss& loss);
  /// The loss and the right answers alone.
  Sums judge(const adze_batch& batch, std::span<const adze_tensor* const> reference,
             const Loss& loss);
  /// Outputs, in the model's order.
  std::vector<std::vector<float>> run(const adze_batch& batch);

  /// Looks at the activations that will be quantized.
  void observe(const adze_batch& batch);
  /// Sets all grids from what was observed and from the weights as they are; rounds from now on.
  void start_quantizing();
  /// After start_quantizing() in a run that this one continues: the parameters hold the grids.
  void continue_quantizing();
  bool quantizes() const;

  /// The grids. A weight's scale is at least what its bias needs to fit into 32 bits.
  std::vector<Quantized> quantized() const;
  /// A parameter of kind `constant` as it goes into the model: on its grid when it has one.
  std::vector<float> contents(const Parameter& parameter) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// While it lives, LibTorch uses this many threads.
class ThreadCount {
 public:
  explicit ThreadCount(std::uint32_t threads);
  ~ThreadCount();
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

}  // namespace qat
