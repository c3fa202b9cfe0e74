// A compiled model: one session, and which value of the host's graph each of its outputs is.
#pragma once

#include <adze/adze.hpp>

#include "plugins/onnxruntime/session.hpp"

namespace adze::ort {

class ModelBytes;

class Executable {
 public:
  /// Reports extra outputs that cannot be shown. Errors: those of the session.
  Executable(adze_call* call, const adze_compile& options, Api api, Optimization optimization);

  /// `inputs` in the order of the call's graph. Reports every output.
  void run(adze_call* call, std::span<const adze_tensor* const> inputs);
  /// The last run as one row: ONNX Runtime's own profile is a file, and slows the run down.
  void profile(adze_call* call) const;

 private:
  struct Output {
    std::uint32_t value;      ///< of the host's graph
    std::int32_t batch_axis;  ///< -1: none
  };
  struct Echo {
    std::uint32_t value;  ///< an input that was asked for as an output
    std::size_t input;
  };

  /// What is asked for besides the model's outputs, by the names it has in the model's bytes.
  std::vector<std::pair<std::string, std::uint32_t>> extra_outputs(adze_call* call,
                                                                   const adze_compile& options,
                                                                   const ModelBytes& model,
                                                                   Optimization optimization);
  void find_inputs(const adze_graph& graph);
  std::vector<Result> run_samples(std::span<const adze_tensor* const> inputs, std::size_t first,
                                  std::size_t count) const;
  void report_joined(adze_call* call, std::size_t output,
                     std::span<const std::vector<Result>> samples) const;

  std::unique_ptr<Session> session_;
  std::vector<std::size_t> inputs_;  ///< for each input of the session, its place in the graph's
  std::vector<bool> batched_;        ///< for each input of the graph
  std::vector<Output> outputs_;      ///< for each output of the session
  std::vector<Echo> echoes_;
  std::vector<std::uint32_t> nodes_;
  std::uint32_t batch_;
  bool sample_by_sample_ = false;  ///< the file insists on a batch of one
  double latency_ms_ = -1;         ///< of the last run; -1: none yet
};

}  // namespace adze::ort
