// Resize and Upsample, in floats: of the two spatial axes of an image over channels-last data,
// otherwise one axis after the other over plain data.
#include <algorithm>

#include "plugins/tensor_exec/memory.hpp"
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/axes.hpp"
#include "plugins/tensor_exec/operators/resize_taps.hpp"

namespace adze::exec {
namespace {

/// For one output coordinate: two input coordinates and the weight of the second.
struct Pair {
  std::int64_t first, second;
  float weight;
};

std::vector<Pair> pairs_of(const ResizeAxis& axis) {
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < axis.taps.size(); i += axis.width) {
    const ResizeAxis::Tap& last = axis.taps[i + axis.width - 1];
    pairs.push_back({axis.taps[i].index, last.index, axis.width == 1 ? 0 : last.weight});
  }
  return pairs;
}

class ImageResizeKernel final : public Kernel {
 public:
  ImageResizeKernel(const Shape& in, std::vector<Pair> rows, std::vector<Pair> columns)
      : in_(in), rows_(std::move(rows)), columns_(std::move(columns)) {}

  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    const auto height = static_cast<std::int64_t>(rows_.size());
    parallel_for(run.threads, in_[0] * height, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        row(src + i / height * in_[1] * in_[2] * in_[3],
            rows_[static_cast<std::size_t>(i % height)],
            dst + i * static_cast<std::int64_t>(columns_.size()) * in_[1]);
    });
  }

 private:
  void row(const float* image, const Pair& y, float* dst) const {
    const std::int64_t channels = in_[1], width = in_[3];
    const auto pixel = [&](std::int64_t row, std::int64_t column) {
      return image + (row * width + column) * channels;
    };
    for (const Pair& x : columns_) {
      const float* corners[] = {pixel(y.first, x.first), pixel(y.first, x.second),
                                pixel(y.second, x.first), pixel(y.second, x.second)};
      for (std::int64_t c = 0; c < channels; ++c) {
        const float top = corners[0][c] + (corners[1][c] - corners[0][c]) * x.weight;
        const float bottom = corners[2][c] + (corners[3][c] - corners[2][c]) * x.weight;
        dst[c] = top + (bottom - top) * y.weight;
      }
      dst += channels;
    }
  }

  Shape in_;
  std::vector<Pair> rows_, columns_;
};

/// Passes along the axes that change, through two buffers in the scratch memory.
class AxisResizeKernel final : public Kernel {
 public:
  AxisResizeKernel(std::vector<ResizeAxis> axes, std::size_t buffer_bytes, float extrapolation)
      : axes_(std::move(axes)), buffer_bytes_(buffer_bytes), extrapolation_(extrapolation) {
    for (const ResizeAxis& axis : axes_) changes_.push_back(!axis.is_identity());
  }

  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* result = reinterpret_cast<float*>(run.outputs[0]);
    auto passes = std::count(changes_.begin(), changes_.end(), true);
    if (passes == 0) {
      std::memcpy(result, src, static_cast<std::size_t>(count(axes_.size())) * sizeof(float));
      return;
    }
    std::size_t buffer = 0;
    for (std::size_t axis = 0; axis < axes_.size(); ++axis) {
      if (!changes_[axis]) continue;
      --passes;
      float* dst =
          passes == 0 ? result : reinterpret_cast<float*>(run.scratch + buffer * buffer_bytes_);
      pass(axis, src, dst, run.threads);
      src = dst;
      buffer = 1 - buffer;
    }
    for (std::size_t axis = 0; axis < axes_.size(); ++axis) extrapolate(axis, result);
  }

 private:
  std::int64_t inner(std::size_t axis, bool resized) const {
    std::int64_t count = 1;
    for (std::size_t i = axis + 1; i < axes_.size(); ++i)
      count *= resized ? axes_[i].out : axes_[i].in;
    return count;
  }
  std::int64_t outer(std::size_t axis) const {
    std::int64_t count = 1;
    for (std::size_t i = 0; i < axis; ++i) count *= axes_[i].out;
    return count;
  }
  std::int64_t count(std::size_t axes) const { return outer(axes); }

  void pass(std::size_t index, const float* src, float* dst, int threads) const {
    const ResizeAxis& axis = axes_[index];
    const std::int64_t width = inner(index, false);
    parallel_for(threads, outer(index) * axis.out, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const float* image = src + row / axis.out * axis.in * width;
        const ResizeAxis::Tap* taps =
            axis.taps.data() + static_cast<std::size_t>(row % axis.out) * axis.width;
        float* to = dst + row * width;
        const float* first = image + taps[0].index * width;
        for (std::int64_t i = 0; i < width; ++i)
          to[i] = axis.width == 1 ? first[i] : first[i] * taps[0].weight;
        for (std::size_t tap = 1; tap < axis.width; ++tap) {
          const float* from = image + taps[tap].index * width;
          for (std::int64_t i = 0; i < width; ++i) to[i] += from[i] * taps[tap].weight;
        }
      }
    });
  }

  void extrapolate(std::size_t index, float* dst) const {
    const ResizeAxis& axis = axes_[index];
    if (axis.extrapolated.empty()) return;
    const std::int64_t width = inner(index, true);
    for (std::int64_t row = 0; row < outer(index) * axis.out; ++row)
      if (axis.extrapolated[static_cast<std::size_t>(row % axis.out)])
        std::fill(dst + row * width, dst + (row + 1) * width, extrapolation_);
  }

  std::vector<ResizeAxis> axes_;
  std::vector<bool> changes_;
  std::size_t buffer_bytes_;
  float extrapolation_;
};

/// The largest value between two passes.
std::size_t buffer_bytes_of(const Site& site, const std::vector<ResizeAxis>& axes) {
  std::size_t largest = 0;
  Shape shape;
  for (const ResizeAxis& axis : axes) shape.push_back(axis.in);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    shape[i] = axes[i].out;
    largest = std::max(largest, static_cast<std::size_t>(checked_count(site, shape)));
  }
  return aligned(largest * sizeof(float));
}

bool is_image(const std::vector<ResizeAxis>& axes) {
  if (axes.size() != 4 || !axes[0].is_identity() || !axes[1].is_identity()) return false;
  return std::all_of(axes.begin(), axes.end(), [](const ResizeAxis& axis) {
    return axis.width <= 2 && axis.in > 0 && axis.extrapolated.empty();
  });
}

}  // namespace

void check_resize(const Site& site) { buffer_bytes_of(site, resize_axes(site)); }

Planned plan_resize(const Site& site) {
  const std::uint32_t input = site.input(0);
  std::vector<ResizeAxis> axes = resize_axes(site);
  Planned planned;
  if (is_image(axes)) {
    planned.inputs = {{input, {Storage::f32, site.normal_layout(input, Layout::channels_last)}}};
    planned.outputs = {
        {site.output, {Storage::f32, site.normal_layout(site.output, Layout::channels_last)}}};
    planned.kernel = std::make_unique<ImageResizeKernel>(site.shape(input), pairs_of(axes[2]),
                                                         pairs_of(axes[3]));
    return planned;
  }
  const std::size_t buffer_bytes = buffer_bytes_of(site, axes);
  planned.inputs = {{input, {}}};
  planned.outputs = {{site.output, {}}};
  planned.scratch_bytes = 2 * buffer_bytes;
  planned.kernel = std::make_unique<AxisResizeKernel>(
      std::move(axes), buffer_bytes,
      static_cast<float>(site.node.number("extrapolation_value", 0)));
  return planned;
}

}  // namespace adze::exec
