#include "host/isolate/view_codec.hpp"

#include <algorithm>

#include "host/base/error.hpp"
#include "host/isolate/shared_constants.hpp"

namespace adze::host {
namespace {

constexpr std::int32_t kMostAxes = 32;

/// Bytes of the elements; 0 for strings, and for what no tensor can be (the host refuses it by
/// its shape).
std::uint64_t data_bytes(const adze_tensor& tensor) {
  if (tensor.code == ADZE_OPAQUE || !tensor.data || tensor.ndim < 0 || tensor.ndim > kMostAxes ||
      (tensor.ndim > 0 && !tensor.shape))
    return 0;
  std::uint64_t bits = tensor.bits;
  for (std::int32_t axis = 0; axis < tensor.ndim; ++axis)
    if (tensor.shape[axis] < 0 ||
        __builtin_mul_overflow(bits, static_cast<std::uint64_t>(tensor.shape[axis]), &bits))
      return 0;
  return bits / 8 + (bits % 8 != 0);
}

std::uint64_t element_count(const adze_tensor* tensor) {
  return tensor && tensor->bits ? data_bytes(*tensor) * 8 / tensor->bits : 0;
}

void write_texts(Writer& to, const char* const* texts, std::uint64_t count) {
  to.number<std::uint32_t>(texts ? static_cast<std::uint32_t>(count) : 0);
  for (std::uint64_t i = 0; texts && i < count; ++i) to.text(texts[i]);
}

const char* const* read_texts(Reader& from, Pool& pool) {
  std::uint32_t count = 0;
  return read_pointers(from, pool, count, [](Reader& each, Pool&) { return each.text(); });
}

void write_property(Writer& to, const adze_property& property) {
  to.number(property.type);
  to.number(property.count);
  to.text(property.name);
  to.array(property.f64, property.f64 ? property.count : 0);
  to.array(property.i64, property.i64 ? property.count : 0);
  write_texts(to, property.text, property.count);
  write_texts(to, property.keys, property.count);
  to.number<std::uint64_t>(property.tensor ? property.count : 0);
  for (std::uint64_t i = 0; property.tensor && i < property.count; ++i)
    write_tensor(to, &property.tensor[i]);
}

const adze_property* read_property(Reader& from, Pool& pool) {
  auto* property = pool.make<adze_property>();
  std::uint64_t count = 0;
  property->struct_size = sizeof *property;
  property->type = from.number<std::uint32_t>();
  property->count = from.number<std::uint64_t>();
  property->name = from.text();
  property->f64 = from.array<double>(count);
  property->i64 = from.array<std::int64_t>(count);
  property->text = read_texts(from, pool);
  property->keys = read_texts(from, pool);
  const auto tensors = from.number<std::uint64_t>();
  if (tensors > 1) Reader::refuse();  // 1.0 shows one
  if (tensors) property->tensor = read_tensor(from, pool);
  return property;
}

void write_value(Writer& to, const adze_value& value, const SharedConstants* constants) {
  to.number(value.flags);
  to.number(value.rank);
  to.number(value.batch_axis);
  to.number(value.code);
  to.number(value.bits);
  to.number(value.producer);
  to.text(value.name);
  to.array(value.shape, value.rank > 0 ? static_cast<std::uint64_t>(value.rank) : 0);
  to.array(value.consumers, value.consumer_count);
  write_tensor(to, value.constant, constants ? constants->find(value.constant) : nullptr);
  to.blob(value.keep, value.keep ? element_count(value.constant) : 0);
  write_quant(to, value.quant);
}

const adze_value* read_value(Reader& from, Pool& pool) {
  auto* value = pool.make<adze_value>();
  std::uint64_t rank = 0;
  value->struct_size = sizeof *value;
  value->flags = from.number<std::uint32_t>();
  value->rank = from.number<std::int32_t>();
  value->batch_axis = from.number<std::int32_t>();
  value->code = from.number<std::uint8_t>();
  value->bits = from.number<std::uint8_t>();
  value->producer = from.number<std::uint32_t>();
  value->name = from.text();
  value->shape = from.array<std::int64_t>(rank);
  value->consumers = from.array<std::uint32_t>(value->consumer_count);
  value->constant = read_tensor(from, pool);
  const auto keep = from.blob();
  value->keep = keep.empty() ? nullptr : reinterpret_cast<const std::uint8_t*>(keep.data());
  value->quant = read_quant(from, pool);
  return value;
}

void write_node(Writer& to, const adze_node& node) {
  to.number(node.op_version);
  to.text(node.op);
  to.text(node.domain);
  to.text(node.name);
  to.array(node.inputs, node.input_count);
  to.array(node.outputs, node.output_count);
  write_properties(to, node.attributes, node.attribute_count);
}

const adze_node* read_node(Reader& from, Pool& pool) {
  auto* node = pool.make<adze_node>();
  std::uint64_t count = 0;
  node->struct_size = sizeof *node;
  node->op_version = from.number<std::uint32_t>();
  node->op = from.text();
  node->domain = from.text();
  node->name = from.text();
  node->inputs = from.array<std::uint32_t>(count);
  node->input_count = static_cast<std::uint32_t>(count);
  node->outputs = from.array<std::uint32_t>(count);
  node->output_count = static_cast<std::uint32_t>(count);
  node->attributes = read_properties(from, pool, node->attribute_count);
  return node;
}

}  // namespace

void write_tensor(Writer& to, const adze_tensor* tensor, std::shared_ptr<const SharedFile> file) {
  to.number<std::uint8_t>(tensor != nullptr);
  if (!tensor) return;
  to.number(tensor->device_type);
  to.number(tensor->code);
  to.number(tensor->bits);
  to.number(tensor->lanes);
  // An impossible ndim is passed on for the host to refuse, without looking behind it.
  const bool possible = tensor->ndim > 0 && tensor->ndim <= kMostAxes && tensor->shape;
  to.number(tensor->ndim);
  to.array(tensor->shape, possible ? static_cast<std::uint64_t>(tensor->ndim) : 0);
  to.array(tensor->strides,
           possible && tensor->strides ? static_cast<std::uint64_t>(tensor->ndim) : 0);
  if (file) return to.blob(std::move(file));
  const std::uint64_t size = possible || tensor->ndim == 0 ? data_bytes(*tensor) : 0;
  to.blob(size ? static_cast<const std::byte*>(tensor->data) + tensor->byte_offset : nullptr, size);
}

const adze_tensor* read_tensor(Reader& from, Pool& pool) {
  if (!from.number<std::uint8_t>()) return nullptr;
  auto* tensor = pool.make<adze_tensor>();
  tensor->device_type = from.number<std::int32_t>();
  tensor->code = from.number<std::uint8_t>();
  tensor->bits = from.number<std::uint8_t>();
  tensor->lanes = from.number<std::uint16_t>();
  tensor->ndim = from.number<std::int32_t>();
  std::uint64_t axes = 0, strides = 0;
  tensor->shape = from.array<std::int64_t>(axes);
  tensor->strides = from.array<std::int64_t>(strides);
  const auto data = from.blob();
  // Without a shape the host refuses it; with half of one the message is damaged.
  const auto ndim = static_cast<std::uint64_t>(std::max(0, tensor->ndim));
  if ((axes && axes != ndim) || (strides && strides != ndim)) Reader::refuse();
  tensor->data = data.data();  // for data_bytes()
  if (!data.empty() && data_bytes(*tensor) != data.size())
    throw Error(ADZE_DATA_LOSS, "a tensor of another size than its shape");
  tensor->data = data.empty() ? nullptr : data.data();
  return tensor;
}

void write_properties(Writer& to, const adze_property* const* properties, std::uint64_t count) {
  to.number(static_cast<std::uint32_t>(count));
  for (std::uint64_t i = 0; i < count; ++i) write_property(to, *properties[i]);
}

const adze_property* const* read_properties(Reader& from, Pool& pool, std::uint64_t& count) {
  return read_pointers(from, pool, count, read_property);
}

void write_quant(Writer& to, const adze_quant* quant, bool with_scales) {
  to.number<std::uint8_t>(quant != nullptr);
  if (!quant) return;
  to.number(quant->struct_size);
  to.number(quant->flags);
  to.number(quant->axis);
  to.number(quant->code);
  to.number(quant->bits);
  to.number(quant->count);
  to.number<std::uint8_t>(quant->scale != nullptr);
  to.array(quant->scale, with_scales && quant->scale ? quant->count : 0);
  to.array(quant->zero_point, with_scales && quant->zero_point ? quant->count : 0);
}

const adze_quant* read_quant(Reader& from, Pool& pool) {
  if (!from.number<std::uint8_t>()) return nullptr;
  auto* quant = pool.make<adze_quant>();
  std::uint64_t scales = 0, zero_points = 0;
  quant->struct_size = from.number<std::uint32_t>();
  quant->flags = from.number<std::uint32_t>();
  quant->axis = from.number<std::int32_t>();
  quant->code = from.number<std::uint8_t>();
  quant->bits = from.number<std::uint8_t>();
  quant->count = from.number<std::uint64_t>();
  const bool given = from.number<std::uint8_t>();
  quant->scale = from.array<float>(scales);
  quant->zero_point = from.array<std::int32_t>(zero_points);
  if ((scales && scales != quant->count) || (zero_points && zero_points != quant->count))
    Reader::refuse();
  constexpr std::uint64_t kMostZeros = 1u << 24;
  if (given && !scales && quant->count <= kMostZeros) quant->scale = pool.make<float>(quant->count);
  return quant;
}

void write_graph(Writer& to, const adze_graph& graph, const SharedConstants* constants) {
  to.number(graph.value_count);
  for (std::uint32_t i = 0; i < graph.value_count; ++i)
    write_value(to, *graph.values[i], constants);
  to.number(graph.node_count);
  for (std::uint32_t i = 0; i < graph.node_count; ++i) write_node(to, *graph.nodes[i]);
  to.array(graph.inputs, graph.input_count);
  to.array(graph.outputs, graph.output_count);
  to.array(graph.targets, graph.target_count);
}

const adze_graph* read_graph(Reader& from, Pool& pool) {
  auto* graph = pool.make<adze_graph>();
  graph->struct_size = sizeof *graph;
  graph->values = read_pointers(from, pool, graph->value_count, read_value);
  graph->nodes = read_pointers(from, pool, graph->node_count, read_node);
  const auto indices = [&](const std::uint32_t*& to, std::uint32_t& many) {
    std::uint64_t count = 0;
    to = from.array<std::uint32_t>(count);
    many = static_cast<std::uint32_t>(count);
  };
  indices(graph->inputs, graph->input_count);
  indices(graph->outputs, graph->output_count);
  indices(graph->targets, graph->target_count);
  return graph;
}

std::uint64_t mask_count(const adze_graph& graph, std::uint32_t value) {
  return value < graph.value_count ? element_count(graph.values[value]->constant) : 0;
}

void write_target(Writer& to, const adze_target* target) {
  to.number<std::uint8_t>(target != nullptr);
  if (!target) return;
  to.text(target->board_type);
  write_properties(to, target->facts, target->fact_count);
}

const adze_target* read_target(Reader& from, Pool& pool) {
  if (!from.number<std::uint8_t>()) return nullptr;
  auto* target = pool.make<adze_target>();
  std::uint64_t count = 0;
  target->struct_size = sizeof *target;
  target->board_type = from.text();
  target->facts = read_properties(from, pool, count);
  target->fact_count = static_cast<std::uint32_t>(count);
  return target;
}

}  // namespace adze::host
