#include "host/check/sample_models.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "host/check/model_builder.hpp"

namespace adze::host::check {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int kManyNodes = 10'000;

void spoil(SampleModel& model, float first, float last) {
  for (Value& value : model.graph.values) {
    if (!value.constant || value.constant->dtype() != DType::f32 || value.constant->count() == 0)
      continue;
    const auto elements = value.constant->mutate<float>();
    elements.front() = first;
    elements.back() = last;
  }
}

std::string type_and_shape(const Value& value) {
  return fmt::format("{} {}{}", info(value.dtype).name,
                     value.shape ? to_string(*value.shape) : "of unknown rank",
                     value.constant ? ", constant" : "");
}

}  // namespace

SampleModel small_cnn() {
  ModelBuilder b("a small CNN");
  const std::uint32_t image = b.input("image", {1, 4, 8, 8});
  const std::uint32_t first = b.unary("Relu", "first.relu", b.conv("first", image, 16, 3));
  const std::uint32_t second = b.unary("Relu", "second.relu", b.conv("second", first, 16, 3));
  const std::uint32_t third = b.conv("third", second, 16, 1);
  const std::uint32_t sum = b.value("sum", Shape{1, 16, 8, 8});
  b.graph().values[sum].batch_axis = 0;
  b.node("Add", "add", {third, first}, {sum});
  const std::uint32_t features = b.pool_and_flatten("pool", b.unary("Relu", "last.relu", sum));
  b.output(b.gemm("head", features, 10));
  return b.build();
}

SampleModel elementwise_operators() {
  ModelBuilder b("a few elementwise operators");
  const std::uint32_t image = b.input("image", {1, 4, 8, 8});
  const std::uint32_t sum = b.value("sum", Shape{1, 4, 8, 8});
  b.graph().values[sum].batch_axis = 0;
  b.node("Add", "add", {b.unary("Relu", "first.relu", image), image}, {sum});
  b.output(b.unary("Relu", "last.relu", sum));
  return b.build();
}

SampleModel empty_graph() {
  ModelBuilder b("a graph without nodes");
  b.output(b.input("image", {1, 4, 8, 8}));
  return b.build();
}

std::vector<SampleModel> one_node_graphs() {
  std::vector<SampleModel> models;
  {
    ModelBuilder b("a single Relu");
    b.output(b.unary("Relu", "only", b.input("image", {1, 4, 8, 8})));
    models.push_back(b.build());
  }
  {
    ModelBuilder b("a single Conv");
    b.output(b.conv("only", b.input("image", {1, 4, 8, 8}), 8, 3));
    models.push_back(b.build());
  }
  {
    ModelBuilder b("a single Gemm of one weight");
    b.output(b.gemm("only", b.input("number", {1, 1}), 1));
    models.push_back(b.build());
  }
  return models;
}

std::vector<SampleModel> odd_shapes() {
  std::vector<SampleModel> models;
  {
    ModelBuilder b("layers with dimensions of size 0");
    const std::uint32_t none = b.conv("no_outputs", b.input("image", {1, 4, 8, 8}), 0, 3);
    b.output(b.conv("no_inputs", none, 4, 1));
    b.output(b.gemm("empty", b.input("nothing", {1, 0}), 3));
    models.push_back(b.build());
  }
  {
    ModelBuilder b("values of unknown rank and size");
    const std::uint32_t image = b.input("image", {1, 4, 8, 8});
    const std::uint32_t found = b.value("found", Shape{-1, 4});
    b.node("NonMaxSuppression", "detect", {image}, {found});
    const std::uint32_t shapeless = b.value("shapeless", std::nullopt);
    b.node("Reshape", "reshape", {found}, {shapeless});
    const std::uint32_t weight = b.weights("layer.weight", {4, 3});
    const std::uint32_t out = b.value("out", std::nullopt);
    b.node("MatMul", "layer", {shapeless, weight}, {out});
    b.target("layer");
    b.output(out);
    models.push_back(b.build());
  }
  {
    ModelBuilder b("scalars");
    const std::uint32_t number = b.input("number", {});
    const std::uint32_t factor = b.weights("factor", {});
    const std::uint32_t out = b.value("out", Shape{});
    b.node("Mul", "multiply", {number, factor}, {out});
    b.target("multiply");
    b.output(out);
    models.push_back(b.build());
  }
  return models;
}

SampleModel unknown_operators() {
  ModelBuilder b("operators and domains that nobody knows");
  const std::uint32_t image = b.input("image", {1, 4, 8, 8});
  const std::uint32_t weight = b.weights("strange.weight", {8, 4, 3});
  const std::uint32_t strange = b.value("strange.out", Shape{1, 8, 8, 8});
  Node& node = b.node("Frobnicate", "strange", {image, kNone, weight, kNone}, {strange});
  node.domain = "org.example.unheard-of";
  node.attributes = {{"tables", std::vector<std::string>{}},
                     {"table", Tensor(DType::i64, {0})},
                     {"body", Subgraph{}}};
  b.target("strange");
  // Known names in a strange domain, and known operators with nothing to read.
  const std::uint32_t other = b.value("other.out", Shape{1, 8, 8, 8});
  b.node("Conv", "not_onnx", {strange}, {other}).domain = "org.example.unheard-of";
  b.target("not_onnx");
  const std::uint32_t gap = b.value("gap.out", Shape{1, 8, 8, 8});
  b.node("Conv", "gap", {other, kNone, weight}, {gap}).domain = "org.example.unheard-of";
  b.target("gap");
  const std::uint32_t bare = b.value("bare.out", Shape{1, 8});
  b.node("Gemm", "bare", {}, {bare});
  b.target("bare");
  const std::uint32_t sink = b.value("sink.out", Shape{1, 8});
  b.node("FromTheFuture", "future", {gap, bare}, {kNone, sink}).op_version = 4711;
  b.output(sink);
  return b.build();
}

std::vector<SampleModel> odd_types() {
  std::vector<SampleModel> models;
  {
    ModelBuilder b("a model in f16");
    b.output(b.conv("half", b.input("image", {1, 4, 8, 8}, DType::f16), 8, 3, DType::f16));
    models.push_back(b.build());
  }
  {
    ModelBuilder b("constants of f64 and int8");
    const std::uint32_t rows = b.input("rows", {1, 4}, DType::f64);
    const std::uint32_t weight = b.weights("double.weight", {4, 3}, 0.5f, DType::f64);
    const std::uint32_t out = b.value("double.out", Shape{1, 3}, DType::f64);
    b.node("MatMul", "double", {rows, weight}, {out});
    b.target("double");
    b.output(out);
    const std::uint32_t bytes = b.input("bytes", {1, 4}, DType::u8);
    const std::uint32_t integers = b.constant("integer.weight", Tensor(DType::i8, {4, 3}));
    const std::uint32_t sums = b.value("integer.out", Shape{1, 3}, DType::i32);
    b.node("MatMulInteger", "integer", {bytes, integers}, {sums});
    b.target("integer");
    b.output(sums);
    models.push_back(b.build());
  }
  {
    ModelBuilder b("weights of int8 and int4 where floats are usual");
    const std::uint32_t image = b.input("image", {1, 4, 8, 8}, DType::i8);
    const std::uint32_t weight = b.constant("conv.weight", Tensor(DType::i8, {8, 4, 3, 3}));
    const std::uint32_t bias = b.constant("conv.bias", Tensor(DType::i32, {8}));
    const std::uint32_t out = b.value("conv.out", Shape{1, 8, 6, 6}, DType::i8);
    b.node("Conv", "conv", {image, weight, bias}, {out});
    b.target("conv");
    b.output(out);
    const std::uint32_t row = b.input("row", {1, 4});
    const std::uint32_t packed = b.constant("packed.weight", Tensor(DType::i8, {4, 3}));
    const std::uint32_t product = b.value("packed.out", Shape{1, 3});
    b.node("MatMul", "packed", {row, packed}, {product});
    b.target("packed");
    b.output(product);
    models.push_back(b.build("packed.weight"));
  }
  return models;
}

std::vector<SampleModel> odd_numbers() {
  std::vector<SampleModel> models;
  for (const auto& [name, first, last] :
       {std::tuple("weights with NaN", kNan, 0.5f),
        std::tuple("weights with infinity", kInfinity, 0.5f),
        std::tuple("weights with both infinities and NaN", -kInfinity, kNan),
        std::tuple("weights at the end of the range", std::numeric_limits<float>::max(),
                   -std::numeric_limits<float>::max())}) {
    SampleModel model = small_cnn();
    model.name = name;
    spoil(model, first, last);
    models.push_back(std::move(model));
  }
  SampleModel zeros = small_cnn();
  zeros.name = "weights that are all 0";
  for (Value& value : zeros.graph.values)
    if (value.constant) value.constant = Tensor(value.dtype, *value.shape);
  models.push_back(std::move(zeros));
  return models;
}

SampleModel ten_thousand_nodes() {
  ModelBuilder b("a graph of 10 000 nodes");
  constexpr int kEvery = 500;
  std::uint32_t at = b.input("image", {1, 4, 2, 2});
  for (int i = 0; i < kManyNodes; ++i) {
    const std::string name = "node" + std::to_string(i);
    at = i % kEvery == 0 ? b.conv(name, at, 4, 1) : b.unary("Relu", name, at);
  }
  b.output(at);
  return b.build();
}

SampleModel random_graph(std::uint64_t seed) {
  ModelBuilder b(fmt::format("random graph {}", seed), seed);
  Random& random = b.random();
  std::vector<std::uint32_t> images = {
      b.input("image", {1, static_cast<std::int64_t>(1 + random.below(8)), 6, 6})};
  const std::uint64_t count = random.below(12);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string name = "n" + std::to_string(i);
    const std::uint32_t in = images[random.below(images.size())];
    static constexpr const char* kUnary[] = {"Relu", "Sigmoid", "Identity", "Tanh", "LeakyRelu"};
    switch (random.below(6)) {
      case 0:
      case 1:
        images.push_back(
            b.conv(name, in, static_cast<std::int64_t>(random.below(20)), random.below(2) ? 3 : 1));
        break;
      case 2: {
        const std::uint32_t out = b.value(name + ".out", b.shape_of(in));
        b.node("Add", name, {in, in}, {out});
        images.push_back(out);
        break;
      }
      case 3: {
        const std::uint32_t flat = b.pool_and_flatten(name, in);
        b.output(b.gemm(name + ".gemm", flat, static_cast<std::int64_t>(1 + random.below(5))));
        break;
      }
      case 4: {
        const std::uint32_t out = b.unary("Mystery", name, in);
        b.graph().nodes.back().domain = random.below(2) ? "org.example" : "";
        images.push_back(out);
        break;
      }
      default:
        images.push_back(b.unary(kUnary[random.below(5)], name, in));
    }
  }
  b.output(images.back());
  SampleModel model = b.build();
  if (random.below(8) == 0) spoil(model, random.below(2) ? kNan : kInfinity, 0);
  std::erase_if(model.targets, [&](std::uint32_t) { return random.below(4) == 0; });
  return model;
}

std::string text_of(const SampleModel& model) {
  std::string text = model.name + "\n";
  for (const std::uint32_t input : model.graph.inputs)
    text += fmt::format("  input {}: {}\n", model.graph.value(input).name,
                        type_and_shape(model.graph.value(input)));
  for (std::uint32_t i = 0; i < model.graph.nodes.size(); ++i) {
    const Node& node = model.graph.nodes[i];
    const bool target = std::ranges::find(model.targets, i) != model.targets.end();
    text += fmt::format("  node {}: {}{}{}{}\n", node.name, node.domain,
                        node.domain.empty() ? "" : "::", node.op, target ? " (target)" : "");
    for (const std::uint32_t index : node.inputs)
      if (index != kNone)
        text += fmt::format("    reads {}: {}\n", model.graph.value(index).name,
                            type_and_shape(model.graph.value(index)));
  }
  for (const std::uint32_t output : model.graph.outputs)
    text += fmt::format("  output {}: {}\n", model.graph.value(output).name,
                        type_and_shape(model.graph.value(output)));
  return text;
}

}  // namespace adze::host::check
