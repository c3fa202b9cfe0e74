// Graphs as the host would show them, built by hand: a backend can be driven without the host.
#pragma once

#include <adze/adze.hpp>
#include <deque>
#include <map>
#include <numeric>
#include <variant>

namespace adze::testing {

using Shape = std::vector<std::int64_t>;
using AttributeValue = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>>;
using Attributes = std::map<std::string, AttributeValue>;

inline std::int64_t count_of(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

class GraphBuilder {
 public:
  std::uint32_t input(const std::string& name, const Shape& shape, std::int32_t batch_axis = 0) {
    const std::uint32_t value = add_value(name, shape, ADZE_FLOAT, 32);
    values_[value].flags = ADZE_VALUE_INPUT;
    values_[value].batch_axis = batch_axis;
    inputs_.push_back(value);
    return value;
  }

  std::uint32_t constant(const std::string& name, const Shape& shape, std::vector<float> elements) {
    const std::uint32_t value = add_value(name, shape, ADZE_FLOAT, 32);
    floats_.push_back(std::move(elements));
    show(value, floats_.back().data());
    return value;
  }

  std::uint32_t constant(const std::string& name, std::vector<std::int64_t> elements) {
    const std::uint32_t value =
        add_value(name, {static_cast<std::int64_t>(elements.size())}, ADZE_INT, 64);
    integers_.push_back(std::move(elements));
    show(value, integers_.back().data());
    return value;
  }

  /// The result's value; its batch axis is 0 unless told.
  std::uint32_t node(const std::string& op, const std::vector<std::uint32_t>& inputs,
                     const Shape& output_shape, const Attributes& attributes = {},
                     std::uint32_t op_version = 13, std::int32_t batch_axis = 0) {
    const auto index = static_cast<std::uint32_t>(nodes_.size());
    const std::uint32_t value = add_value(op + std::to_string(index), output_shape, ADZE_FLOAT, 32);
    values_[value].batch_axis = batch_axis;
    values_[value].producer = index;
    lists_.push_back(inputs);
    lists_.push_back({value});
    adze_node node{};
    node.struct_size = sizeof node;
    node.op_version = op_version;
    node.op = text(op);
    node.domain = text("");
    node.name = text("node" + std::to_string(index));
    node.input_count = static_cast<std::uint32_t>(inputs.size());
    node.inputs = lists_[lists_.size() - 2].data();
    node.output_count = 1;
    node.outputs = lists_.back().data();
    property_lists_.emplace_back();
    for (const auto& [name, attribute] : attributes)
      property_lists_.back().push_back(property(name, attribute));
    node.attribute_count = property_lists_.back().size();
    node.attributes = property_lists_.back().data();
    nodes_.push_back(node);
    return value;
  }

  /// One more output of the node added last.
  std::uint32_t another_output(const Shape& shape, std::uint8_t code, std::uint8_t bits) {
    const std::uint32_t value =
        add_value("also" + std::to_string(values_.size()), shape, code, bits);
    values_[value].batch_axis = values_[lists_.back().front()].batch_axis;
    values_[value].producer = static_cast<std::uint32_t>(nodes_.size()) - 1;
    lists_.back().push_back(value);
    nodes_.back().outputs = lists_.back().data();
    nodes_.back().output_count = static_cast<std::uint32_t>(lists_.back().size());
    return value;
  }

  void quantize(std::uint32_t value, float scale, std::int32_t zero_point, bool is_signed = false,
                std::uint8_t bits = 8) {
    quantize(value, -1, {scale}, {zero_point}, is_signed, bits);
  }

  void quantize(std::uint32_t value, std::int32_t axis, std::vector<float> scale,
                std::vector<std::int32_t> zero_point, bool is_signed, std::uint8_t bits = 8) {
    floats_.push_back(std::move(scale));
    zero_points_.push_back(std::move(zero_point));
    adze_quant quant{};
    quant.struct_size = sizeof quant;
    quant.axis = axis;
    quant.code = is_signed ? ADZE_INT : ADZE_UINT;
    quant.bits = bits;
    quant.count = floats_.back().size();
    quant.scale = floats_.back().data();
    quant.zero_point = zero_points_.back().data();
    quants_.push_back(quant);
    values_[value].quant = &quants_.back();
  }

  void output(std::uint32_t value) {
    values_[value].flags |= ADZE_VALUE_OUTPUT;
    outputs_.push_back(value);
  }

  adze_value& value(std::uint32_t index) { return values_[index]; }

  /// Valid until the builder changes.
  const adze_graph* graph() {
    node_pointers_.clear();
    value_pointers_.clear();
    for (const adze_node& node : nodes_) node_pointers_.push_back(&node);
    for (const adze_value& value : values_) value_pointers_.push_back(&value);
    graph_ = {};
    graph_.struct_size = sizeof graph_;
    graph_.node_count = static_cast<std::uint32_t>(nodes_.size());
    graph_.value_count = static_cast<std::uint32_t>(values_.size());
    graph_.input_count = static_cast<std::uint32_t>(inputs_.size());
    graph_.output_count = static_cast<std::uint32_t>(outputs_.size());
    graph_.nodes = node_pointers_.data();
    graph_.values = value_pointers_.data();
    graph_.inputs = inputs_.data();
    graph_.outputs = outputs_.data();
    return &graph_;
  }

  /// The same inputs and outputs without nodes, as load() is shown them.
  const adze_graph* interface_only() {
    graph();
    graph_.node_count = 0;
    return &graph_;
  }

 private:
  const char* text(const std::string& from) {
    texts_.push_back(from);
    return texts_.back().c_str();
  }

  std::uint32_t add_value(const std::string& name, const Shape& shape, std::uint8_t code,
                          std::uint8_t bits) {
    shapes_.push_back(shape);
    adze_value value{};
    value.struct_size = sizeof value;
    value.rank = static_cast<std::int32_t>(shape.size());
    value.batch_axis = -1;
    value.code = code;
    value.bits = bits;
    value.producer = ADZE_NONE;
    value.name = text(name);
    value.shape = shapes_.back().data();
    values_.push_back(value);
    return static_cast<std::uint32_t>(values_.size()) - 1;
  }

  void show(std::uint32_t index, const void* data) {
    adze_value& value = values_[index];
    const Shape shape(value.shape, value.shape + value.rank);
    Shape strides(shape.size(), 1);
    for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
    shapes_.push_back(strides);
    tensors_.push_back(
        {data, 1, 0, value.rank, value.code, value.bits, 1, value.shape, shapes_.back().data(), 0});
    value.constant = &tensors_.back();
  }

  const adze_property* property(const std::string& name, const AttributeValue& value) {
    adze_property made{};
    made.struct_size = sizeof made;
    made.name = text(name);
    made.count = 1;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      integers_.push_back({*number});
      made.type = ADZE_I64;
      made.i64 = integers_.back().data();
    } else if (const auto* real = std::get_if<double>(&value)) {
      reals_.push_back(*real);
      made.type = ADZE_F64;
      made.f64 = &reals_.back();
    } else if (const auto* words = std::get_if<std::string>(&value)) {
      text_pointers_.push_back(text(*words));
      made.type = ADZE_TEXT;
      made.text = &text_pointers_.back();
    } else {
      integers_.push_back(std::get<std::vector<std::int64_t>>(value));
      made.type = ADZE_I64;
      made.count = integers_.back().size();
      made.i64 = integers_.back().data();
    }
    properties_.push_back(made);
    return &properties_.back();
  }

  std::deque<std::string> texts_;
  std::deque<Shape> shapes_;
  std::deque<std::vector<float>> floats_;
  std::deque<std::vector<std::int64_t>> integers_;
  std::deque<std::vector<std::int32_t>> zero_points_;
  std::deque<std::vector<std::uint32_t>> lists_;
  std::deque<double> reals_;
  std::deque<const char*> text_pointers_;
  std::deque<adze_property> properties_;
  std::deque<std::vector<const adze_property*>> property_lists_;
  std::deque<adze_tensor> tensors_;
  std::deque<adze_quant> quants_;
  std::deque<adze_value> values_;
  std::deque<adze_node> nodes_;
  std::vector<const adze_node*> node_pointers_;
  std::vector<const adze_value*> value_pointers_;
  std::vector<std::uint32_t> inputs_, outputs_;
  adze_graph graph_{};
};

}  // namespace adze::testing
