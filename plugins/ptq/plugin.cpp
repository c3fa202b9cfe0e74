// adze.quantize.ptq: INT8 from the ranges that calibration samples show. Weights: int8, symmetric,
// one scale an output channel. Activations: unsigned, one scale a tensor.
#include <adze/adze.hpp>
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "plugins/ptq/grid.hpp"
#include "plugins/ptq/plan.hpp"

namespace ptq {
namespace {

enum { kZeroPoint, kBits };

constexpr const char* kZeroPoints[] = {"auto", "symmetric", "affine", nullptr};
constexpr int kAuto = 0;

constexpr adze_param kParams[] = {
    {sizeof(adze_param), ADZE_TEXT, 0, "zero_point",
     "Of activations: symmetric (0, or the middle when values are negative), affine, or what the "
     "board type says.",
     0, 0, 0, "auto", kZeroPoints},
    adze::i64("bits", "Of activations: 7 or 8; 0: what the board type says, or 8.", kAuto, 0, 8)};

const adze_property* fact(const adze_target* target, std::string_view name) {
  for (std::uint32_t i = 0; target && i < target->fact_count; ++i)
    if (target->facts[i]->name == name) return target->facts[i];
  return nullptr;
}

ZeroPoint choose_zero_point(const adze_call& call) {
  const std::string_view said = call.arguments[kZeroPoint]->text[0];
  if (said != "auto") return said == "affine" ? ZeroPoint::affine : ZeroPoint::symmetric;
  const adze_property* affine = fact(call.target, "arithmetic.zero_point");
  return affine && affine->i64 && affine->i64[0] ? ZeroPoint::affine : ZeroPoint::symmetric;
}

void check_number_format(const adze_call& call) {
  const adze_property* format = fact(call.target, "number_format");
  if (format && format->text && std::string_view(format->text[0]) != "int8")
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "board type '" + std::string(call.target->board_type) + "' computes in " +
                          format->text[0] + ", not in int8: leave this stage out");
}

int choose_bits(const adze_call& call) {
  std::int64_t bits = call.arguments[kBits]->i64[0];
  if (bits == kAuto) {
    const adze_property* known = fact(call.target, "arithmetic.activation_bits");
    bits = known && known->i64 ? known->i64[0] : 8;
  }
  if (bits != 7 && bits != 8)
    throw adze::Error(ADZE_INVALID_ARGUMENT,
                      "bits is " + std::to_string(bits) + ", but must be 7 or 8");
  return static_cast<int>(bits);
}

class Quantizer {
 public:
  explicit Quantizer(adze_call* call)
      : call_(call), zero_point_(choose_zero_point(*call)), bits_(choose_bits(*call)) {}

  void run() {
    check_number_format(*call_);
    const Plan plan = make_plan(*call_->graph);
    if (plan.weights.empty() && plan.measured.empty())
      throw adze::Error(ADZE_FAILED_PRECONDITION,
                        "the model has no operator among its targets that runs in integers");
    adze::progress(call_, 0, "ranges");
    measure(plan.measured);
    for (const std::uint32_t value : plan.constants) {
      const auto elements = adze::f32(call_->graph->values[value]->constant);
      check_finite(value, elements);
      const auto [low, high] = std::minmax_element(elements.begin(), elements.end());
      if (low != elements.end()) set_activation(value, *low, *high);
    }
    for (const auto& [value, source] : plan.shared) {
      grids_[value] = grids_.at(source);
      set_grid(value);
    }
    adze::progress(call_, 0.9, "weights");
    for (const WeightPlan& weight : plan.weights) set_weight(weight);
    adze::progress(call_, 1, "quantized");
  }

 private:
  void measure(const std::vector<std::uint32_t>& values) {
    const auto& calibration = adze::need<adze_calibration>(call_, ADZE_CALIBRATION);
    std::vector<adze_stat_request> requests;
    for (const std::uint32_t value : values)
      requests.push_back({.struct_size = sizeof(adze_stat_request),
                          .kind = ADZE_STAT_HISTOGRAM,
                          .node = ADZE_NONE,
                          .value = value,
                          .state = ADZE_STATE_SHOWN,
                          .value_state = ADZE_STATE_SHOWN,
                          .first = 0,
                          .count = 0,
                          .bins = 0});
    if (requests.empty()) return;
    std::vector<const adze_stat*> stats(requests.size());
    adze::check(calibration.collect(call_, requests.data(), requests.size(), stats.data()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      set_activation(values[i], stats[i]->low, stats[i]->high);
      calibration.release(call_, stats[i]);
    }
  }

  void set_activation(std::uint32_t value, double low, double high) {
    grids_[value] = activation_grid(low, high, zero_point_, bits_);
    set_grid(value);
  }

  void set_grid(std::uint32_t value) {
    const Grid& grid = grids_.at(value);
    set_quant(value, -1, ADZE_UINT, bits_, {&grid.scale, 1}, &grid.zero_point);
  }

  void set_weight(const WeightPlan& plan) {
    const adze_tensor& tensor = *call_->graph->values[plan.weight]->constant;
    const auto elements = adze::f32(&tensor);
    check_finite(plan.weight, elements);
    // Elements lie as [outer, channels, inner] around the axis of the output channels.
    std::size_t inner = 1;
    for (std::int32_t axis = plan.axis + 1; axis < tensor.ndim; ++axis)
      inner *= static_cast<std::size_t>(tensor.shape[axis]);
    const auto channels = static_cast<std::size_t>(tensor.shape[plan.axis]);
    std::vector<double> magnitudes(channels, 0);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      double& largest = magnitudes[i / inner % channels];
      largest = std::max(largest, std::abs(static_cast<double>(elements[i])));
    }
    std::span<const float> biases;
    if (plan.bias != ADZE_NONE) biases = adze::f32(call_->graph->values[plan.bias]->constant);
    if (plan.bias != ADZE_NONE) check_finite(plan.bias, biases);
    const auto grid = grids_.find(plan.input);
    const double input_scale = grid == grids_.end() ? 1 : static_cast<double>(grid->second.scale);
    const std::vector<float> scales = weight_scales(magnitudes, biases, input_scale);
    set_quant(plan.weight, plan.axis, ADZE_INT, 8, scales, nullptr);
  }

  void check_finite(std::uint32_t value, std::span<const float> elements) const {
    if (!std::all_of(elements.begin(), elements.end(), [](float x) { return std::isfinite(x); }))
      throw adze::Error(ADZE_FAILED_PRECONDITION,
                        "'" + std::string(call_->graph->values[value]->name) +
                            "' holds NaN or infinity, which no grid can show: the model is broken");
  }

  void set_quant(std::uint32_t value, std::int32_t axis, std::uint8_t code, int bits,
                 std::span<const float> scales, const std::int32_t* zero_point) {
    const adze_quant quant = {.struct_size = sizeof quant,
                              .flags = 0,
                              .axis = axis,
                              .code = code,
                              .bits = static_cast<std::uint8_t>(bits),
                              .reserved = 0,
                              .count = scales.size(),
                              .scale = scales.data(),
                              .zero_point = zero_point};
    adze::check(call_->edit->set_quant(call_, value, &quant));
  }

  adze_call* call_;
  ZeroPoint zero_point_;
  int bits_;
  std::map<std::uint32_t, Grid> grids_;  ///< by value
};

adze_status quantize(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] { Quantizer(call).run(); });
}

constexpr const char* kNeeds[] = {ADZE_CALIBRATION, nullptr};
constexpr adze_quantizer kQuantizer = {sizeof(adze_quantizer), 0, quantize};
constexpr adze_component kComponent =
    adze::component("adze.quantize.ptq", "INT8 from the ranges of the calibration samples.",
                    kParams, kNeeds, &kQuantizer);
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin = {
    sizeof(adze_plugin), ADZE_ABI_MINOR, 0,          1, "adze.ptq", "0.1.0",
    "The Adze authors",  "Apache-2.0",   kComponents};

}  // namespace
}  // namespace ptq

const adze_plugin* adze_plugin_v1(void) noexcept { return &ptq::kPlugin; }
