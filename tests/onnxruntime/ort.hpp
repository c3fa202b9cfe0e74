// ONNX Runtime as a peer to compare with, without the host in between.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plugins/onnxruntime/session.hpp"

namespace adze::testing {

/// One model in one session. Errors: std::runtime_error with ONNX Runtime's own text.
class OrtSession {
 public:
  OrtSession(const std::filesystem::path& library, const std::filesystem::path& model, int threads);

  struct Tensor {
    std::vector<std::int64_t> shape;
    std::vector<float> elements;
  };
  /// Inputs and outputs in the model's order; floats only.
  std::vector<Tensor> run(std::span<const Tensor> inputs);
  /// "1.30.0"
  std::string version() const { return session_.api().version(); }

 private:
  ort::Session session_;
};

/// What ADZE_ONNXRUNTIME names; nullopt when it is not set.
std::optional<std::filesystem::path> ort_library();

}  // namespace adze::testing
