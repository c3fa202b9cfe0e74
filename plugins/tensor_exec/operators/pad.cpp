// Pad with constant amounts, in mode "constant", in floats.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/strided_copy.hpp"

namespace adze::exec {
namespace {

Shape amounts_of(const Site& site) {
  const Shape in = site.shape(site.input(0));
  Shape pads = site.node.integers("pads");
  if (site.node.op_version >= 11) {
    if (!site.value(site.input(1)).constant) site.refuse("its amounts are computed");
    pads = site.program.integers(site.input(1));
  }
  if (site.has_input(3)) site.refuse("the input 'axes' is not supported");
  if (pads.size() != 2 * in.size()) site.malformed("pads has the wrong length");
  for (const std::int64_t pad : pads)
    if (pad < 0) site.refuse("negative amounts are not supported");
  const std::int32_t batch_axis = site.value(site.input(0)).batch_axis;
  if (batch_axis >= 0 && (pads[static_cast<std::size_t>(batch_axis)] != 0 ||
                          pads[static_cast<std::size_t>(batch_axis) + in.size()] != 0))
    site.refuse("it pads the batch");
  return pads;
}

float filling_of(const Site& site) {
  if (site.node.op_version < 11) return static_cast<float>(site.node.number("value", 0));
  if (!site.has_input(2)) return 0;
  if (!site.value(site.input(2)).constant) site.refuse("the value it fills in is computed");
  const std::vector<float> values = site.program.floats(site.input(2));
  return values.empty() ? 0 : values.front();
}

class PadKernel final : public Kernel {
 public:
  PadKernel(const Shape& in, const Shape& out, const Shape& pads, float filling)
      : in_(in), out_(out), filling_(filling) {
    const Shape strides = strides_of(out);
    for (std::size_t axis = 0; axis < in.size(); ++axis) {
      offset_ += pads[axis] * strides[axis];
      strides_.push_back(strides[axis]);
    }
  }

  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    std::fill(dst, dst + element_count(out_), filling_);
    const std::int64_t width = in_.back();
    const std::int64_t rows = width == 0 ? 0 : element_count(in_) / width;
    for (std::int64_t row = 0; row < rows; ++row) {
      std::int64_t at = offset_, rest = row;
      for (std::size_t axis = in_.size() - 1; axis-- > 0;) {
        at += rest % in_[axis] * strides_[axis];
        rest /= in_[axis];
      }
      std::copy(src + row * width, src + (row + 1) * width, dst + at);
    }
  }

 private:
  Shape in_, out_, strides_;
  std::int64_t offset_ = 0;
  float filling_;
};

}  // namespace

void check_pad(const Site& site) {
  if (site.node.text("mode", "constant") != "constant")
    site.refuse("only the mode 'constant' is supported");
  Shape expected = site.shape(site.input(0));
  if (expected.empty()) site.refuse("a scalar cannot be padded");
  const Shape pads = amounts_of(site);
  for (std::size_t axis = 0; axis < expected.size(); ++axis)
    expected[axis] += pads[axis] + pads[axis + expected.size()];
  filling_of(site);
  site.expect_output_shape(expected);
}

Planned plan_pad(const Site& site) {
  Planned planned;
  planned.inputs = {{site.input(0), {}}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = std::make_unique<PadKernel>(site.shape(site.input(0)), site.output_shape(),
                                               amounts_of(site), filling_of(site));
  return planned;
}

}  // namespace adze::exec
