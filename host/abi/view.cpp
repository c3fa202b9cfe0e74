#include "host/abi/view.hpp"

#include <algorithm>
#include <utility>

#include "host/base/error.hpp"
#include "host/base/small.hpp"

namespace adze::host {
namespace {

template <class T>
std::uint32_t count_of(const std::vector<T>& elements) {
  return static_cast<std::uint32_t>(elements.size());
}

Tensor widened(const Tensor& tensor) {
  if (!tensor.is_uniform() || tensor.count() == 0) {
    const std::vector<float> elements = to_f32(tensor);
    return {DType::f32, tensor.shape(), std::span<const float>(elements)};
  }
  const Tensor element(tensor.dtype(), {}, tensor.bytes().first(info(tensor.dtype()).bits / 8));
  return Tensor::uniform(DType::f32, tensor.shape(), to_f32(element).front());
}

adze_property named(const std::string& name, std::uint32_t type, std::uint64_t count) {
  adze_property property{};
  property.struct_size = sizeof property;
  property.type = type;
  property.count = count;
  property.name = name.c_str();
  return property;
}

/// The integers of a quantized constant; nullptr when the graph has only floats, or integers of
/// another quantization.
const Tensor* integers_of(const Value& value) {
  const Integers* from = value.quant ? value.constant->integers() : nullptr;
  const bool same = from && from->axis == value.quant->axis && from->scale == value.quant->scale &&
                    from->zero_point == value.quant->zero_point && value.quant->bits == 8 &&
                    from->stored.dtype() == (value.quant->is_signed ? DType::i8 : DType::u8) &&
                    from->stored.shape() == value.constant->shape();
  return same ? &from->stored : nullptr;
}

}  // namespace

View::View(const Graph& graph, std::vector<std::uint32_t> targets, ConstantsAs constants_as)
    : targets_(std::move(targets)) {
  std::ranges::sort(targets_);
  targets_.erase(std::ranges::unique(targets_).begin(), targets_.end());
  if (!targets_.empty() && targets_.back() >= graph.nodes.size())
    throw Error(ADZE_INTERNAL, "a target is no node of the graph");
  for (const Value& value : graph.values) add_value(value, constants_as);
  for (const Node& node : graph.nodes) add_node(node);
  graph_ = {.struct_size = sizeof graph_,
            .node_count = count_of(node_pointers_),
            .value_count = count_of(value_pointers_),
            .input_count = count_of(graph.inputs),
            .output_count = count_of(graph.outputs),
            .target_count = count_of(targets_),
            .nodes = data_or_null(node_pointers_),
            .values = data_or_null(value_pointers_),
            .inputs = data_or_null(graph.inputs),
            .outputs = data_or_null(graph.outputs),
            .targets = data_or_null(targets_)};
  for (const std::uint32_t input : graph.inputs) values_.at(input).flags |= ADZE_VALUE_INPUT;
  for (const std::uint32_t output : graph.outputs) values_.at(output).flags |= ADZE_VALUE_OUTPUT;
}

void View::add_value(const Value& value, ConstantsAs constants_as) {
  const DTypeInfo& type = info(value.dtype);
  adze_value shown{};
  shown.struct_size = sizeof shown;
  shown.rank = value.shape ? static_cast<std::int32_t>(value.shape->size()) : -1;
  shown.batch_axis = value.batch_axis;
  shown.code = type.code;
  shown.bits = type.bits;
  shown.producer = value.producer;
  shown.consumer_count = value.consumers.size();
  shown.name = value.name.c_str();
  shown.shape = value.shape ? data_or_null(*value.shape) : nullptr;
  shown.consumers = data_or_null(value.consumers);
  if (value.constant) {
    const Tensor* stored = constants_as == ConstantsAs::integers ? integers_of(value) : nullptr;
    shown.constant = add_tensor(stored ? *stored : *value.constant);
  }
  shown.keep = data_or_null(value.keep);
  if (value.quant)
    shown.quant = &quants_.emplace_back(
        adze_quant{.struct_size = sizeof(adze_quant),
                   .flags = 0,
                   .axis = value.quant->axis,
                   .code = static_cast<std::uint8_t>(value.quant->is_signed ? ADZE_INT : ADZE_UINT),
                   .bits = value.quant->bits,
                   .reserved = 0,
                   .count = value.quant->scale.size(),
                   .scale = data_or_null(value.quant->scale),
                   .zero_point = data_or_null(value.quant->zero_point)});
  value_pointers_.push_back(&values_.emplace_back(shown));
}

void View::add_node(const Node& node) {
  auto& attributes = attributes_.emplace_back();
  for (const auto& [name, attribute] : node.attributes)
    attributes.push_back(add_attribute(name, attribute));
  node_pointers_.push_back(&nodes_.emplace_back(adze_node{.struct_size = sizeof(adze_node),
                                                          .op_version = node.op_version,
                                                          .input_count = count_of(node.inputs),
                                                          .output_count = count_of(node.outputs),
                                                          .op = node.op.c_str(),
                                                          .domain = node.domain.c_str(),
                                                          .name = node.name.c_str(),
                                                          .inputs = data_or_null(node.inputs),
                                                          .outputs = data_or_null(node.outputs),
                                                          .attribute_count = attributes.size(),
                                                          .attributes = data_or_null(attributes)}));
}

const adze_tensor* View::add_tensor(const Tensor& tensor) {
  const bool narrow = tensor.dtype() == DType::f16 || tensor.dtype() == DType::bf16;
  const Tensor& shown = narrow ? widened_.emplace_back(widened(tensor)) : tensor;
  adze_tensor& made = tensors_.emplace_back(view_of(shown, strides_.emplace_back()));
  if (!narrow) constants_[&made] = &tensor;
  return &made;
}

const adze_property* View::add_attribute(const std::string& name, const Attribute& attribute) {
  const auto texts = [&](std::span<const std::string> strings) {
    auto& pointers = texts_.emplace_back();
    for (const std::string& text : strings) pointers.push_back(text.c_str());
    return data_or_null(pointers);
  };
  adze_property shown =
      std::visit(Match{[&](const std::int64_t& number) {
                         auto property = named(name, ADZE_I64, 1);
                         property.i64 = &number;
                         return property;
                       },
                       [&](const double& number) {
                         auto property = named(name, ADZE_F64, 1);
                         property.f64 = &number;
                         return property;
                       },
                       [&](const std::string& text) {
                         auto property = named(name, ADZE_TEXT, 1);
                         property.text = texts({&text, 1});
                         return property;
                       },
                       [&](const std::vector<std::int64_t>& numbers) {
                         auto property = named(name, ADZE_I64, numbers.size());
                         property.i64 = data_or_null(numbers);
                         return property;
                       },
                       [&](const std::vector<double>& numbers) {
                         auto property = named(name, ADZE_F64, numbers.size());
                         property.f64 = data_or_null(numbers);
                         return property;
                       },
                       [&](const std::vector<std::string>& strings) {
                         auto property = named(name, ADZE_TEXT, strings.size());
                         property.text = texts(strings);
                         return property;
                       },
                       [&](const Tensor& tensor) {
                         auto property = named(name, ADZE_TENSOR, 1);
                         property.tensor = add_tensor(tensor);
                         return property;
                       },
                       [&](const Subgraph&) { return named(name, ADZE_GRAPH, 1); }},
                 attribute);
  return &properties_.emplace_back(shown);
}

Target::Target(std::string board_type, const std::map<std::string, Fact>& facts)
    : board_type_(std::move(board_type)) {
  const auto texts = [&](std::span<const std::string> strings) {
    auto& pointers = texts_.emplace_back();
    for (const std::string& text : strings) pointers.push_back(strings_.emplace_back(text).c_str());
    return data_or_null(pointers);
  };
  const auto numbers = [&](adze_property& property, const std::vector<double>& all) {
    property.f64 = data_or_null(f64_.emplace_back(all));
  };
  const auto wholes = [&](adze_property& property, std::int64_t number) {
    property.i64 = data_or_null(i64_.emplace_back(1, number));
  };
  for (const auto& [key, fact] : facts) {
    const std::string& name = strings_.emplace_back(key);
    adze_property shown{};
    std::visit(Match{[&](double number) {
                       shown = named(name, ADZE_F64, 1);
                       numbers(shown, {number});
                     },
                     [&](std::int64_t number) {
                       shown = named(name, ADZE_I64, 1);
                       wholes(shown, number);
                     },
                     [&](bool flag) {
                       shown = named(name, ADZE_FLAG, 1);
                       wholes(shown, flag);
                     },
                     [&](const std::string& text) {
                       shown = named(name, ADZE_TEXT, 1);
                       shown.text = texts({&text, 1});
                     },
                     [&](const std::vector<double>& all) {
                       shown = named(name, ADZE_F64, all.size());
                       numbers(shown, all);
                     },
                     [&](const std::vector<std::string>& all) {
                       shown = named(name, ADZE_TEXT, all.size());
                       shown.text = texts(all);
                     }},
               fact);
    pointers_.push_back(&properties_.emplace_back(shown));
  }
  target_ = {.struct_size = sizeof target_,
             .fact_count = count_of(pointers_),
             .board_type = board_type_.c_str(),
             .facts = data_or_null(pointers_)};
}

}  // namespace adze::host
