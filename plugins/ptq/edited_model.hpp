// The model as shown, with the edits made so far.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace ptq {

class EditedModel {
 public:
  /// Errors: adze::Error FAILED_PRECONDITION when the model is quantized already.
  explicit EditedModel(adze_call* call);

  adze_call* call() const { return call_; }
  const adze_graph& graph() const { return *call_->graph; }
  const adze_node& node(std::uint32_t index) const { return *graph().nodes[index]; }
  const adze_value& value(std::uint32_t index) const { return *graph().values[index]; }
  bool is_target(std::uint32_t node) const { return target_[node]; }
  /// A constant in f32 whose readers are all targets.
  bool may_change(std::uint32_t value) const;

  /// Contents as edited. Errors: adze::Error FAILED_PRECONDITION for NaN or infinity.
  std::span<const float> constant(std::uint32_t value) const;
  void set_constant(std::uint32_t value, std::vector<float> contents);
  /// axis -1: one scale. `zero_point`: NULL for 0.
  void set_quant(std::uint32_t value, std::int32_t axis, std::uint8_t code, int bits,
                 std::span<const float> scales, const std::int32_t* zero_point);

  void log(std::int32_t level, const std::string& text) const;

 private:
  adze_call* call_;
  std::vector<bool> target_;                            ///< by node
  std::map<std::uint32_t, std::vector<float>> edited_;  ///< by value
};

}  // namespace ptq
