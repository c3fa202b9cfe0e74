#include "host/check/model_builder.hpp"

#include <algorithm>

namespace adze::host::check {

// SplitMix64: the standard library's distributions differ between libraries.
std::uint64_t Random::next() {
  std::uint64_t mixed = state_ += 0x9E3779B97F4A7C15u;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
  return mixed ^ (mixed >> 31);
}

ModelBuilder::ModelBuilder(std::string name, std::uint64_t seed) : random_(seed) {
  model_.name = std::move(name);
  model_.graph.name = "sample";
}

std::uint32_t ModelBuilder::value(const std::string& name, std::optional<Shape> shape,
                                  DType dtype) {
  Value added;
  added.name = name;
  added.dtype = dtype;
  added.shape = std::move(shape);
  model_.graph.values.push_back(std::move(added));
  return static_cast<std::uint32_t>(model_.graph.values.size() - 1);
}

std::uint32_t ModelBuilder::input(const std::string& name, const Shape& shape, DType dtype) {
  const std::uint32_t added = value(name, shape, dtype);
  model_.graph.values[added].batch_axis = shape.empty() ? -1 : 0;
  model_.graph.inputs.push_back(added);
  return added;
}

std::uint32_t ModelBuilder::constant(const std::string& name, Tensor contents) {
  const std::uint32_t added = value(name, contents.shape(), contents.dtype());
  model_.graph.values[added].constant = std::move(contents);
  return added;
}

std::uint32_t ModelBuilder::weights(const std::string& name, const Shape& shape, float scale,
                                    DType dtype) {
  std::vector<float> elements(static_cast<std::size_t>(element_count(shape)));
  for (float& element : elements) element = scale * random_.uniform();
  return constant(name, from_f32(dtype, shape, elements));
}

Node& ModelBuilder::node(const std::string& op, const std::string& name,
                         std::vector<std::uint32_t> inputs, std::vector<std::uint32_t> outputs) {
  Node added;
  added.op = op;
  added.name = name;
  added.op_version = 13;
  added.inputs = std::move(inputs);
  added.outputs = std::move(outputs);
  return model_.graph.nodes.emplace_back(std::move(added));
}

const Shape& ModelBuilder::shape_of(std::uint32_t index) const {
  return *model_.graph.values.at(index).shape;
}

std::uint32_t ModelBuilder::conv(const std::string& name, std::uint32_t in, std::int64_t channels,
                                 std::int64_t kernel, DType dtype) {
  Shape shape = shape_of(in);
  const std::int64_t pad = kernel / 2;
  const std::uint32_t weight =
      weights(name + ".weight", {channels, shape.at(1), kernel, kernel}, 0.5f, dtype);
  const std::uint32_t bias = weights(name + ".bias", {channels}, 0.1f, dtype);
  shape[1] = channels;
  const std::uint32_t out = value(name + ".out", shape, dtype);
  model_.graph.values[out].batch_axis = 0;
  node("Conv", name, {in, weight, bias}, {out}).attributes = {
      {"kernel_shape", std::vector<std::int64_t>{kernel, kernel}},
      {"pads", std::vector<std::int64_t>{pad, pad, pad, pad}},
      {"strides", std::vector<std::int64_t>{1, 1}},
      {"dilations", std::vector<std::int64_t>{1, 1}},
      {"group", std::int64_t{1}}};
  target(name);
  return out;
}

std::uint32_t ModelBuilder::gemm(const std::string& name, std::uint32_t in, std::int64_t columns) {
  const std::int64_t rows = shape_of(in).at(1);
  const std::uint32_t weight = weights(name + ".weight", {columns, rows});
  const std::uint32_t bias = weights(name + ".bias", {columns}, 0.1f);
  const std::uint32_t out = value(name + ".out", Shape{shape_of(in)[0], columns});
  model_.graph.values[out].batch_axis = 0;
  node("Gemm", name, {in, weight, bias}, {out}).attributes = {
      {"alpha", 1.0}, {"beta", 1.0}, {"transA", std::int64_t{0}}, {"transB", std::int64_t{1}}};
  target(name);
  return out;
}

std::uint32_t ModelBuilder::unary(const std::string& op, const std::string& name,
                                  std::uint32_t in) {
  const Value& shown = model_.graph.values.at(in);
  const std::uint32_t out = value(name + ".out", shown.shape, shown.dtype);
  model_.graph.values[out].batch_axis = model_.graph.values[in].batch_axis;
  node(op, name, {in}, {out});
  return out;
}

std::uint32_t ModelBuilder::pool_and_flatten(const std::string& name, std::uint32_t in) {
  const Shape shape = shape_of(in);
  const std::uint32_t pooled = value(name + ".pooled", Shape{shape[0], shape[1], 1, 1});
  const std::uint32_t flat = value(name + ".flat", Shape{shape[0], shape[1]});
  model_.graph.values[pooled].batch_axis = model_.graph.values[flat].batch_axis = 0;
  node("GlobalAveragePool", name, {in}, {pooled});
  node("Flatten", name + ".flatten", {pooled}, {flat}).attributes = {{"axis", std::int64_t{1}}};
  return flat;
}

SampleModel ModelBuilder::build(const std::string& int4) {
  model_.graph.relink();
  for (const std::string& name : targets_) model_.targets.push_back(model_.graph.find_node(name));
  std::ranges::sort(model_.targets);
  if (!int4.empty()) model_.int4 = model_.graph.find_value(int4);
  return std::move(model_);
}

}  // namespace adze::host::check
