#include "tests/integration/onnx_backend/case.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "host/base/error.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;

/// What exported models carry as constants and these tests hand over as inputs: shapes, axes,
/// amounts, limits, and weights of layers.
bool is_parameter(const std::string& op, std::size_t input) {
  static const std::map<std::string, std::set<std::size_t>> kParameters = {
      {"BatchNormalization", {1, 2, 3, 4}},
      {"Clip", {1, 2}},
      {"Compress", {1}},
      {"ConstantOfShape", {0}},
      {"Conv", {1, 2}},
      {"ConvTranspose", {1, 2}},
      {"CumSum", {1}},
      {"Dropout", {1, 2}},
      {"Expand", {1}},
      {"Gemm", {1, 2}},
      {"OneHot", {1}},
      {"Pad", {1, 2, 3}},
      {"Range", {0, 1, 2}},
      {"Resize", {1, 2, 3}},
      {"Slice", {1, 2, 3, 4}},
      {"Split", {1}},
      {"Tile", {1}},
      {"TopK", {1}},
      {"Trilu", {1}},
      {"Upsample", {1}},
      {"Reshape", {1}},
      {"Squeeze", {1}},
      {"Unsqueeze", {1}},
  };
  if (op.starts_with("Reduce")) return input == 1;
  const auto found = kParameters.find(op);
  return found != kParameters.end() && found->second.contains(input);
}

std::set<std::string> parameters_of(const Graph& graph) {
  std::set<std::string> names;
  for (const Node& node : graph.nodes)
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (node.inputs[i] != kNone && is_parameter(node.op, i) &&
          std::ranges::find(graph.inputs, node.inputs[i]) != graph.inputs.end())
        names.insert(graph.value(node.inputs[i]).name);
  return names;
}

std::vector<Tensor> load_tensors(const fs::path& folder, const std::string& prefix) {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0;; ++i) {
    const fs::path path = folder / fmt::format("{}_{}.pb", prefix, i);
    if (!fs::exists(path)) return tensors;
    tensors.push_back(load_tensor(path));
  }
}

std::vector<fs::path> data_sets(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory()) found.push_back(entry.path());
  std::ranges::sort(found);
  return found;
}

/// These files hold bfloat16 as uint16.
Tensor as_type_of(const Value& value, const Tensor& tensor) {
  if (value.dtype != DType::bf16 || tensor.dtype() != DType::u16) return tensor;
  return {DType::bf16, tensor.shape(), tensor.as<std::uint16_t>()};
}

/// What differs, or nullopt.
std::optional<std::string> run_data_set(const Component& backend, const fs::path& model,
                                        const fs::path& data) {
  std::vector<Tensor> inputs = load_tensors(data, "input");
  const std::vector<Tensor> expected = load_tensors(data, "output");
  Graph graph = load_model(model);
  if (inputs.size() != graph.inputs.size())
    throw Error(ADZE_UNIMPLEMENTED, "inputs that the model does not use");
  const std::set<std::string> parameters = parameters_of(graph);
  if (!parameters.empty()) {
    LoadOptions options;
    std::vector<Tensor> left;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::string& name = graph.value(graph.inputs[i]).name;
      if (parameters.contains(name))
        options.constants[name] = inputs[i];
      else
        left.push_back(inputs[i]);
    }
    graph = load_model(model, options);
    inputs = std::move(left);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph.value(graph.inputs[i]);
    inputs[i] = as_type_of(value, inputs[i]);
    if (inputs[i].count() == 0 && value.shape != inputs[i].shape())
      throw Error(ADZE_UNIMPLEMENTED,
                  "input '" + value.name + "' has an axis of size 0, which is taken for the batch");
  }
  simplify(graph);
  BackendRunner runner(backend, {}, graph, "cpu:" + model.string(), {}, {});
  const std::vector<NamedTensor> outputs = runner.run(inputs);
  if (outputs.size() != expected.size())
    return fmt::format("{} outputs instead of {}", outputs.size(), expected.size());
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (const auto found =
            difference(outputs[i].tensor, as_type_of(graph.value(graph.outputs[i]), expected[i])))
      return fmt::format("output '{}': {}", outputs[i].name, *found);
  return std::nullopt;
}

template <class T>
std::optional<std::string> compare(std::span<const T> got, std::span<const T> expected,
                                   double relative) {
  constexpr double kAbsolute = 1e-7;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto x = static_cast<double>(got[i]), y = static_cast<double>(expected[i]);
    const bool same = std::is_integral_v<T> ? got[i] == expected[i]
                      : std::isnan(y)       ? std::isnan(x)
                      : std::isinf(y) || std::isinf(x)
                          ? x == y
                          : std::fabs(x - y) <= kAbsolute + relative * std::fabs(y);
    if (!same) return fmt::format("element {} is {} instead of {}", i, x, y);
  }
  return std::nullopt;
}

template <class T>
std::optional<std::string> compare(const Tensor& got, const Tensor& expected) {
  constexpr double kRelative = 1e-3;
  return compare<T>(got.as<T>(), expected.as<T>(), kRelative);
}

}  // namespace

std::optional<std::string> difference(const Tensor& got, const Tensor& expected) {
  if (got.dtype() != expected.dtype() || got.shape() != expected.shape())
    return fmt::format("{} {} instead of {} {}", info(got.dtype()).name, to_string(got.shape()),
                       info(expected.dtype()).name, to_string(expected.shape()));
  switch (expected.dtype()) {
    case DType::f64:
      return compare<double>(got, expected);
    case DType::i8:
      return compare<std::int8_t>(got, expected);
    case DType::i16:
      return compare<std::int16_t>(got, expected);
    case DType::i32:
      return compare<std::int32_t>(got, expected);
    case DType::i64:
      return compare<std::int64_t>(got, expected);
    case DType::u8:
    case DType::boolean:
      return compare<std::uint8_t>(got, expected);
    case DType::u16:
      return compare<std::uint16_t>(got, expected);
    case DType::u32:
      return compare<std::uint32_t>(got, expected);
    case DType::u64:
      return compare<std::uint64_t>(got, expected);
    default: {  // floats of 32 bits and less
      // The files' bfloat16 were cut off; later versions of ONNX round, as the executor does.
      const double relative = expected.dtype() == DType::bf16 ? 0x1p-7 : 1e-3;
      return compare<float>(to_f32(got), to_f32(expected), relative);
    }
  }
}

Verdict run_case(const Component& backend, const fs::path& folder) {
  try {
    for (const fs::path& data : data_sets(folder))
      if (const auto found = run_data_set(backend, folder / "model.onnx", data))
        return {Outcome::wrong, *found};
    return {};
  } catch (const PluginError& error) {
    return {error.code == ADZE_UNIMPLEMENTED ? Outcome::not_supported : Outcome::wrong,
            error.what()};
  } catch (const Error& error) {
    // The loader's: it refuses with a reason what the graph cannot show.
    return {error.code == ADZE_INTERNAL ? Outcome::wrong : Outcome::not_supported, error.what()};
  }
}

}  // namespace adze::host
