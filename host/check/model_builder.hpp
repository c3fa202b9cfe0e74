// Spells a graph in a few lines.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/check/sample_models.hpp"

namespace adze::host::check {

/// Numbers that look random and are the same each time, on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// 0 .. count - 1.
  std::uint64_t below(std::uint64_t count) { return next() % count; }
  /// -1 .. 1
  float uniform() { return static_cast<float>(next() >> 40) * 0x1p-23f - 1.0f; }

 private:
  std::uint64_t state_;
};

class ModelBuilder {
 public:
  explicit ModelBuilder(std::string name, std::uint64_t seed = 1);

  std::uint32_t input(const std::string& name, const Shape& shape, DType dtype = DType::f32);
  std::uint32_t value(const std::string& name, std::optional<Shape> shape,
                      DType dtype = DType::f32);
  std::uint32_t constant(const std::string& name, Tensor contents);
  /// Uniform in -scale .. scale.
  std::uint32_t weights(const std::string& name, const Shape& shape, float scale = 0.5f,
                        DType dtype = DType::f32);
  Node& node(const std::string& op, const std::string& name, std::vector<std::uint32_t> inputs,
             std::vector<std::uint32_t> outputs);

  /// Layers with private constants, each returning its result. Nodes with weights become targets.
  std::uint32_t conv(const std::string& name, std::uint32_t in, std::int64_t channels,
                     std::int64_t kernel, DType dtype = DType::f32);
  std::uint32_t gemm(const std::string& name, std::uint32_t in, std::int64_t columns);
  std::uint32_t unary(const std::string& op, const std::string& name, std::uint32_t in);
  std::uint32_t pool_and_flatten(const std::string& name, std::uint32_t in);

  const Shape& shape_of(std::uint32_t value) const;
  void output(std::uint32_t value) { model_.graph.outputs.push_back(value); }
  void target(const std::string& node) { targets_.push_back(node); }
  Random& random() { return random_; }
  Graph& graph() { return model_.graph; }

  /// Links the graph. `int4`: name of the value to be shown as int4.
  SampleModel build(const std::string& int4 = {});

 private:
  SampleModel model_;
  std::vector<std::string> targets_;
  Random random_;
};

}  // namespace adze::host::check
