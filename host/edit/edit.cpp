#include "host/edit/edit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "host/base/error.hpp"
#include "host/edit/remove_channels.hpp"

namespace adze::host {
namespace {

constexpr const char* kUnstructured = "unstructured";

template <class... Parts>
[[noreturn]] void refuse(adze_status code, fmt::format_string<Parts...> text, Parts&&... parts) {
  throw Error(code, fmt::format(text, std::forward<Parts>(parts)...));
}

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16 || dtype == DType::bf16;
}

/// The type in which a component sees constants of `stored`.
DType shown_as(DType stored) {
  return stored == DType::f16 || stored == DType::bf16 ? DType::f32 : stored;
}

bool is_bias(const Graph& graph, std::uint32_t value) {
  return std::ranges::any_of(graph.value(value).consumers, [&](std::uint32_t n) {
    const Node& node = graph.nodes.at(n);
    return (node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm") &&
           node.inputs.size() > 2 && node.inputs[2] == value;
  });
}

template <class T>
void check_elements(const Value& value, std::span<const T> elements) {
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if constexpr (std::is_floating_point_v<T>)
      if (!std::isfinite(elements[i]))
        refuse(ADZE_INVALID_ARGUMENT, "set_constant: '{}': element {} is {} (R02)", value.name, i,
               elements[i]);
    if (!value.keep.empty() && !value.keep[i] && elements[i] != T{})
      refuse(ADZE_FAILED_PRECONDITION,
             "set_constant: '{}': element {} was pruned by an earlier stage and must stay 0 (R02)",
             value.name, i);
  }
}

void check_elements(const Value& value, const Tensor& contents) {
  switch (contents.dtype()) {
    case DType::f32:
      return check_elements(value, contents.as<float>());
    case DType::f64:
      return check_elements(value, contents.as<double>());
    default:
      if (!value.keep.empty())
        refuse(ADZE_UNIMPLEMENTED, "set_constant: '{}' is masked and not of a float type",
               value.name);
  }
}

/// Who may not prune a layer may not do it with new contents either.
void check_dense(const Value& value, const Tensor& contents) {
  if (!is_float(contents.dtype())) return;
  const std::vector<float> before = to_f32(*value.constant), after = to_f32(contents);
  for (std::size_t i = 0; i < after.size(); ++i)
    if (after[i] == 0 && before[i] != 0)
      refuse(ADZE_FAILED_PRECONDITION,
             "set_constant: '{}': element {} would become 0; this stage may correct the layer, but "
             "not prune it (R02)",
             value.name, i);
}

void check_scales(const Value& value, const Quant& quant) {
  for (const float scale : quant.scale)
    if (!std::isfinite(scale) || !(scale > 0))
      refuse(ADZE_INVALID_ARGUMENT,
             "set_quant: '{}': scale {} is not a finite number above 0 (S02)", value.name, scale);
  if (!quant.zero_point.empty() && quant.zero_point.size() != quant.scale.size())
    refuse(ADZE_INVALID_ARGUMENT, "set_quant: '{}': {} zero points for {} scales (S02)", value.name,
           quant.zero_point.size(), quant.scale.size());
  const std::int64_t levels = std::int64_t{1} << quant.bits;
  const std::int64_t low = quant.is_signed ? -levels / 2 : 0, high = low + levels - 1;
  for (const std::int32_t zero : quant.zero_point)
    if (zero < low || zero > high)
      refuse(ADZE_INVALID_ARGUMENT, "set_quant: '{}': zero point {} is outside {}..{} (S02)",
             value.name, zero, low, high);
}

void check_axis(const Value& value, std::int32_t axis, std::uint64_t count) {
  if (axis == -1) {
    if (count != 1)
      refuse(ADZE_INVALID_ARGUMENT,
             "set_quant: '{}': {} scales for the whole tensor, one is needed (S02)", value.name,
             count);
    return;
  }
  if (!value.shape || axis < 0 || static_cast<std::size_t>(axis) >= value.shape->size())
    refuse(ADZE_INVALID_ARGUMENT, "set_quant: '{}' has no axis {} (S02)", value.name, axis);
  const std::int64_t size = (*value.shape)[static_cast<std::size_t>(axis)];
  if (axis == value.batch_axis || size < 0 || count != static_cast<std::uint64_t>(size))
    refuse(ADZE_INVALID_ARGUMENT,
           "set_quant: '{}': {} scales along axis {}, whose size is {} (S02)", value.name, count,
           axis, size);
}

/// Sets the pruned elements to 0, whatever the type: all its zeros are zero bytes.
void clear_pruned(Tensor& tensor, std::span<const std::uint8_t> keep) {
  Tensor cleared(tensor.dtype(), tensor.shape());
  const std::size_t element_bytes = info(tensor.dtype()).bits / 8;
  const auto* from = tensor.bytes().data();
  auto* to = cleared.mutate_bytes().data();
  for (std::size_t i = 0; i < keep.size(); ++i)
    if (keep[i]) std::memcpy(to + i * element_bytes, from + i * element_bytes, element_bytes);
  tensor = std::move(cleared);
}

void commit_mask(Value& value, std::span<const std::uint8_t> keep, const std::string& pattern) {
  // Pruning more never breaks a pattern that bounds how many are kept.
  if (value.keep.empty() || pattern != kUnstructured) value.pattern = pattern;
  value.keep.resize(keep.size(), 1);
  for (std::size_t i = 0; i < keep.size(); ++i) value.keep[i] = value.keep[i] && keep[i];
  clear_pruned(*value.constant, value.keep);
}

}  // namespace

EditList::EditList(const Graph& shown, std::vector<std::uint32_t> targets,
                   std::vector<std::uint32_t> refits)
    : shown_(shown), targets_(std::move(targets)), refits_(std::move(refits)) {
  std::ranges::sort(targets_);
  std::ranges::sort(refits_);
}

bool EditList::is_target(std::uint32_t node) const {
  return std::ranges::binary_search(targets_, node);
}

const Value& EditList::changeable_constant(Edit::Kind kind, std::uint32_t index) const {
  const char* const verb = kind == Edit::Kind::mask ? "set_mask" : "set_constant";
  if (index >= shown_.values.size())
    refuse(ADZE_INVALID_ARGUMENT, "{}: there is no value {} (R02)", verb, index);
  const Value& value = shown_.value(index);
  if (!value.constant)
    refuse(ADZE_INVALID_ARGUMENT, "{}: '{}' is no constant (R02)", verb, value.name);
  for (const std::uint32_t node : value.consumers) {
    if (is_target(node)) continue;
    const bool may_be_refitted = std::ranges::binary_search(refits_, node);
    if (may_be_refitted && kind == Edit::Kind::constant) continue;
    refuse(ADZE_PERMISSION_DENIED, "{}: '{}' belongs to node '{}', which this stage may {}", verb,
           value.name, shown_.nodes.at(node).name,
           may_be_refitted ? "correct, but not prune (only in adze.refit/1)"
                           : "not change (not in targets)");
  }
  return value;
}

void EditList::check_contents(std::uint32_t index, DType dtype, const Shape& shape) const {
  const Value& value = changeable_constant(Edit::Kind::constant, index);
  const DType wanted = shown_as(value.constant->dtype());
  if (dtype != wanted || shape != value.constant->shape())
    refuse(ADZE_INVALID_ARGUMENT,
           "set_constant: '{}' is {} of {}, the new contents are {} of {} (R02)", value.name,
           to_string(value.constant->shape()), info(wanted).name, to_string(shape),
           info(dtype).name);
}

void EditList::set_constant(std::uint32_t index, Tensor contents) {
  check_contents(index, contents.dtype(), contents.shape());
  const Value& value = shown_.value(index);
  check_elements(value, contents);
  if (!std::ranges::all_of(value.consumers, [&](std::uint32_t node) { return is_target(node); }))
    check_dense(value, contents);
  edits_.push_back({.kind = Edit::Kind::constant,
                    .target = index,
                    .constant = std::move(contents),
                    .keep = {},
                    .channels = {},
                    .quant = {}});
}

void EditList::set_mask(std::uint32_t index, std::span<const std::uint8_t> keep) {
  const Value& value = changeable_constant(Edit::Kind::mask, index);
  if (!is_float(value.constant->dtype()))
    refuse(ADZE_INVALID_ARGUMENT, "set_mask: '{}' is of {}, only weights can be pruned (R02)",
           value.name, info(value.constant->dtype()).name);
  if (keep.size() != static_cast<std::size_t>(value.constant->count()))
    refuse(ADZE_INVALID_ARGUMENT, "set_mask: '{}' has {} elements, the mask {} (R02)", value.name,
           value.constant->count(), keep.size());
  edits_.push_back({.kind = Edit::Kind::mask,
                    .target = index,
                    .constant = {},
                    .keep = {keep.begin(), keep.end()},
                    .channels = {},
                    .quant = {}});
}

const Value& EditList::quantizable(std::uint32_t index) const {
  if (index >= shown_.values.size())
    refuse(ADZE_INVALID_ARGUMENT, "set_quant: there is no value {} (R02)", index);
  const Value& value = shown_.value(index);
  if (!is_float(value.dtype))
    refuse(ADZE_INVALID_ARGUMENT, "set_quant: '{}' is of {}, only floats can be quantized (S02)",
           value.name, info(value.dtype).name);
  if (value.constant && is_bias(shown_, index))
    refuse(ADZE_INVALID_ARGUMENT,
           "set_quant: '{}' is a bias, whose quantization follows from the inputs (S02)",
           value.name);
  return value;
}

void EditList::check_scale_count(std::uint32_t index, std::int32_t axis,
                                 std::uint64_t count) const {
  check_axis(quantizable(index), axis, count);
}

void EditList::set_quant(std::uint32_t index, std::optional<Quant> quant) {
  const Value& value = quantizable(index);
  if (quant) {
    if (quant->bits < 2 || quant->bits > 16)
      refuse(ADZE_INVALID_ARGUMENT, "set_quant: '{}': {} bits are outside 2..16 (S02)", value.name,
             quant->bits);
    check_axis(value, quant->axis, quant->scale.size());
    check_scales(value, *quant);
  }
  edits_.push_back({.kind = Edit::Kind::quant,
                    .target = index,
                    .constant = {},
                    .keep = {},
                    .channels = {},
                    .quant = std::move(quant)});
}

const ChannelGroups& EditList::channel_groups() const {
  if (!groups_)
    groups_ = std::make_unique<const ChannelGroups>(find_channel_groups(shown_, targets_));
  return *groups_;
}

void EditList::remove_channels(std::uint32_t group, std::span<const std::uint32_t> channels) {
  const std::vector<ChannelGroup>& groups = channel_groups().groups;
  if (group >= groups.size())
    refuse(ADZE_INVALID_ARGUMENT, "remove_channels: there is no group {} among {} (R02)", group,
           groups.size());
  const std::size_t count = groups[group].channels.size();
  if (channels.size() >= count)
    refuse(ADZE_INVALID_ARGUMENT,
           "remove_channels: group {}: {} of its {} channels; one must stay (R02)", group,
           channels.size(), count);
  for (std::size_t i = 0; i < channels.size(); ++i) {
    if (channels[i] >= count)
      refuse(ADZE_INVALID_ARGUMENT,
             "remove_channels: group {}: there is no channel {} among {} (R02)", group, channels[i],
             count);
    if (i > 0 && channels[i] <= channels[i - 1])
      refuse(ADZE_INVALID_ARGUMENT,
             "remove_channels: group {}: channel {} after {}; they must ascend (R02)", group,
             channels[i], channels[i - 1]);
  }
  edits_.push_back({.kind = Edit::Kind::channels,
                    .target = group,
                    .constant = {},
                    .keep = {},
                    .channels = {channels.begin(), channels.end()},
                    .quant = {}});
}

void EditList::rewind(std::uint64_t mark) {
  if (mark > edits_.size())
    refuse(ADZE_INVALID_ARGUMENT, "rewind: {} is no mark; {} edits were made", mark, edits_.size());
  edits_.resize(mark);
}

Graph EditList::commit(const std::string& pattern) const {
  std::map<std::uint32_t, const Edit*> constants, masks, quants;
  std::map<std::uint32_t, std::vector<std::uint32_t>> channels;
  for (const Edit& edit : edits_) {
    if (edit.kind == Edit::Kind::channels) {
      channels[edit.target] = edit.channels;
      continue;
    }
    (edit.kind == Edit::Kind::constant ? constants
     : edit.kind == Edit::Kind::mask   ? masks
                                       : quants)[edit.target] = &edit;
  }
  Graph graph = shown_;
  for (const auto& [index, edit] : constants) {
    Tensor& constant = *graph.values[index].constant;
    constant = edit->constant.dtype() == constant.dtype()
                   ? edit->constant
                   : from_f32(constant.dtype(), constant.shape(), edit->constant.as<float>());
  }
  for (const auto& [index, edit] : masks) commit_mask(graph.values[index], edit->keep, pattern);
  for (const auto& [index, edit] : quants) graph.values[index].quant = edit->quant;
  // Last, because quantization too speaks of the channels as shown.
  if (!channels.empty()) host::remove_channels(graph, channel_groups(), channels);
  return graph;
}

}  // namespace adze::host
