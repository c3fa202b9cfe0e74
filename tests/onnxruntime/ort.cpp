#include "tests/onnxruntime/ort.hpp"

#include <cstdlib>
#include <stdexcept>

namespace adze::testing {

constexpr int kFloat = 1;

OrtSession::OrtSession(const std::filesystem::path& library, const std::filesystem::path& model,
                       int threads)
    : session_(ort::Api(library.string()), model, {.threads = threads}) {}

std::vector<OrtSession::Tensor> OrtSession::run(std::span<const Tensor> inputs) {
  std::vector<ort::TensorView> views;
  for (const Tensor& input : inputs)
    views.push_back(
        {input.elements.data(), input.elements.size() * sizeof(float), kFloat, input.shape});
  std::vector<Tensor> outputs;
  for (const ort::Result& result : session_.run(views)) {
    if (result.onnx_type() != kFloat) throw std::runtime_error("an output is not of floats");
    std::size_t count = 1;
    for (const std::int64_t size : result.shape()) count *= static_cast<std::size_t>(size);
    const auto* elements = static_cast<const float*>(result.data());
    outputs.push_back({result.shape(), {elements, elements + count}});
  }
  return outputs;
}

std::optional<std::filesystem::path> ort_library() {
  const char* path = std::getenv("ADZE_ONNXRUNTIME");
  if (!path || !*path) return std::nullopt;
  return path;
}

}  // namespace adze::testing
