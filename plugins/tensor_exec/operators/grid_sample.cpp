// GridSample of images, in floats: each result is read at a place that the grid says.
#include <algorithm>
#include <array>

#include "plugins/tensor_exec/operators/all.hpp"

namespace adze::exec {
namespace {

enum class Sampling : std::uint8_t { nearest, linear, cubic };
enum class Outside : std::uint8_t { zeros, border, reflection };

struct GridSample {
  Sampling mode = Sampling::linear;
  Outside padding = Outside::zeros;
  bool align_corners = false;
  std::int64_t batch = 1, channels = 1, in_height = 1, in_width = 1, out_height = 1, out_width = 1;
};

GridSample grid_sample_of(const Site& site) {
  const Shape in = site.shape(site.input(0)), grid = site.shape(site.input(1));
  if (in.size() == 5) site.refuse("volumes are not supported; images are");
  if (in.size() != 4 || grid.size() != 4 || grid[0] != in[0] || grid[3] != 2)
    site.malformed("the grid " + to_string(grid) + " does not fit the input " + to_string(in));
  GridSample problem;
  problem.batch = in[0];
  problem.channels = in[1];
  problem.in_height = in[2];
  problem.in_width = in[3];
  problem.out_height = grid[1];
  problem.out_width = grid[2];
  const std::string mode = site.node.text("mode", "bilinear");
  if (mode == "nearest")
    problem.mode = Sampling::nearest;
  else if (mode == "bicubic" || mode == "cubic")
    problem.mode = Sampling::cubic;
  else if (mode != "bilinear" && mode != "linear")
    site.malformed("unknown mode '" + mode + "'");
  const std::string padding = site.node.text("padding_mode", "zeros");
  if (padding == "border")
    problem.padding = Outside::border;
  else if (padding == "reflection")
    problem.padding = Outside::reflection;
  else if (padding != "zeros")
    site.malformed("unknown padding_mode '" + padding + "'");
  problem.align_corners = site.node.integer("align_corners", 0) != 0;
  if ((in[2] == 0 || in[3] == 0) && element_count(grid) > 0) site.malformed("its input is empty");
  return problem;
}

/// From -1 .. 1 to elements of an axis.
float element_place(float at, std::int64_t size, bool align_corners) {
  const auto length = static_cast<float>(size);
  return align_corners ? (at + 1) / 2 * (length - 1) : ((at + 1) * length - 1) / 2;
}

/// Back and forth between the ends of the image.
float reflected(float at, std::int64_t size, bool align_corners) {
  const float low = align_corners ? 0 : -0.5f;
  const float high = static_cast<float>(size) - (align_corners ? 1.0f : 0.5f);
  const float range = high - low;
  if (range <= 0) return 0;
  if (at >= low && at <= high) return at;
  const float beyond = std::fmod(std::abs(at - low), 2 * range);
  return beyond <= range ? low + beyond : high - (beyond - range);
}

class GridSampleKernel final : public Kernel {
 public:
  explicit GridSampleKernel(const GridSample& problem) : problem_(problem) {}

  void run(const Run& run) const override {
    const GridSample& p = problem_;
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    const auto* grid = reinterpret_cast<const float*>(run.inputs[1]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    const std::int64_t pixels = p.out_height * p.out_width;
    parallel_for(run.threads, p.batch * p.channels, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t plane = begin; plane < end; ++plane) {
        const float* image = src + plane * p.in_height * p.in_width;
        const float* places = grid + plane / p.channels * pixels * 2;
        for (std::int64_t i = 0; i < pixels; ++i)
          dst[plane * pixels + i] = sample(image, places[2 * i], places[2 * i + 1]);
      }
    });
  }

 private:
  float sample(const float* image, float grid_x, float grid_y) const {
    const GridSample& p = problem_;
    float x = settled(element_place(grid_x, p.in_width, p.align_corners), p.in_width);
    float y = settled(element_place(grid_y, p.in_height, p.align_corners), p.in_height);
    if (p.mode == Sampling::nearest)
      return pixel(image, index(std::nearbyint(y)), index(std::nearbyint(x)));
    const float left = std::floor(x), top = std::floor(y);
    if (p.mode == Sampling::linear) {
      float sum = 0;
      for (int row = 0; row < 2; ++row)
        for (int column = 0; column < 2; ++column) {
          const float weight =
              (column == 0 ? 1 - (x - left) : x - left) * (row == 0 ? 1 - (y - top) : y - top);
          sum += weight * pixel(image, index(top) + row, index(left) + column);
        }
      return sum;
    }
    const std::array<float, 4> across = cubic(x - left), down = cubic(y - top);
    float sum = 0;
    for (std::int64_t row = 0; row < 4; ++row) {
      float line = 0;
      for (std::int64_t column = 0; column < 4; ++column)
        line += across[static_cast<std::size_t>(column)] *
                pixel(image, index(top) + row - 1, index(left) + column - 1);
      sum += down[static_cast<std::size_t>(row)] * line;
    }
    return sum;
  }

  /// Cubic sampling pads each of its elements; the others pad the place.
  float settled(float at, std::int64_t size) const {
    if (problem_.mode == Sampling::cubic) return at;
    if (problem_.padding == Outside::reflection) return reflected(at, size, problem_.align_corners);
    if (problem_.padding == Outside::border)
      return std::clamp(at, 0.0f, static_cast<float>(size - 1));
    return at;
  }

  /// Places that are no number, or beyond any image, are outside.
  static std::int64_t index(float at) {
    constexpr float kFar = 1e9f;
    return std::abs(at) < kFar ? static_cast<std::int64_t>(at) : -(std::int64_t{1} << 40);
  }

  float pixel(const float* image, std::int64_t y, std::int64_t x) const {
    const GridSample& p = problem_;
    if (p.padding == Outside::border) {
      y = std::clamp<std::int64_t>(y, 0, p.in_height - 1);
      x = std::clamp<std::int64_t>(x, 0, p.in_width - 1);
    } else if (p.padding == Outside::reflection) {
      y = mirrored(y, p.in_height);
      x = mirrored(x, p.in_width);
    } else if (y < 0 || y >= p.in_height || x < 0 || x >= p.in_width) {
      return 0;
    }
    return image[y * p.in_width + x];
  }

  std::int64_t mirrored(std::int64_t at, std::int64_t size) const {
    const float place = reflected(static_cast<float>(at), size, problem_.align_corners);
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(place), 0, size - 1);
  }

  static std::array<float, 4> cubic(float t) {
    constexpr float kA = -0.75f;  // of the ONNX specification
    const auto near = [](float x) { return ((kA + 2) * x - (kA + 3)) * x * x + 1; };
    const auto far = [](float x) { return ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA; };
    return {far(t + 1), near(t), near(1 - t), far(2 - t)};
  }

  GridSample problem_;
};

}  // namespace

void check_grid_sample(const Site& site) {
  const GridSample problem = grid_sample_of(site);
  site.expect_output_shape(
      {problem.batch, problem.channels, problem.out_height, problem.out_width});
}

Planned plan_grid_sample(const Site& site) {
  Planned planned;
  planned.inputs = {{site.input(0), {}}, {site.input(1), {}}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = std::make_unique<GridSampleKernel>(grid_sample_of(site));
  return planned;
}

}  // namespace adze::exec
