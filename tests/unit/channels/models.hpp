// Models with all that ties channels, made in memory.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "host/onnx/model.hpp"

namespace adze::host::test {

/// Writes nodes one after another; shapes are inferred by model().
class ModelWriter {
 public:
  explicit ModelWriter(std::uint64_t seed = 1) : random_(seed) {}

  std::uint32_t input(const Shape& shape) {
    const std::uint32_t added = value("input" + std::to_string(graph_.inputs.size()));
    graph_.values[added].shape = shape;
    graph_.inputs.push_back(added);
    return added;
  }
  std::uint32_t weight(const Shape& shape, float low = -1, float high = 1) {
    std::uniform_real_distribution<float> distribution(low, high);
    std::vector<float> elements(static_cast<std::size_t>(element_count(shape)));
    for (float& element : elements) element = distribution(random_);
    return constant(Tensor(DType::f32, shape, std::span<const float>(elements)));
  }
  std::uint32_t integers(const std::vector<std::int64_t>& elements) {
    return constant(Tensor(DType::i64, {static_cast<std::int64_t>(elements.size())},
                           std::span<const std::int64_t>(elements)));
  }
  std::vector<std::uint32_t> node(const std::string& op, std::vector<std::uint32_t> inputs,
                                  std::map<std::string, Attribute> attributes = {},
                                  std::size_t outputs = 1) {
    Node added{.op = op,
               .name = op + std::to_string(graph_.nodes.size()),
               .op_version = 13,
               .inputs = std::move(inputs),
               .attributes = std::move(attributes)};
    for (std::size_t i = 0; i < outputs; ++i)
      added.outputs.push_back(value(added.name + "_" + std::to_string(i)));
    graph_.nodes.push_back(added);
    return added.outputs;
  }
  std::uint32_t one(const std::string& op, std::vector<std::uint32_t> inputs,
                    std::map<std::string, Attribute> attributes = {}) {
    return node(op, std::move(inputs), std::move(attributes))[0];
  }
  /// A 3x3 convolution that keeps the size of the picture; `in`: channels of `x`.
  std::uint32_t conv(std::uint32_t x, std::int64_t in, std::int64_t out, std::int64_t group = 1) {
    return one("Conv", {x, weight({out, in / group, 3, 3}), weight({out})},
               {{"group", group}, {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  }
  std::uint32_t gemm(std::uint32_t x, std::int64_t in, std::int64_t out) {
    return one("Gemm", {x, weight({out, in}), weight({out})}, {{"transB", std::int64_t{1}}});
  }
  std::uint32_t batch_norm(std::uint32_t x, std::int64_t channels) {
    return one("BatchNormalization", {x, weight({channels}, 0.5f, 2), weight({channels}),
                                      weight({channels}), weight({channels}, 0.5f, 2)});
  }

  /// As loaded from the file that this makes.
  Graph model(std::uint32_t output) {
    graph_.outputs = {output};
    graph_.relink();
    return parse_model(serialize_model(graph_), {});
  }

 private:
  std::uint32_t value(const std::string& name) {
    graph_.values.push_back({.name = name});
    return static_cast<std::uint32_t>(graph_.values.size() - 1);
  }
  std::uint32_t constant(Tensor contents) {
    const std::uint32_t added = value("constant" + std::to_string(graph_.values.size()));
    graph_.values[added].dtype = contents.dtype();
    graph_.values[added].shape = contents.shape();
    graph_.values[added].constant = std::move(contents);
    return added;
  }

  std::mt19937_64 random_;
  Graph graph_;
};

inline std::vector<std::uint32_t> all_nodes(const Graph& graph) {
  std::vector<std::uint32_t> nodes(graph.nodes.size());
  for (std::uint32_t i = 0; i < nodes.size(); ++i) nodes[i] = i;
  return nodes;
}

/// Layers one after another and beside one another, from a picture of 3x6x6 to ten numbers.
inline Graph random_model(std::uint64_t seed) {
  struct Live {
    std::uint32_t value;
    std::int64_t channels;
  };
  std::mt19937_64 random(seed);
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  ModelWriter write(seed);
  const std::uint32_t picture = write.input({1, 3, 6, 6});
  std::vector<Live> live = {{write.conv(picture, 3, 8), 8}, {write.conv(picture, 3, 6), 6}};
  for (int step = 0; step < 9; ++step) {
    Live& x = live[below(live.size())];
    const std::int64_t c = x.channels;
    switch (below(12)) {
      case 0:
      case 1: {
        const std::int64_t out = 4 + 2 * static_cast<std::int64_t>(below(4));
        x = {write.conv(x.value, c, out), out};
        break;
      }
      case 2:
        x = {write.conv(x.value, c, 2 * c, 2), 2 * c};
        break;
      case 3:
        x.value = write.conv(x.value, c, c, c);
        break;
      case 4:
        x.value = write.batch_norm(x.value, c);
        break;
      case 5:
        x.value = write.one(below(2) ? "Relu" : "Sigmoid", {x.value});
        break;
      case 6:
        x.value = write.one("PRelu", {x.value, write.weight({c, 1, 1}, 0, 1)});
        break;
      case 7: {  // a residual
        const std::uint32_t branch = write.conv(write.one("Relu", {x.value}), c, c);
        x.value = write.one("Add", {x.value, branch});
        break;
      }
      case 8:
        x.value = write.one("Mul", {write.weight({1, c, 1, 1}), x.value});
        break;
      case 9: {
        const Live other = live[below(live.size())];
        x = {write.one("Concat", {x.value, other.value}, {{"axis", std::int64_t{1}}}),
             c + other.channels};
        break;
      }
      case 10: {
        const std::int64_t first =
            1 + static_cast<std::int64_t>(below(static_cast<std::size_t>(c - 1)));
        const auto parts = write.node("Split", {x.value, write.integers({first, c - first})},
                                      {{"axis", std::int64_t{1}}}, 2);
        x = {write.conv(parts[0], first, 4), 4};
        live.push_back({write.conv(parts[1], c - first, 6), 6});
        break;
      }
      default: {  // squeeze and excite
        const std::uint32_t pooled = write.one("GlobalAveragePool", {x.value});
        const std::uint32_t narrow = write.one("Conv", {pooled, write.weight({4, c, 1, 1})});
        const std::uint32_t wide =
            write.one("Conv", {write.one("Relu", {narrow}), write.weight({c, 4, 1, 1})});
        x.value = write.one("Mul", {x.value, write.one("Sigmoid", {wide})});
      }
    }
  }
  std::vector<std::uint32_t> ends;
  std::int64_t channels = 0;
  for (const Live& end : live) {
    ends.push_back(end.value);
    channels += end.channels;
  }
  const std::uint32_t all = write.one("Concat", ends, {{"axis", std::int64_t{1}}});
  const std::uint32_t pooled = write.one("MaxPool", {all},
                                         {{"kernel_shape", std::vector<std::int64_t>{3, 3}},
                                          {"strides", std::vector<std::int64_t>{3, 3}}});
  const std::uint32_t flat =
      below(2) ? write.one("Flatten", {pooled})
               : write.one("Reshape", {pooled, write.integers({0, channels * 4})});
  return write.model(write.gemm(flat, channels * 4, 10));
}

}  // namespace adze::host::test
