// Pad with constant amounts, of any type: a value filled in, the edge repeated, or the rest
// mirrored. Negative amounts cut.
#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"

namespace adze::exec {
namespace {

/// Begin and end amounts of every axis.
Shape amounts_of(const Site& site) {
  const std::uint32_t input = site.input(0);
  const std::size_t rank = site.shape(input).size();
  Shape pads = site.node.integers("pads"), axes;
  if (site.node.op_version >= 11) {
    if (!site.value(site.input(1)).constant) site.refuse("its amounts are computed");
    pads = site.program.integers(site.input(1));
  }
  if (site.has_input(3)) {
    if (!site.value(site.input(3)).constant) site.refuse("its axes are computed");
    axes = site.program.integers(site.input(3));
  } else {
    for (std::size_t axis = 0; axis < rank; ++axis) axes.push_back(static_cast<std::int64_t>(axis));
  }
  if (pads.size() != 2 * axes.size()) site.malformed("pads has the wrong length");
  Shape amounts(2 * rank, 0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::size_t axis = site.axis(axes[i], rank);
    amounts[axis] = pads[i];
    amounts[axis + rank] = pads[i + axes.size()];
  }
  constexpr std::int64_t kLimit = std::int64_t{1} << 31;
  for (const std::int64_t pad : amounts)
    if (pad < -kLimit || pad > kLimit) site.malformed("pads are out of range");
  const std::int32_t batch_axis = site.value(input).batch_axis;
  if (batch_axis >= 0 && site.program.batch > 1 &&
      (amounts[static_cast<std::size_t>(batch_axis)] != 0 ||
       amounts[static_cast<std::size_t>(batch_axis) + rank] != 0))
    site.refuse("it pads the batch");
  return amounts;
}

/// For each index of the result along an axis, the index of the input; -1: the value filled in.
Shape sources_of(const Site& site, const std::string& mode, std::int64_t size, std::int64_t before,
                 std::int64_t after) {
  if (size + before + after < 0) site.malformed("it cuts more than there is");
  if (mode != "constant" && size == 0 && before + after > 0)
    site.malformed("it repeats an axis of size 0");
  Shape sources;
  for (std::int64_t i = -before; i < size + after; ++i) {
    std::int64_t from = i;
    if (i < 0 || i >= size) {
      if (mode == "constant") {
        from = -1;
      } else if (mode == "edge") {
        from = std::clamp<std::int64_t>(i, 0, size - 1);
      } else if (mode == "wrap") {
        from = (i % size + size) % size;
      } else if (size == 1) {
        from = 0;
      } else {  // to and fro, without the edge twice
        const std::int64_t period = 2 * (size - 1);
        from = (i % period + period) % period;
        if (from >= size) from = period - from;
      }
    }
    sources.push_back(from);
  }
  return sources;
}

std::vector<Shape> all_sources(const Site& site) {
  const Shape in = site.shape(site.input(0)), amounts = amounts_of(site);
  const std::string mode = site.node.text("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap")
    site.malformed("its mode is '" + mode + "'");
  const Shape out = site.output_shape();
  if (out.size() != in.size()) site.malformed("its output has another rank than its input");
  std::vector<Shape> sources;
  for (std::size_t axis = 0; axis < in.size(); ++axis) {
    const std::int64_t before = amounts[axis], after = amounts[axis + in.size()];
    if (in[axis] + before + after != out[axis])
      site.malformed("it pads " + to_string(in) + " to another shape than " + to_string(out));
    sources.push_back(sources_of(site, mode, in[axis], before, after));
  }
  return sources;
}

class PadKernel final : public Kernel {
 public:
  PadKernel(const Shape& in, std::vector<Shape> sources, std::vector<std::byte> filling)
      : strides_(strides_of(in)), sources_(std::move(sources)), filling_(std::move(filling)) {}

  void run(const Run& run) const override {
    std::byte* dst = run.outputs[0];
    pad(run.inputs[0], 0, 0, dst);
  }

 private:
  /// Elements behind the first `axis` axes, whose source begins at `at`; at < 0: none.
  void pad(const std::byte* src, std::size_t axis, std::int64_t at, std::byte*& dst) const {
    const std::size_t width = filling_.size();
    const auto element = [&](std::int64_t index) {
      return src + static_cast<std::size_t>(index) * width;
    };
    if (sources_.empty()) {
      std::memcpy(dst, element(at), width);
      return;
    }
    if (axis + 1 == sources_.size()) {
      const Shape& row = sources_[axis];
      for (std::size_t i = 0, count = 1; i < row.size(); i += count, dst += count * width) {
        const bool filled = at < 0 || row[i] < 0;
        for (count = 1;
             !filled && i + count < row.size() && row[i + count] == row[i + count - 1] + 1;)
          ++count;
        std::memcpy(dst, filled ? filling_.data() : element(at + row[i]), count * width);
      }
      return;
    }
    for (const std::int64_t from : sources_[axis])
      pad(src, axis + 1, at < 0 || from < 0 ? -1 : at + from * strides_[axis], dst);
  }

  Shape strides_;
  std::vector<Shape> sources_;
  std::vector<std::byte> filling_;  ///< one element
};

/// The element filled in, in the input's type.
std::vector<std::byte> filling_of(const Site& site) {
  std::vector<std::byte> filling(size_of(site.type(site.input(0))));
  if (site.node.op_version < 11) {
    const auto value = static_cast<float>(site.node.number("value", 0));
    if (filling.size() == sizeof value) std::memcpy(filling.data(), &value, sizeof value);
  } else if (site.has_input(2)) {
    const std::uint32_t input = site.input(2);
    if (!site.value(input).constant) site.refuse("the value it fills in is computed");
    site.expect_same_type(site.input(0), input);
    if (element_count(site.shape(input)) != 1) site.malformed("it fills in more than one value");
    if (site.type(input) == DType::f32) {
      const float value = site.program.floats(input).front();
      std::memcpy(filling.data(), &value, sizeof value);
    } else {
      const auto bytes = site.value(input).constant->bytes;
      filling.assign(bytes.begin(), bytes.end());
    }
  }
  return filling;
}

}  // namespace

void check_pad(const Site& site) {
  site.expect_same_type(site.input(0), site.output);
  all_sources(site);
  filling_of(site);
}

Planned plan_pad(const Site& site) {
  const std::uint32_t input = site.input(0);
  Planned planned;
  planned.inputs = {{input, site.own_form(input)}};
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.kernel =
      std::make_unique<PadKernel>(site.shape(input), all_sources(site), filling_of(site));
  return planned;
}

}  // namespace adze::exec
