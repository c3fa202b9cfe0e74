// Resize of the two spatial axes, nearest or linear, in floats over channels-last data.
#include <array>

#include "plugins/tensor_exec/operators/all.hpp"

namespace adze::exec {
namespace {

/// For one output coordinate: two input coordinates and the weight of the second.
struct Tap {
  std::int64_t first, second;
  float weight;
};

double source_of(const std::string& mode, double at, double scale, double in, double out) {
  if (mode == "asymmetric") return at / scale;
  if (mode == "align_corners") return out == 1 ? 0 : at * (in - 1) / (out - 1);
  if (mode == "pytorch_half_pixel" && out == 1) return 0;
  return (at + 0.5) / scale - 0.5;
}

std::int64_t nearest_of(const std::string& mode, double at) {
  if (mode == "floor") return static_cast<std::int64_t>(std::floor(at));
  if (mode == "ceil") return static_cast<std::int64_t>(std::ceil(at));
  if (mode == "round_prefer_ceil") return static_cast<std::int64_t>(std::floor(at + 0.5));
  return static_cast<std::int64_t>(std::ceil(at - 0.5));
}

std::vector<Tap> taps_of(const Site& site, std::size_t axis) {
  const std::int64_t in = site.shape(site.input(0))[axis], out = site.output_shape()[axis];
  double scale = static_cast<double>(out) / static_cast<double>(in);
  if (site.has_input(2) && site.value(site.input(2)).constant) {
    const std::vector<float> scales = site.program.floats(site.input(2));
    if (axis < scales.size() && scales[axis] > 0) scale = scales[axis];
  }
  const std::string coordinates = site.node.text("coordinate_transformation_mode", "half_pixel");
  const bool linear = site.node.text("mode", "nearest") == "linear";
  std::vector<Tap> taps;
  for (std::int64_t i = 0; i < out; ++i) {
    const double at = source_of(coordinates, static_cast<double>(i), scale, static_cast<double>(in),
                                static_cast<double>(out));
    const auto inside = [&](std::int64_t index) {
      return std::clamp<std::int64_t>(index, 0, in - 1);
    };
    if (linear) {
      const double low = std::floor(at);
      const auto first = static_cast<std::int64_t>(low);
      taps.push_back({inside(first), inside(first + 1), static_cast<float>(at - low)});
    } else {
      const std::int64_t index =
          inside(nearest_of(site.node.text("nearest_mode", "round_prefer_floor"), at));
      taps.push_back({index, index, 0});
    }
  }
  return taps;
}

class ResizeKernel final : public Kernel {
 public:
  ResizeKernel(const Shape& in, std::vector<Tap> rows, std::vector<Tap> columns)
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
  void row(const float* image, const Tap& y, float* dst) const {
    const std::int64_t channels = in_[1], width = in_[3];
    const auto pixel = [&](std::int64_t row, std::int64_t column) {
      return image + (row * width + column) * channels;
    };
    for (const Tap& x : columns_) {
      const float* corners[4] = {pixel(y.first, x.first), pixel(y.first, x.second),
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
  std::vector<Tap> rows_, columns_;
};

}  // namespace

void check_resize(const Site& site) {
  const Shape in = site.shape(site.input(0)), out = site.output_shape();
  if (site.node.op_version < 11) site.refuse("only the form of opset 11 and later is supported");
  if (in.size() != 4 || out.size() != 4) site.refuse("only values of 4 axes are supported");
  if (in[0] != out[0] || in[1] != out[1]) site.refuse("only spatial axes can be resized");
  for (const std::int64_t size : {in[0], in[1], in[2], in[3]})
    if (size < 1) site.malformed("its input is empty");
  const std::string mode = site.node.text("mode", "nearest");
  if (mode != "nearest" && mode != "linear") site.refuse("mode '" + mode + "' is not supported");
  const std::string coordinates = site.node.text("coordinate_transformation_mode", "half_pixel");
  for (const char* known : {"half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"})
    if (coordinates == known) return;
  site.refuse("coordinates '" + coordinates + "' are not supported");
}

Planned plan_resize(const Site& site) {
  const std::uint32_t input = site.input(0);
  Planned planned;
  planned.inputs = {{input, {Storage::f32, site.normal_layout(input, Layout::channels_last)}}};
  planned.outputs = {
      {site.output, {Storage::f32, site.normal_layout(site.output, Layout::channels_last)}}};
  planned.kernel =
      std::make_unique<ResizeKernel>(site.shape(input), taps_of(site, 2), taps_of(site, 3));
  return planned;
}

}  // namespace adze::exec
