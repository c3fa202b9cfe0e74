// The component's parameters, and what the board type asks of the toolchain.
#pragma once

#include <adze/adze.hpp>
#include <chrono>
#include <string>
#include <vector>

namespace adze::drpai_tvm {

extern const std::span<const adze_param> kParameters;

/// Whose scales the board computes with.
enum class Scales {
  own,    ///< the model's QDQ, through the toolchain's entry for quantization-aware training
  vendor  ///< the vendor's calibrator, on the FP32 model
};

struct Settings {
  std::string tvm_root, translator, quantizer, sdk;  ///< empty: the environment's
  std::string product;                               ///< "V2H"
  bool int8 = true;                                  ///< the product computes in INT8, not FP16
  std::string version;                               ///< empty: asked of the toolchain
  std::string container, container_program, python, keep, calibration;
  std::string scales;  ///< auto | own | vendor
  std::string calibrate_method;
  double percentile = 0;
  bool zero_point = false, sparse = true;
  std::vector<std::string> exclude_nodes;
  std::vector<double> mean, deviation;
  std::int64_t recorder_resize = 256, recorder_crop = 224;
  std::chrono::seconds time_limit{};
  std::uint64_t memory_area_bytes = 0;  ///< of DRP-AI on the board

  /// Checks what the schema cannot. Errors: INVALID_ARGUMENT.
  explicit Settings(const adze_call& call);

  /// What follows `--opts`, all in one: the option counts once, and the last one wins.
  std::string quantizer_opts() const;
  /// The quantizer's other options, as the compile script's -p takes them.
  std::string quantizer_options() const;
};

}  // namespace adze::drpai_tvm
