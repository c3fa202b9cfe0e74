// Whatever the bytes are: a model that adze.cpu runs with finite memory and the same bits on the
// fast and on the plain path, or an Error. Half of the mutations change the model instead of its
// bytes, which mostly gives one that still loads.
#include <onnx/onnx_pb.h>

#include <cstdlib>
#include <random>

#include "host/abi/backend.hpp"
#include "host/base/error.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"
#include "tests/fuzz/graph.hpp"
#include "tests/fuzz/program.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size)
    __attribute__((weak));

namespace {

using namespace adze::host;

constexpr std::int64_t kMemoryMib = 1;

Component cpu() {
  static const LoadedPlugin plugin{"adze_cpu.so", adze_plugin_v1()};
  return {plugin.plugin->components[0], &plugin};
}

template <class T>
Tensor filled(DType dtype, const Shape& shape, std::mt19937& random) {
  std::vector<T> elements(static_cast<std::size_t>(element_count(shape)));
  for (T& element : elements) {
    const auto number = static_cast<int>(random() % 7) - 2;
    if constexpr (std::is_floating_point_v<T>) {
      constexpr T kOdd[] = {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                            -std::numeric_limits<T>::infinity(), std::numeric_limits<T>::max(),
                            std::numeric_limits<T>::denorm_min()};
      element = random() % 64 == 0 ? kOdd[random() % std::size(kOdd)]
                                   : static_cast<T>(number) + static_cast<T>(random() % 64) / 64;
    } else {
      element = random() % 64 == 0 ? std::numeric_limits<T>::max() : static_cast<T>(number);
    }
  }
  return Tensor(dtype, shape, std::span<const T>(elements));
}

Tensor input_for(const Value& value, std::mt19937& random) {
  Shape shape = value.shape.value();
  if (value.batch_axis >= 0) shape[static_cast<std::size_t>(value.batch_axis)] = 1;
  switch (value.dtype) {
    case DType::f64:
      return filled<double>(value.dtype, shape, random);
    case DType::i8:
      return filled<std::int8_t>(value.dtype, shape, random);
    case DType::i16:
      return filled<std::int16_t>(value.dtype, shape, random);
    case DType::i32:
      return filled<std::int32_t>(value.dtype, shape, random);
    case DType::i64:
      return filled<std::int64_t>(value.dtype, shape, random);
    case DType::u8:
    case DType::boolean:
      return filled<std::uint8_t>(value.dtype, shape, random);
    case DType::u16:
      return filled<std::uint16_t>(value.dtype, shape, random);
    case DType::u32:
      return filled<std::uint32_t>(value.dtype, shape, random);
    case DType::u64:
      return filled<std::uint64_t>(value.dtype, shape, random);
    default: {
      const Tensor floats = filled<float>(DType::f32, shape, random);
      return value.dtype == DType::f32 ? floats : from_f32(value.dtype, shape, floats.as<float>());
    }
  }
}

/// How many elements an input may have: more is memory without a new path through the code.
bool is_small(const Value& value) {
  std::int64_t count = 1;
  for (std::size_t axis = 0; value.shape && axis < value.shape->size(); ++axis) {
    const std::int64_t size = (*value.shape)[axis];
    if (size < 0 && static_cast<std::int32_t>(axis) != value.batch_axis) return false;
    if (size > (1 << 16) / count) return false;
    count *= std::max<std::int64_t>(size, 1);
  }
  return value.shape.has_value();
}

std::vector<NamedTensor> run(const Graph& graph, const char* path, std::span<const Tensor> inputs) {
  const Settings settings = {{"path", std::string(path)}, {"memory_limit_mib", kMemoryMib}};
  BackendRunner runner(cpu(), settings, graph, "cpu", {}, {});
  return runner.run(inputs);
}

void execute(std::span<const std::byte> bytes) {
  Graph graph = parse_model(bytes, {});
  simplify(graph);
  for (const std::uint32_t input : graph.inputs)
    if (!is_small(graph.value(input))) return;
  std::mt19937 random(static_cast<std::uint32_t>(bytes.size()));
  std::vector<Tensor> inputs;
  for (const std::uint32_t input : graph.inputs)
    inputs.push_back(input_for(graph.value(input), random));
  const std::vector<NamedTensor> fast = run(graph, "auto", inputs);
  const auto has_integer_weights = [](const Value& value) { return value.quant && value.constant; };
  if (std::ranges::none_of(graph.values, has_integer_weights)) return;  // computed alike
  const std::vector<NamedTensor> plain = run(graph, "plain", inputs);
  for (std::size_t i = 0; i < fast.size(); ++i)
    if (!std::ranges::equal(fast[i].tensor.bytes(), plain[i].tensor.bytes()))
      adze::fuzz::finding("the paths differ in '" + fast[i].name + "'");
}

class Mutator {
 public:
  Mutator(onnx::ModelProto& model, std::uint32_t seed)
      : graph_(*model.mutable_graph()), random_(seed) {}

  void mutate() {
    for (std::uint32_t i = 0; i <= below(3); ++i) change();
  }

 private:
  std::uint32_t below(int end) {
    return end <= 0 ? 0 : static_cast<std::uint32_t>(random_() % static_cast<std::uint64_t>(end));
  }
  int index(int end) { return static_cast<int>(below(end)); }

  std::int64_t number() {
    constexpr std::int64_t kOdd[] = {0,
                                     1,
                                     2,
                                     3,
                                     -1,
                                     -2,
                                     7,
                                     255,
                                     65536,
                                     std::int64_t{1} << 31,
                                     -(std::int64_t{1} << 31),
                                     std::int64_t{1} << 40,
                                     std::numeric_limits<std::int64_t>::max(),
                                     std::numeric_limits<std::int64_t>::min()};
    return below(3) == 0 ? kOdd[below(std::size(kOdd))] : static_cast<std::int64_t>(below(12)) - 3;
  }
  float real() {
    constexpr float kOdd[] = {0,
                              -1,
                              1e-30f,
                              1e30f,
                              std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN(),
                              255,
                              -0.5f};
    return below(3) == 0 ? kOdd[below(std::size(kOdd))] : static_cast<float>(below(64)) / 16 - 2;
  }

  void change() {
    switch (below(8)) {
      case 0:
        return change_sizes();
      case 1:
        return change_initializer();
      case 2:
        return rewire();
      case 3:
        return swap_operator();
      case 4:
        return show_value();
      case 5:
        if (graph_.node_size() > 1 && below(4) == 0)
          graph_.mutable_node()->DeleteSubrange(index(graph_.node_size()), 1);
        return;
      default:
        return change_attribute();
    }
  }

  void change_sizes() {
    if (graph_.input_size() == 0) return;
    auto& info = *graph_.mutable_input(index(graph_.input_size()));
    auto& shape = *info.mutable_type()->mutable_tensor_type()->mutable_shape();
    if (below(8) == 0) {
      shape.add_dim()->set_dim_value(static_cast<std::int64_t>(below(4)));
    } else if (below(8) == 0 && shape.dim_size() > 0) {
      shape.mutable_dim()->RemoveLast();
    } else if (shape.dim_size() > 0) {
      shape.mutable_dim(index(shape.dim_size()))
          ->set_dim_value(below(8) == 0 ? number() : below(9));
    }
    if (below(8) == 0)
      info.mutable_type()->mutable_tensor_type()->set_elem_type(1 + static_cast<int>(below(16)));
  }

  void change_initializer() {
    if (graph_.initializer_size() == 0) return;
    auto& tensor = *graph_.mutable_initializer(index(graph_.initializer_size()));
    if (below(4) == 0 && tensor.dims_size() > 0) {
      tensor.set_dims(index(tensor.dims_size()), below(4) == 0 ? number() : below(9));
    } else if (!tensor.raw_data().empty()) {
      const auto place = below(static_cast<int>(tensor.raw_data().size()));
      const std::int64_t whole = number();
      const float part = real();
      const char* from = tensor.data_type() == 1 ? reinterpret_cast<const char*>(&part)
                                                 : reinterpret_cast<const char*>(&whole);
      const std::size_t width = tensor.data_type() == 7 ? 8 : tensor.data_type() == 1 ? 4 : 1;
      const std::size_t at = place / width * width;
      if (at + width <= tensor.raw_data().size())
        tensor.mutable_raw_data()->replace(at, width, from, width);
    } else if (tensor.int64_data_size() > 0) {
      tensor.set_int64_data(index(tensor.int64_data_size()), number());
    } else if (tensor.float_data_size() > 0) {
      tensor.set_float_data(index(tensor.float_data_size()), real());
    } else if (tensor.int32_data_size() > 0) {
      tensor.set_int32_data(index(tensor.int32_data_size()), static_cast<int>(below(512)) - 128);
    }
  }

  void change_attribute() {
    if (graph_.node_size() == 0) return;
    auto& node = *graph_.mutable_node(index(graph_.node_size()));
    if (node.attribute_size() == 0) return;
    auto& attribute = *node.mutable_attribute(index(node.attribute_size()));
    using onnx::AttributeProto;
    if (attribute.type() == AttributeProto::INT) attribute.set_i(number());
    if (attribute.type() == AttributeProto::FLOAT) attribute.set_f(real());
    if (attribute.type() == AttributeProto::INTS) {
      if (attribute.ints_size() == 0 || below(8) == 0)
        attribute.add_ints(number());
      else if (below(8) == 0)
        attribute.mutable_ints()->RemoveLast();
      else
        attribute.set_ints(index(attribute.ints_size()), number());
    }
    if (below(16) == 0) node.mutable_attribute()->DeleteSubrange(index(node.attribute_size()), 1);
  }

  /// An input that there is, or none.
  void rewire() {
    if (graph_.node_size() == 0) return;
    auto& node = *graph_.mutable_node(index(graph_.node_size()));
    if (node.input_size() == 0) return;
    const auto& other = graph_.node(index(graph_.node_size()));
    std::string name;
    const auto which = below(4);
    if (which == 0 && other.output_size() > 0) name = other.output(0);
    if (which == 1 && graph_.input_size() > 0)
      name = graph_.input(index(graph_.input_size())).name();
    if (which == 2 && graph_.initializer_size() > 0)
      name = graph_.initializer(index(graph_.initializer_size())).name();
    node.set_input(index(node.input_size()), name);
  }

  void swap_operator() {
    static constexpr const char* kOperators[] = {"Add",
                                                 "Sub",
                                                 "Mul",
                                                 "Div",
                                                 "Pow",
                                                 "Mod",
                                                 "Max",
                                                 "Min",
                                                 "Mean",
                                                 "Sum",
                                                 "Relu",
                                                 "Clip",
                                                 "Sigmoid",
                                                 "Erf",
                                                 "Softmax",
                                                 "LogSoftmax",
                                                 "Hardmax",
                                                 "MatMul",
                                                 "Gemm",
                                                 "Conv",
                                                 "ConvTranspose",
                                                 "MaxPool",
                                                 "AveragePool",
                                                 "LpPool",
                                                 "GlobalAveragePool",
                                                 "Concat",
                                                 "Transpose",
                                                 "Reshape",
                                                 "Flatten",
                                                 "Squeeze",
                                                 "Slice",
                                                 "Pad",
                                                 "Gather",
                                                 "GatherElements",
                                                 "GatherND",
                                                 "ScatterND",
                                                 "ScatterElements",
                                                 "Tile",
                                                 "Expand",
                                                 "Split",
                                                 "TopK",
                                                 "CumSum",
                                                 "Where",
                                                 "Cast",
                                                 "Resize",
                                                 "ReduceMean",
                                                 "ReduceSum",
                                                 "ReduceMax",
                                                 "ArgMax",
                                                 "LRN",
                                                 "InstanceNormalization",
                                                 "LayerNormalization",
                                                 "BatchNormalization",
                                                 "PRelu",
                                                 "Identity"};
    if (graph_.node_size() == 0) return;
    graph_.mutable_node(index(graph_.node_size()))
        ->set_op_type(kOperators[below(std::size(kOperators))]);
  }

  /// Another output, which keeps its node from being fused.
  void show_value() {
    if (graph_.node_size() == 0) return;
    const auto& node = graph_.node(index(graph_.node_size()));
    if (node.output_size() == 0 || graph_.output_size() == 0) return;
    auto& shown = *graph_.add_output();
    shown = graph_.output(0);
    shown.set_name(node.output(index(node.output_size())));
    shown.mutable_type()->mutable_tensor_type()->clear_shape();
  }

  onnx::GraphProto& graph_;
  std::mt19937 random_;
};

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  onnx::ModelProto model;
  if (seed % 4 == 0 || !model.ParseFromArray(data, static_cast<int>(size)))
    return LLVMFuzzerMutate(data, size, max_size);
  Mutator(model, seed).mutate();
  const std::string bytes = model.SerializeAsString();
  if (bytes.size() > max_size) return size;
  std::memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = adze::fuzz::quiet();
  (void)quiet;
  try {
    execute(std::as_bytes(std::span(data, size)));
  } catch (const Error& error) {
    if (error.code == ADZE_INTERNAL) adze::fuzz::finding(error.what());
  }
  return 0;
}
