// Runs a built graph through the executor and gives back its outputs.
#pragma once

#include <random>

#include "plugins/tensor_exec/executable.hpp"
#include "tests/unit/tensor_exec/graph_builder.hpp"

namespace adze::testing {

struct HowToRun {
  std::uint32_t batch = 1;
  exec::Path path = exec::Path::automatic;
  int threads = 1;
  exec::Rounding rounding = exec::Rounding::half_even;
  std::vector<std::uint32_t> extra_outputs;
};

/// A batch of the shape that the builder shows for one sample, along `axis`.
inline Shape batched(Shape shape, std::uint32_t batch, std::int32_t axis = 0) {
  if (axis >= 0) shape[static_cast<std::size_t>(axis)] *= batch;
  return shape;
}

inline std::vector<std::vector<float>> execute(exec::Executable& executable,
                                               const std::vector<std::vector<float>>& inputs,
                                               int threads = 1) {
  std::vector<Shape> shapes, strides;
  std::vector<adze_tensor> tensors;
  for (const std::uint32_t value : executable.program().inputs) {
    const exec::Value& whole = executable.program().values[value];
    shapes.push_back(batched(whole.shape, executable.program().batch, whole.batch_axis));
    strides.push_back(exec::strides_of(shapes.back()));
  }
  std::vector<const adze_tensor*> pointers;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    tensors.push_back({inputs[i].data(), 1, 0, static_cast<std::int32_t>(shapes[i].size()),
                       ADZE_FLOAT, 32, 1, shapes[i].data(), strides[i].data(), 0});
  for (const adze_tensor& tensor : tensors) pointers.push_back(&tensor);
  std::vector<std::vector<float>> results;
  executable.run(pointers, threads, [&](const exec::Executable::Result& result) {
    const auto* floats = reinterpret_cast<const float*>(result.bytes.data());
    results.emplace_back(floats, floats + result.bytes.size() / sizeof(float));
  });
  return results;
}

inline std::vector<std::vector<float>> execute(GraphBuilder& builder,
                                               const std::vector<std::vector<float>>& inputs,
                                               const HowToRun& how = {}) {
  exec::Program program = exec::make_program(*builder.graph(), how.rounding);
  program.batch = how.batch;
  program.extra_outputs = how.extra_outputs;
  exec::Executable executable(std::move(program), {how.path, how.threads});
  return execute(executable, inputs, how.threads);
}

/// Deterministic test data.
class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  float number(float low, float high) {
    return low + (high - low) * static_cast<float>(engine_() % 1000003) / 1000003.0f;
  }
  std::vector<float> numbers(std::int64_t count, float low, float high) {
    std::vector<float> result(static_cast<std::size_t>(count));
    for (float& x : result) x = number(low, high);
    return result;
  }

 private:
  std::mt19937 engine_;
};

}  // namespace adze::testing
