// Slice with constant starts, ends, axes and steps.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/strided_copy.hpp"

namespace adze::exec {
namespace {

struct Range {
  std::int64_t start, step, count;
};

Shape parameter(const Site& site, std::size_t input, const char* attribute, const Shape& fallback) {
  if (site.node.op_version < 10) return site.node.integers(attribute, fallback);
  if (!site.has_input(input)) return fallback;
  if (!site.value(site.input(input)).constant)
    site.refuse(std::string("its ") + attribute + " are computed");
  return site.program.integers(site.input(input));
}

std::vector<Range> ranges_of(const Site& site) {
  const Shape in = site.program.values[site.input(0)].shape;
  const auto rank = static_cast<std::int64_t>(in.size());
  const Shape starts = parameter(site, 1, "starts", {}), ends = parameter(site, 2, "ends", {});
  Shape every;
  for (std::size_t i = 0; i < starts.size(); ++i) every.push_back(static_cast<std::int64_t>(i));
  const Shape axes = parameter(site, 3, "axes", every);
  const Shape steps = parameter(site, 4, "steps", Shape(starts.size(), 1));
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    site.malformed("starts, ends, axes and steps have different lengths");

  std::vector<Range> ranges;
  for (const std::int64_t size : site.shape(site.input(0))) ranges.push_back({0, 1, size});
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank || steps[i] == 0) site.malformed("bad axis or step");
    const std::int64_t size = in[static_cast<std::size_t>(axis)], step = steps[i];
    const auto from_end = [&](std::int64_t at) { return at < 0 ? at + size : at; };
    const bool forward = step > 0;
    const std::int64_t start = std::clamp<std::int64_t>(
        from_end(starts[i]), size > 0 || forward ? 0 : -1, forward ? size : size - 1);
    const std::int64_t end = std::clamp<std::int64_t>(from_end(ends[i]), forward ? 0 : -1, size);
    const std::int64_t span = forward ? end - start : start - end;
    const std::int64_t stride = std::clamp<std::int64_t>(step, -size - 1, size + 1);
    const std::int64_t length = std::abs(stride);
    const bool batched = axis == site.value(site.input(0)).batch_axis;
    const Range range{start, stride, span <= 0 ? 0 : (span + length - 1) / length};
    if (batched && (range.count != size || stride != 1)) site.refuse("it cuts the batch");
    if (!batched) ranges[static_cast<std::size_t>(axis)] = range;
  }
  return ranges;
}

}  // namespace

void check_slice(const Site& site) {
  site.expect_same_type(site.input(0), site.output);
  Shape expected;
  for (const Range& range : ranges_of(site)) expected.push_back(range.count);
  site.expect_output_shape(expected);
}

Planned plan_slice(const Site& site) {
  const std::uint32_t input = site.input(0);
  const Storage storage = site.moved_storage(input, site.output);
  const Layout layout = site.existing_layout(input);
  const Shape strides = memory_strides(site.shape(input), layout);
  const std::vector<Range> ranges = ranges_of(site);
  StridedCopy copy{{}, {}, 0, site.element_bytes(input, storage)};
  for (const std::size_t axis : axis_order(ranges.size(), layout)) {
    copy.sizes.push_back(ranges[axis].count);
    copy.strides.push_back(strides[axis] * ranges[axis].step);
    copy.source_offset += strides[axis] * ranges[axis].start;
  }
  Planned planned;
  planned.inputs = {{input, {storage, layout}}};
  planned.outputs = {{site.output, {storage, layout}}};
  planned.kernel = make_strided_copy(std::move(copy));
  return planned;
}

}  // namespace adze::exec
