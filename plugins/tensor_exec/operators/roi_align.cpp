// RoiAlign and its mean or maximum over samples between pixels, in floats.
#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/integers.hpp"

namespace adze::exec {
namespace {

constexpr std::int64_t kMaxSamples = 1 << 10;  ///< along one axis of a cell

struct RoiAlign {
  std::int64_t batch = 0, channels = 0, height = 0, width = 0, rois = 0, rows = 1, columns = 1;
  std::int64_t samples = 0;  ///< along one axis of a cell; 0: about one a pixel
  float scale = 1, offset = 0;
  bool maximum = false;
  std::string node;
};

RoiAlign roi_align(const Site& site) {
  const Shape in = site.shape(site.input(0)), rois = site.shape(site.input(1));
  if (in.size() != 4 || rois.size() != 2 || rois[1] != 4 ||
      site.shape(site.input(2)) != Shape{rois[0]})
    site.malformed("regions " + to_string(rois) + " do not fit the input " + to_string(in));
  site.keep_samples_apart(site.input(0), 0);
  RoiAlign problem;
  problem.batch = in[0];
  problem.channels = in[1];
  problem.height = in[2];
  problem.width = in[3];
  problem.rois = rois[0];
  problem.rows = site.node.integer("output_height", 1);
  problem.columns = site.node.integer("output_width", 1);
  problem.samples = site.node.integer("sampling_ratio", 0);
  if (problem.samples < 0 || problem.samples > kMaxSamples)
    site.malformed("its sampling_ratio is out of range");
  const std::string mode = site.node.text("mode", "avg");
  if (mode != "avg" && mode != "max") site.malformed("unknown mode '" + mode + "'");
  problem.maximum = mode == "max";
  problem.scale = static_cast<float>(site.node.number("spatial_scale", 1));
  const std::string fallback = site.node.op_version < 16 ? "output_half_pixel" : "half_pixel";
  const std::string coordinates = site.node.text("coordinate_transformation_mode", fallback);
  if (coordinates != "half_pixel" && coordinates != "output_half_pixel")
    site.malformed("unknown coordinates '" + coordinates + "'");
  problem.offset = coordinates == "half_pixel" ? 0.5f : 0.0f;
  if ((in[2] == 0 || in[3] == 0) && rois[0] != 0) site.malformed("its input is empty");
  problem.node = "node '" + site.node.name + "' (" + site.node.op + ")";
  return problem;
}

/// One region in elements of the image.
struct Region {
  float top, left, cell_height, cell_width;
  std::int64_t rows, columns;  ///< samples in a cell
};

class RoiAlignKernel final : public Kernel {
 public:
  explicit RoiAlignKernel(RoiAlign problem) : problem_(std::move(problem)) {}

  void run(const Run& run) const override {
    const RoiAlign& p = problem_;
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    const auto* rois = reinterpret_cast<const float*>(run.inputs[1]);
    const auto* images = reinterpret_cast<const std::int64_t*>(run.inputs[2]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    for (std::int64_t i = 0; i < p.rois; ++i)
      if (images[i] < 0 || images[i] >= p.batch)
        throw Error(ADZE_INVALID_ARGUMENT,
                    p.node + ": there is no image " + std::to_string(images[i]));
    parallel_for(run.threads, p.rois * p.channels, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t roi = i / p.channels;
        const float* image = src + (images[roi] * p.channels + i % p.channels) * p.height * p.width;
        const Region region = region_of(rois + roi * 4);
        for (std::int64_t cell = 0; cell < p.rows * p.columns; ++cell)
          dst[i * p.rows * p.columns + cell] =
              pooled(image, region, cell / p.columns, cell % p.columns);
      }
    });
  }

 private:
  Region region_of(const float* roi) const {
    const RoiAlign& p = problem_;
    Region region{};
    region.left = roi[0] * p.scale - p.offset;
    region.top = roi[1] * p.scale - p.offset;
    float width = roi[2] * p.scale - p.offset - region.left;
    float height = roi[3] * p.scale - p.offset - region.top;
    if (p.offset == 0) {
      width = std::max(width, 1.0f);
      height = std::max(height, 1.0f);
    }
    region.cell_height = height / static_cast<float>(p.rows);
    region.cell_width = width / static_cast<float>(p.columns);
    region.rows = samples_in(region.cell_height);
    region.columns = samples_in(region.cell_width);
    return region;
  }

  std::int64_t samples_in(float cell) const {
    if (problem_.samples > 0) return problem_.samples;
    const float samples = std::ceil(cell);
    if (!(samples > 0)) return 0;
    return static_cast<std::int64_t>(std::min(samples, static_cast<float>(kMaxSamples)));
  }

  float pooled(const float* image, const Region& region, std::int64_t row,
               std::int64_t column) const {
    float sum = 0, largest = 0;
    for (std::int64_t i = 0; i < region.rows; ++i)
      for (std::int64_t j = 0; j < region.columns; ++j) {
        const auto place = [](std::int64_t cell, std::int64_t sample, std::int64_t count) {
          return static_cast<float>(cell) +
                 (static_cast<float>(sample) + 0.5f) / static_cast<float>(count);
        };
        const float y = region.top + place(row, i, region.rows) * region.cell_height;
        const float x = region.left + place(column, j, region.columns) * region.cell_width;
        const float value = sample(image, y, x);
        sum += value;
        largest = i == 0 && j == 0 ? value : std::max(largest, value);
      }
    if (problem_.maximum) return largest;
    return sum / static_cast<float>(std::max<std::int64_t>(region.rows * region.columns, 1));
  }

  float sample(const float* image, float y, float x) const {
    const auto height = static_cast<float>(problem_.height),
               width = static_cast<float>(problem_.width);
    if (!(y >= -1 && y <= height && x >= -1 && x <= width)) return 0;
    y = std::clamp(y, 0.0f, height - 1);
    x = std::clamp(x, 0.0f, width - 1);
    const auto top = static_cast<std::int64_t>(y), left = static_cast<std::int64_t>(x);
    const std::int64_t bottom = std::min(top + 1, problem_.height - 1),
                       right = std::min(left + 1, problem_.width - 1);
    const float down = y - static_cast<float>(top), across = x - static_cast<float>(left);
    const auto pixel = [&](std::int64_t row, std::int64_t column) {
      return image[row * problem_.width + column];
    };
    if (problem_.maximum)  // of the weighted corners, as the specification has it
      return std::max(
          {(1 - down) * (1 - across) * pixel(top, left), (1 - down) * across * pixel(top, right),
           down * (1 - across) * pixel(bottom, left), down * across * pixel(bottom, right)});
    return (1 - down) * ((1 - across) * pixel(top, left) + across * pixel(top, right)) +
           down * ((1 - across) * pixel(bottom, left) + across * pixel(bottom, right));
  }

  RoiAlign problem_;
};

}  // namespace

void check_roi_align(const Site& site) {
  const RoiAlign problem = roi_align(site);
  for (const std::uint32_t value : {site.input(0), site.input(1), site.output})
    if (site.type(value) != DType::f32) site.refuse("only float32 is supported");
  if (site.type(site.input(2)) != DType::i64) site.malformed("its image indices are no int64");
  site.expect_output_shape({problem.rois, problem.channels, problem.rows, problem.columns});
}

Planned plan_roi_align(const Site& site) {
  Planned planned;
  planned.inputs = {
      {site.input(0), {}}, {site.input(1), {}}, {site.input(2), site.own_form(site.input(2))}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = std::make_unique<RoiAlignKernel>(roi_align(site));
  return planned;
}

}  // namespace adze::exec
