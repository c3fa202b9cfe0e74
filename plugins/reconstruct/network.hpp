// The model as a function that can be differentiated: what its operators make of samples, and which
// change of the weights the answers ask for. As much of it as is made of operators known here.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace reconstruct {

/// One sample of a value. In memory: position by position, channels fastest.
struct Extent {
  std::int64_t height = 1, width = 1, channels = 0;
  std::int64_t positions() const { return height * width; }
  std::int64_t size() const { return positions() * channels; }
};

/// By value of the graph; empty where there is nothing.
using ByValue = std::vector<std::vector<float>>;

/// What one piece of work keeps: activations, and how the loss changes with each.
struct Workspace {
  ByValue values, gradients;
  ByValue parameter_gradients;  ///< added up until the caller clears them
  std::vector<float> unfolded, other;
};

/// What an operator sees of a pass.
struct Pass {
  std::int64_t samples = 0;
  const ByValue* parameters = nullptr;
  Workspace* work = nullptr;
};

class Operator {
 public:
  virtual ~Operator() = default;
  virtual void forward(const Pass& pass) const = 0;
  /// Adds to the gradients of those inputs and parameters that have some.
  virtual void backward(const Pass& pass) const = 0;
  /// Multiplications and additions of one sample, forward.
  virtual double operations() const { return 0; }

  std::vector<std::uint32_t> inputs;
  std::uint32_t output = ADZE_NONE;
  std::vector<std::uint32_t> parameters;
};

class Network {
 public:
  explicit Network(const adze_graph& graph);

  bool knows(std::uint32_t value) const { return extents_[value].channels > 0; }
  const Extent& extent(std::uint32_t value) const { return extents_[value]; }

  /// Leaves out what these values do not depend on. `tuned`: the parameters that get gradients.
  void restrict_to(std::span<const std::uint32_t> values, std::span<const std::uint32_t> tuned);
  /// Inputs of the model and parameters that are left.
  const std::vector<std::uint32_t>& inputs() const { return inputs_; }
  std::vector<std::uint32_t> parameters() const;

  double operations() const;           ///< of one sample, forward
  double activation_elements() const;  ///< of one sample

  /// From a parameter's order in memory to the one used here, and back; masks likewise.
  template <class T>
  std::vector<T> ordered(std::uint32_t parameter, std::span<const T> stored) const {
    const std::vector<std::uint32_t>& order = order_[parameter];
    std::vector<T> made(stored.size());
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = stored[order.empty() ? i : order[i]];
    return made;
  }
  std::vector<float> stored(std::uint32_t parameter, std::span<const float> ordered) const;

  /// Room for `samples` samples; `differentiates`: for backward(), too.
  Workspace workspace(std::int64_t samples, bool differentiates) const;
  /// From work.values of the inputs to those of all values.
  void forward(std::int64_t samples, const ByValue& parameters, Workspace& work) const;
  /// From work.gradients of the values a loss looks at, which the caller has set, to
  /// work.parameter_gradients. clear_gradients() comes before.
  void backward(std::int64_t samples, const ByValue& parameters, Workspace& work) const;
  void clear_gradients(Workspace& work) const;

 private:
  void add_node(const adze_graph& graph, const adze_node& node);

  std::vector<Extent> extents_;  ///< by value; no channels: not known
  std::vector<std::unique_ptr<Operator>> operators_;
  std::vector<std::uint32_t> inputs_;
  std::vector<bool> needs_gradient_;               ///< by value
  std::vector<std::vector<std::uint32_t>> order_;  ///< by parameter; empty: as stored
};

}  // namespace reconstruct
