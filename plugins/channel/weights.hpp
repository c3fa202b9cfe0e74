// The weights as they are while a stage goes on, and their way into the edits.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <vector>

#include "plugins/channel/fit.hpp"
#include "plugins/channel/model.hpp"

namespace channel {

/// By group: the channels that leave.
using Leaving = std::vector<std::vector<std::uint32_t>>;

/// What the leaving channels leave of each layer.
std::vector<Remains> remains_of(const Model& model, const Leaving& leaving);

class Weights {
 public:
  /// `model` must outlive the object, the call must make no other edits.
  Weights(adze_call* call, const Model& model);

  const RowMatrix& of(std::size_t layer) const { return now_[layer]; }
  /// Weights that the model's type cannot hold are not taken.
  void set(std::size_t layer, RowMatrix weight);
  void reset() { now_ = first_; }

  /// Zeros in place of all that leaves, so that the model answers as if it had left: columns of
  /// those who read it, and what computes it.
  void clear(const std::vector<Remains>& remains);

  /// Replaces all edits of the call by what the weights are now. Layers that the stage may not
  /// change, or whose weight another node uses too, stay as shown.
  void hand_over();

 private:
  void set_constant(std::uint32_t value, const std::vector<float>& elements);

  adze_call* call_;
  const Model& model_;
  std::uint64_t start_;
  std::vector<RowMatrix> first_, now_;
};

}  // namespace channel
