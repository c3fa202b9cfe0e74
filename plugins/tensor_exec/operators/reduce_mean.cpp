// ReduceMean and GlobalAveragePool: means over one run of neighbouring axes (in memory order).
#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"

namespace adze::exec {
namespace {

/// The axes to average, ascending.
std::vector<std::size_t> axes_of(const Site& site) {
  const std::size_t rank = site.shape(site.input(0)).size();
  std::vector<std::int64_t> given;
  if (site.node.op == "GlobalAveragePool") {
    for (std::size_t axis = 2; axis < rank; ++axis)
      given.push_back(static_cast<std::int64_t>(axis));
  } else if (site.has_input(1)) {
    if (!site.value(site.input(1)).constant) site.refuse("its axes are computed");
    given = site.program.integers(site.input(1));
  } else {
    given = site.node.integers("axes");
  }
  std::vector<std::size_t> axes;
  for (std::int64_t axis : given) {
    if (axis < 0) axis += static_cast<std::int64_t>(rank);
    if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) site.malformed("an axis is too large");
    axes.push_back(static_cast<std::size_t>(axis));
  }
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  if (axes.empty() && site.node.integer("noop_with_empty_axes", 0) == 0)
    for (std::size_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

/// The result's shape, and whether its axes of 1 stay.
Shape reduced(const Site& site, bool keep) {
  const std::vector<std::size_t> axes = axes_of(site);
  const Shape in = site.shape(site.input(0));
  Shape result;
  for (std::size_t axis = 0; axis < in.size(); ++axis) {
    const bool averaged = std::binary_search(axes.begin(), axes.end(), axis);
    if (!averaged)
      result.push_back(in[axis]);
    else if (keep)
      result.push_back(1);
  }
  return result;
}

/// In the order of the rows.
ADZE_MULTIVERSION
void add_rows(const float* __restrict src, std::int64_t rows, std::int64_t width,
              float* __restrict sums) {
  if (width == 1) {
    float sum = *sums;
    for (std::int64_t row = 0; row < rows; ++row) sum += src[row];
    *sums = sum;
    return;
  }
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t i = 0; i < width; ++i) sums[i] += src[row * width + i];
}
ADZE_MULTIVERSION
void add_byte_rows(const std::uint8_t* __restrict src, std::int64_t rows, std::int64_t width,
                   std::uint32_t* __restrict sums) {
  if (width == 1) {
    std::uint32_t sum = 0;
    for (std::int64_t row = 0; row < rows; ++row) sum += src[row];
    *sums += sum;
    return;
  }
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t i = 0; i < width; ++i) sums[i] += src[row * width + i];
}

/// Means over `middle` of outer x middle x inner.
class MeanKernel final : public Kernel {
 public:
  MeanKernel(std::int64_t outer, std::int64_t middle, std::int64_t inner,
             std::optional<Quant8> from)
      : outer_(outer), middle_(middle), inner_(inner), from_(from) {}

  void run(const Run& run) const override {
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    parallel_for(run.threads, outer_, [&](std::int64_t begin, std::int64_t end) {
      if (from_)
        quantized(reinterpret_cast<const std::uint8_t*>(run.inputs[0]), begin, end, dst);
      else
        floats(reinterpret_cast<const float*>(run.inputs[0]), begin, end, dst);
    });
  }

 private:
  void floats(const float* src, std::int64_t begin, std::int64_t end, float* dst) const {
    for (std::int64_t o = begin; o < end; ++o) {
      float* to = dst + o * inner_;
      std::fill(to, to + inner_, 0.0f);
      add_rows(src + o * middle_ * inner_, middle_, inner_, to);
      for (std::int64_t i = 0; i < inner_; ++i) to[i] /= static_cast<float>(middle_);
    }
  }

  /// Sums of integers are exact, whatever their order.
  void quantized(const std::uint8_t* src, std::int64_t begin, std::int64_t end, float* dst) const {
    constexpr std::int64_t kRowsAtOnce = std::int64_t{1} << 24;  // whose sums fit in 32 bits
    std::vector<std::uint32_t> part(static_cast<std::size_t>(inner_));
    std::vector<std::int64_t> sums(static_cast<std::size_t>(inner_));
    for (std::int64_t o = begin; o < end; ++o) {
      std::fill(sums.begin(), sums.end(), -middle_ * from_->zero_point);
      for (std::int64_t m = 0; m < middle_; m += kRowsAtOnce) {
        std::fill(part.begin(), part.end(), 0u);
        add_byte_rows(src + (o * middle_ + m) * inner_, std::min(kRowsAtOnce, middle_ - m), inner_,
                      part.data());
        for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += part[i];
      }
      for (std::int64_t i = 0; i < inner_; ++i)
        dst[o * inner_ + i] = static_cast<float>(sums[static_cast<std::size_t>(i)]) * from_->scale /
                              static_cast<float>(middle_);
    }
  }

  std::int64_t outer_, middle_, inner_;
  std::optional<Quant8> from_;
};

}  // namespace

void check_reduce_mean(const Site& site) {
  const bool keep = site.node.op == "GlobalAveragePool" || site.node.integer("keepdims", 1) != 0;
  site.expect_output_shape(reduced(site, keep));
  const std::vector<std::size_t> axes = axes_of(site);
  if (!axes.empty() && axes.back() - axes.front() + 1 != axes.size())
    site.refuse("only neighbouring axes can be averaged");
}

Planned plan_reduce_mean(const Site& site) {
  const std::uint32_t input = site.input(0);
  const Shape in = site.shape(input);
  const std::vector<std::size_t> axes = axes_of(site);
  // Over all spatial axes, channels-last data is averaged as it lies: the result has one pixel.
  const bool spatial = in.size() > 2 && axes.size() == in.size() - 2 && axes.front() == 2;
  const Layout layout = spatial ? site.existing_layout(input) : Layout::plain;
  std::int64_t outer = 1, middle = 1, inner = 1;
  for (std::size_t axis = 0; axis < in.size(); ++axis) {
    if (std::binary_search(axes.begin(), axes.end(), axis))
      middle *= in[axis];
    else
      (axes.empty() || axis < axes.front() ? outer : inner) *= in[axis];
  }
  if (layout == Layout::channels_last) {
    outer = in[0];
    inner = in[1];
  }
  const Form form = site.natural_form(input, layout);
  Planned planned;
  planned.inputs = {{input, form}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = std::make_unique<MeanKernel>(
      outer, middle, inner, form.storage == Storage::u8 ? site.quant8(input) : std::nullopt);
  return planned;
}

}  // namespace adze::exec
