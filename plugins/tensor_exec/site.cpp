#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

bool Clamp::any() const {
  return low != -std::numeric_limits<float>::infinity() ||
         high != std::numeric_limits<float>::infinity();
}

Site::Site(const Program& whole, std::uint32_t node_index, std::int64_t samples, const Options& how)
    : program(whole),
      node(whole.nodes[node_index]),
      batch(samples),
      options(how),
      output(whole.nodes[node_index].outputs.front()) {}

bool Site::has_input(std::size_t index) const {
  return index < node.inputs.size() && node.inputs[index] != ADZE_NONE;
}

std::uint32_t Site::input(std::size_t index) const {
  if (!has_input(index)) malformed("input " + std::to_string(index) + " is missing");
  return node.inputs[index];
}

Shape Site::shape(std::uint32_t index) const {
  Shape shape = program.values[index].shape;
  const std::int32_t axis = program.values[index].batch_axis;
  if (axis >= 0 && !program.values[index].is_constant())
    shape[static_cast<std::size_t>(axis)] *= batch;
  return shape;
}

std::optional<Quant8> Site::quant8(std::uint32_t index) const {
  return quant8_of(program.values[index]);
}

Layout Site::existing_layout(std::uint32_t index) const {
  return index < existing_layouts.size() ? existing_layouts[index] : Layout::plain;
}

Layout Site::normal_layout(std::uint32_t index, Layout layout) const {
  return layouts_coincide(shape(index)) ? Layout::plain : layout;
}

Form Site::natural_form(std::uint32_t index, Layout layout) const {
  return {quant8(index) ? Storage::u8 : Storage::f32, normal_layout(index, layout)};
}

void Site::refuse(const std::string& why) const {
  throw Error(ADZE_UNIMPLEMENTED, "node '" + node.name + "' (" + node.op + "): " + why);
}

void Site::malformed(const std::string& why) const {
  throw Error(ADZE_INVALID_ARGUMENT, "node '" + node.name + "' (" + node.op + "): " + why);
}

void Site::expect_output_shape(const Shape& expected) const { expect_shape(output, expected); }

void Site::expect_shape(std::uint32_t index, const Shape& expected) const {
  if (shape(index) != expected)
    malformed("computes " + to_string(expected) + ", but its output '" + value(index).name +
              "' is " + to_string(shape(index)));
}

std::size_t Site::axis(std::int64_t given, std::size_t rank) const {
  const auto axes = static_cast<std::int64_t>(rank);
  if (given < -axes || given >= axes)
    malformed("axis " + std::to_string(given) + " is out of range for " + std::to_string(rank) +
              " axes");
  return static_cast<std::size_t>(given < 0 ? given + axes : given);
}

void Site::keep_samples_apart(std::uint32_t index, std::size_t along) const {
  const Value& whole = value(index);
  if (program.batch > 1 && !whole.is_constant() &&
      whole.batch_axis == static_cast<std::int32_t>(along))
    refuse("it mixes the samples of a batch; compile the model for a batch of 1");
}

Form Site::own_form(std::uint32_t index) const {
  return {type(index) == DType::f32 ? Storage::f32 : Storage::native, Layout::plain};
}

Storage Site::moved_storage(std::uint32_t from, std::uint32_t to) const {
  const auto source = quant8(from), target = quant8(to);
  return source && target && *source == *target ? Storage::u8 : own_form(to).storage;
}

std::size_t Site::element_bytes(std::uint32_t index, Storage storage) const {
  return storage == Storage::u8    ? 1
         : storage == Storage::f32 ? sizeof(float)
                                   : size_of(type(index));
}

void Site::expect_same_type(std::uint32_t from, std::uint32_t to) const {
  if (type(from) != type(to))
    malformed("value '" + value(from).name + "' is " + name_of(type(from)) + ", but '" +
              value(to).name + "' is " + name_of(type(to)));
}

std::optional<Quant8> quant8_of(const Value& value) {
  if (!value.quantization || value.quantization->bits > 8 || value.quantization->axis >= 0)
    return std::nullopt;
  const Quantization& from = *value.quantization;
  const std::int32_t offset = from.is_signed ? 128 : 0;
  return Quant8{from.scale.front(), from.zero_point.front() + offset, from.low() + offset,
                from.high() + offset};
}

Shape strides_of(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

std::vector<std::size_t> axis_order(std::size_t rank, Layout layout) {
  std::vector<std::size_t> order;
  for (std::size_t axis = 0; axis < rank; ++axis)
    if (layout == Layout::plain || axis != 1) order.push_back(axis);
  if (layout == Layout::channels_last) order.push_back(1);
  return order;
}

Shape in_memory_order(const Shape& shape, Layout layout) {
  Shape ordered;
  for (const std::size_t axis : axis_order(shape.size(), layout)) ordered.push_back(shape[axis]);
  return ordered;
}

Shape memory_strides(const Shape& shape, Layout layout) {
  const std::vector<std::size_t> order = axis_order(shape.size(), layout);
  const Shape ordered = strides_of(in_memory_order(shape, layout));
  Shape strides(shape.size());
  for (std::size_t i = 0; i < order.size(); ++i) strides[order[i]] = ordered[i];
  return strides;
}

bool layouts_coincide(const Shape& shape) {
  if (shape.size() < 3 || shape[1] == 1) return true;
  for (std::size_t axis = 2; axis < shape.size(); ++axis)
    if (shape[axis] != 1) return false;
  return true;
}

}  // namespace adze::exec
