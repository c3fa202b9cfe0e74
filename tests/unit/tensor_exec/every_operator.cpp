#include "tests/unit/tensor_exec/every_operator.hpp"

namespace adze::testing {
namespace {

using Ints = std::vector<std::int64_t>;

/// One operator over computed inputs, and constants it takes besides.
class Maker {
 public:
  explicit Maker(std::string name) : random_(static_cast<std::uint32_t>(name.size()) + 1) {
    example_.name = std::move(name);
    example_.builder = std::make_unique<GraphBuilder>();
  }

  std::uint32_t input(const Shape& shape, float low = -2, float high = 2) {
    const auto value = builder().input("x" + std::to_string(example_.inputs.size()), shape, -1);
    example_.inputs.push_back(random_.numbers(count_of(shape), low, high));
    return value;
  }
  std::uint32_t quantized_input(const Shape& shape, float scale = 4.0f / 255,
                                std::int32_t zero_point = 128) {
    const auto value = input(shape);
    builder().quantize(value, scale, zero_point);
    return value;
  }
  std::uint32_t weights(const Shape& shape, float size = 0.5f) {
    return builder().constant("w" + std::to_string(count_++), shape,
                              random_.numbers(count_of(shape), -size, size));
  }
  /// By channel of the first axis.
  std::uint32_t quantized_weights(const Shape& shape, std::int32_t axis = 0) {
    const auto value = weights(shape);
    const auto channels = static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]);
    builder().quantize(value, axis,
                       random_.numbers(static_cast<std::int64_t>(channels), 0.004f, 0.006f),
                       std::vector<std::int32_t>(channels, 0), true);
    return value;
  }
  std::uint32_t numbers(const Ints& elements) {
    return builder().constant("n" + std::to_string(count_++), elements);
  }
  std::uint32_t node(const std::string& op, const std::vector<std::uint32_t>& inputs,
                     const Shape& shape, const Attributes& attributes = {},
                     std::uint32_t version = 13) {
    return builder().node(op, inputs, shape, attributes, version, -1);
  }
  std::uint32_t quantized(std::uint32_t value, float scale = 6.0f / 255,
                          std::int32_t zero_point = 120) {
    builder().quantize(value, scale, zero_point);
    return value;
  }
  Example made(std::uint32_t output) {
    builder().output(output);
    return std::move(example_);
  }
  GraphBuilder& builder() { return *example_.builder; }

 private:
  Example example_;
  Random random_;
  int count_ = 0;
};

/// A quantized operator of inputs of `in` with a quantized result.
Example quantized_operator(const std::string& op, const std::vector<Shape>& in, const Shape& out,
                           const Attributes& attributes = {}, const std::vector<Ints>& numbers = {},
                           bool same_scale = false, std::uint32_t version = 13) {
  Maker maker("quantized " + op);
  std::vector<std::uint32_t> inputs;
  for (const Shape& shape : in)
    inputs.push_back(same_scale ? maker.quantized_input(shape, 6.0f / 255, 120)
                                : maker.quantized_input(shape));
  for (const Ints& list : numbers) inputs.push_back(maker.numbers(list));
  return maker.made(maker.quantized(maker.node(op, inputs, out, attributes, version)));
}

struct Window {
  std::string name;
  Shape in, weights, out;
  Attributes attributes;
};

Example quantized_conv(const Window& window) {
  Maker maker("quantized Conv " + window.name);
  const auto x = maker.quantized_input(window.in);
  const auto y = maker.node(
      "Conv", {x, maker.quantized_weights(window.weights), maker.weights({window.weights[0]})},
      window.out, window.attributes);
  return maker.made(maker.quantized(maker.node("Relu", {y}, window.out), 0.05f, 0));
}

std::vector<Window> windows() {
  return {{"3x3", {2, 16, 9, 9}, {24, 16, 3, 3}, {2, 24, 9, 9}, {{"pads", Ints{1, 1, 1, 1}}}},
          {"1x1", {1, 40, 7, 7}, {17, 40, 1, 1}, {1, 17, 7, 7}, {}},
          {"stride", {1, 8, 9, 9}, {8, 8, 1, 1}, {1, 8, 5, 5}, {{"strides", Ints{2, 2}}}},
          {"depthwise",
           {1, 19, 8, 8},
           {19, 1, 3, 3},
           {1, 19, 8, 8},
           {{"pads", Ints{1, 1, 1, 1}}, {"group", std::int64_t{19}}}},
          {"groups", {1, 12, 6, 6}, {18, 4, 3, 3}, {1, 18, 4, 4}, {{"group", std::int64_t{3}}}},
          {"dilation", {1, 5, 11, 9}, {7, 5, 3, 2}, {1, 7, 7, 7}, {{"dilations", Ints{2, 2}}}},
          {"deep", {1, 600, 3, 3}, {9, 600, 3, 3}, {1, 9, 1, 1}, {}},
          {"line", {1, 6, 20}, {10, 6, 5}, {1, 10, 16}, {}}};
}

/// x * sigmoid(x) of a layer, and a gate on its channels.
Example quantized_gate(std::int64_t channels) {
  Maker maker("quantized gate of " + std::to_string(channels));
  const Shape shape{2, channels, 7, 6}, one{2, channels, 1, 1};
  const auto x = maker.quantized_input({2, 6, 7, 6});
  const auto y =
      maker.quantized(maker.node("Conv", {x, maker.quantized_weights({channels, 6, 1, 1})}, shape));
  const auto sigmoid = maker.quantized(maker.node("Sigmoid", {y}, shape), 1.0f / 255, 0);
  const auto active = maker.quantized(maker.node("Mul", {y, sigmoid}, shape));
  const auto pool = maker.quantized(maker.node("GlobalAveragePool", {active}, one));
  const auto gate =
      maker.quantized(maker.node("HardSigmoid", {pool}, one, {{"alpha", 1.0 / 6}}), 1.0f / 255, 0);
  return maker.made(maker.quantized(maker.node("Mul", {active, gate}, shape), 0.02f));
}

Example quantized_product(const std::string& op) {
  Maker maker("quantized " + op);
  const auto x = maker.quantized_input({5, 64});
  std::vector<std::uint32_t> inputs = {x, maker.quantized_weights({64, 33}, 1)};
  if (op == "Gemm") inputs.push_back(maker.weights({33}));
  return maker.made(maker.quantized(maker.node(op, inputs, {5, 33})));
}

/// The operators that take integers as they are; what they read comes from QuantizeLinear.
Example integer_operator(const std::string& op) {
  Maker maker(op);
  GraphBuilder& builder = maker.builder();
  int parameters = 0;
  const auto scalar = [&](float number) {
    return builder.constant("p" + std::to_string(parameters++), {}, {number});
  };
  const auto typed = [&](std::uint32_t value, std::uint8_t code, std::uint8_t bits) {
    builder.value(value).code = code;
    builder.value(value).bits = bits;
    return value;
  };
  const auto zero = [&](float number, std::uint8_t code) {
    return typed(maker.node("QuantizeLinear", {scalar(number), scalar(1)}, {}), code, 8);
  };
  const auto integers = [&](std::uint32_t value, const Shape& shape, float number,
                            std::uint8_t code) {
    return typed(
        maker.node("QuantizeLinear", {value, scalar(1.0f / 64), zero(number, code)}, shape), code,
        8);
  };
  const bool convolves = op.find("Conv") != std::string::npos;
  const Shape in = convolves ? Shape{2, 6, 7, 7} : Shape{3, 9, 20};
  const Shape of = convolves ? Shape{8, 3, 3, 3} : Shape{20, 11};
  const Shape out = convolves ? Shape{2, 8, 7, 7} : Shape{3, 9, 11};
  Attributes attributes;
  if (convolves) attributes = {{"group", std::int64_t{2}}, {"pads", Ints{1, 1, 1, 1}}};
  const auto x = integers(maker.input(in), in, 120, ADZE_UINT);
  const auto w = integers(maker.weights(of, 1.5f), of, 3, ADZE_INT);
  if (!op.starts_with("QLinear")) {
    const auto sum =
        typed(maker.node(op, {x, w, zero(120, ADZE_UINT), zero(3, ADZE_INT)}, out, attributes),
              ADZE_INT, 32);
    return maker.made(maker.node("DequantizeLinear", {sum, scalar(1.0f / 4096)}, out));
  }
  const auto result =
      typed(maker.node(op,
                       {x, scalar(1.0f / 64), zero(120, ADZE_UINT), w, scalar(1.0f / 64),
                        zero(3, ADZE_INT), scalar(0.03f), zero(100, ADZE_UINT)},
                       out, attributes),
            ADZE_UINT, 8);
  return maker.made(
      maker.node("DequantizeLinear", {result, scalar(0.03f), zero(100, ADZE_UINT)}, out));
}

/// An operator in floats.
Example in_floats(const std::string& op, const std::vector<Shape>& in, const Shape& out,
                  const Attributes& attributes = {}, const std::vector<Ints>& numbers = {},
                  std::uint32_t version = 17) {
  Maker maker(op);
  std::vector<std::uint32_t> inputs;
  for (const Shape& shape : in) inputs.push_back(maker.input(shape));
  for (const Ints& list : numbers) inputs.push_back(maker.numbers(list));
  return maker.made(maker.node(op, inputs, out, attributes, version));
}

Example with_weights(const std::string& op, const Shape& in, const std::vector<Shape>& weights,
                     const Shape& out, const Attributes& attributes = {}) {
  Maker maker(op);
  std::vector<std::uint32_t> inputs = {maker.input(in)};
  for (const Shape& shape : weights) inputs.push_back(maker.weights(shape));
  return maker.made(maker.node(op, inputs, out, attributes, 17));
}

}  // namespace

std::vector<Example> integer_examples() {
  std::vector<Example> all;
  for (const Window& window : windows()) all.push_back(quantized_conv(window));
  for (const char* op : {"Gemm", "MatMul"}) all.push_back(quantized_product(op));
  for (const std::int64_t channels : {5, 16, 43}) all.push_back(quantized_gate(channels));
  for (const char* op : {"ConvInteger", "QLinearConv", "MatMulInteger", "QLinearMatMul"})
    all.push_back(integer_operator(op));
  const Shape image{2, 5, 6, 7};
  for (const char* op : {"Add", "Sub", "Mul", "Div"})
    all.push_back(quantized_operator(op, {image, image}, image));
  for (const char* op : {"Sigmoid", "HardSwish", "HardSigmoid", "LeakyRelu", "Elu", "Tanh", "Relu",
                         "Erf", "Gelu", "Mish", "Selu", "Softplus", "Swish"})
    all.push_back(quantized_operator(op, {image}, image));
  all.push_back(
      quantized_operator("Concat", {image, image}, {2, 10, 6, 7}, {{"axis", std::int64_t{1}}}));
  all.push_back(quantized_operator("MaxPool", {image}, {2, 5, 3, 3},
                                   {{"kernel_shape", Ints{2, 3}}, {"strides", Ints{2, 2}}}, {},
                                   true));
  all.push_back(
      quantized_operator("AveragePool", {image}, {2, 5, 5, 6}, {{"kernel_shape", Ints{2, 2}}}));
  all.push_back(quantized_operator("GlobalAveragePool", {image}, {2, 5, 1, 1}));
  all.push_back(quantized_operator("ReduceMean", {image}, {2, 5, 1, 1}, {{"axes", Ints{2, 3}}}));
  all.push_back(quantized_operator("Softmax", {image}, image));
  all.push_back(quantized_operator("Transpose", {image}, {2, 6, 7, 5}, {{"perm", Ints{0, 2, 3, 1}}},
                                   {}, true));
  all.push_back(quantized_operator("Reshape", {image}, {2, 210}, {}, {{2, 210}}));
  all.push_back(quantized_operator("Slice", {image}, {2, 3, 6, 7}, {}, {{1}, {4}, {1}, {1}}, true));
  all.push_back(
      quantized_operator("Pad", {image}, {2, 5, 8, 9}, {}, {{0, 0, 1, 1, 0, 0, 1, 1}}, true));
  all.push_back(quantized_operator("MatMul", {{2, 4, 9}, {2, 9, 5}}, {2, 4, 5}));
  return all;
}

std::vector<Example> float_examples() {
  std::vector<Example> all;
  const Shape image{2, 6, 7, 9};
  const auto axis = [](std::int64_t at) { return Attributes{{"axis", at}}; };
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum"})
    all.push_back(in_floats(op, {image, {6, 1, 1}}, image));
  for (const char* op :
       {"Abs", "Cos", "Exp", "Floor", "Neg", "Sqrt", "Sigmoid", "Tanh", "Elu", "HardSwish", "Erf",
        "Gelu", "Mish", "Selu", "Shrink", "Softplus", "Celu", "GlobalAveragePool"})
    all.push_back(
        in_floats(op, {image}, std::string(op) == "GlobalAveragePool" ? Shape{2, 6, 1, 1} : image));
  for (const char* op : {"Softmax", "LogSoftmax", "Hardmax", "LpNormalization"})
    for (const std::int64_t at : {1, 3}) all.push_back(in_floats(op, {image}, image, axis(at)));
  for (const char* op : {"ReduceMean", "ReduceSum", "ReduceL2", "ReduceMax", "ReduceLogSumExp"})
    all.push_back(in_floats(op, {image}, {2, 1, 7, 1}, {{"axes", Ints{1, 3}}}, {}, 11));
  all.push_back(in_floats("ReduceMean", {image}, {2, 6, 1, 1}, {{"axes", Ints{2, 3}}}));
  all.push_back(in_floats("MeanVarianceNormalization", {image}, image));
  all.push_back(in_floats("LRN", {image}, image, {{"size", std::int64_t{3}}}));
  all.push_back(with_weights("LayerNormalization", image, {{9}, {9}}, image, axis(-1)));
  all.push_back(with_weights("InstanceNormalization", image, {{6}, {6}}, image));
  all.push_back(with_weights("GroupNormalization", image, {{6}, {6}}, image,
                             {{"num_groups", std::int64_t{3}}}));
  all.push_back(with_weights("PRelu", image, {{6, 1, 1}}, image));
  all.push_back(with_weights("PRelu", image, {{6, 1, 9}}, image));
  all.push_back(with_weights("Conv", image, {{8, 6, 3, 3}, {8}}, {2, 8, 5, 7}));
  all.push_back(with_weights("Conv", image, {{6, 1, 3, 3}}, image,
                             {{"group", std::int64_t{6}}, {"pads", Ints{1, 1, 1, 1}}}));
  all.push_back(with_weights("Conv", {1, 3, 5, 6, 7}, {{4, 3, 2, 3, 3}, {4}}, {1, 4, 4, 4, 5}));
  all.push_back(in_floats("Conv", {image, {8, 6, 3, 3}}, {2, 8, 5, 7}));
  all.push_back(with_weights("ConvTranspose", image, {{6, 5, 3, 3}, {5}}, {2, 5, 15, 19},
                             {{"strides", Ints{2, 2}}}));
  all.push_back(with_weights("ConvTranspose", image, {{6, 2, 2, 2}}, {2, 6, 8, 10},
                             {{"group", std::int64_t{3}}}));
  for (const char* op : {"MaxPool", "AveragePool", "LpPool"})
    all.push_back(in_floats(op, {image}, {2, 6, 6, 7}, {{"kernel_shape", Ints{2, 3}}}));
  all.push_back(
      in_floats("MaxPool", {{1, 4, 5, 6, 7}}, {1, 4, 4, 5, 6}, {{"kernel_shape", Ints{2, 2, 2}}}));
  all.push_back(in_floats("GlobalMaxPool", {image}, {2, 6, 1, 1}));
  all.push_back(in_floats("MatMul", {{3, 17, 40}, {3, 40, 23}}, {3, 17, 23}));
  all.push_back(in_floats("MatMul", {{17, 200}, {200, 33}}, {17, 33}));
  all.push_back(with_weights("MatMul", {3, 17, 40}, {{40, 23}}, {3, 17, 23}));
  all.push_back(in_floats("Gemm", {{30, 17}, {30, 41}, {41}}, {17, 41},
                          {{"transA", std::int64_t{1}}, {"alpha", 0.5}}));
  all.push_back(in_floats("Einsum", {{2, 5, 3, 8}, {2, 7, 3, 8}}, {2, 3, 5, 7},
                          {{"equation", std::string("bihd,bjhd->bhij")}}));
  all.push_back(
      in_floats("Einsum", {{2, 5, 8}, {8}}, {2, 5}, {{"equation", std::string("...d,d")}}));
  all.push_back(in_floats("Det", {{6, 4, 4}}, {6}));
  all.push_back(in_floats("Transpose", {image}, {9, 6, 2, 7}, {{"perm", Ints{3, 1, 0, 2}}}));
  all.push_back(in_floats("Concat", {image, image}, {2, 6, 14, 9}, axis(2)));
  all.push_back(in_floats("Pad", {image}, {2, 6, 9, 11}, {{"mode", std::string("reflect")}},
                          {{0, 0, 1, 1, 0, 0, 1, 1}}));
  all.push_back(in_floats("Slice", {image}, {2, 6, 3, 9}, {}, {{1}, {7}, {2}, {2}}));
  all.push_back(in_floats("Tile", {image}, {2, 12, 7, 9}, {}, {{1, 2, 1, 1}}));
  all.push_back(in_floats("Expand", {{6, 1, 9}}, image, {}, {{2, 6, 7, 9}}));
  all.push_back(
      in_floats("DepthToSpace", {{2, 8, 5, 5}}, {2, 2, 10, 10}, {{"blocksize", std::int64_t{2}}}));
  all.push_back(in_floats("GridSample", {image, {2, 4, 5, 2}}, {2, 6, 4, 5}));
  all.push_back(in_floats("CumSum", {image}, image, {}, {{2}}));
  Maker resize("Resize");
  const auto x = resize.input(image);
  all.push_back(resize.made(
      resize.node("Resize", {x, ADZE_NONE, resize.builder().constant("s", {4}, {1, 1, 2, 1.5f})},
                  {2, 6, 14, 13}, {{"mode", std::string("linear")}})));
  return all;
}

}  // namespace adze::testing
