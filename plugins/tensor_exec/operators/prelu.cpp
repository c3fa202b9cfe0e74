// PRelu, in floats: negative elements times a slope that is broadcast.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/axes.hpp"

namespace adze::exec {
namespace {

/// One slope an index of the middle extent, or as the map says.
struct Slopes {
  Extents extents;
  std::vector<std::int64_t> map;  ///< slope of each element; empty: by extents
};

Slopes slopes_of(const Site& site) {
  const Shape in = site.shape(site.input(0));
  Shape slope = site.shape(site.input(1));
  // Before opset 7 a list of slopes was one a channel.
  if (in.size() > 1 && slope == Shape{in[1]} && slope.front() != in.back())
    slope.resize(in.size() - 1, 1);
  std::size_t first = in.size(), last = 0;  // axes along which slopes differ
  const std::size_t missing = in.size() - std::min(in.size(), slope.size());
  for (std::size_t axis = 0; axis < slope.size(); ++axis) {
    if (slope.size() > in.size() || (slope[axis] != 1 && slope[axis] != in[axis + missing]))
      site.malformed("slopes " + to_string(slope) + " do not broadcast to " + to_string(in));
    if (slope[axis] == 1) continue;
    first = std::min(first, axis + missing);
    last = axis + missing + 1;
  }
  if (first >= last) return {{element_count(in), 1, 1}, {}};
  Slopes slopes{extents_around(in, first, last), {}};
  if (slopes.extents.middle != element_count(slope)) slopes.map = broadcast_map(site, slope, in);
  return slopes;
}

class PReluKernel final : public Kernel {
 public:
  explicit PReluKernel(Slopes slopes) : slopes_(std::move(slopes)) {}
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    const auto* slope = reinterpret_cast<const float*>(run.inputs[1]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    const auto value = [](float x, float factor) { return x < 0 ? x * factor : x; };
    const auto& map = slopes_.map;
    if (!map.empty()) {
      parallel_for(run.threads, static_cast<std::int64_t>(map.size()),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i)
                       dst[i] = value(src[i], slope[map[static_cast<std::size_t>(i)]]);
                   });
      return;
    }
    const Extents& sizes = slopes_.extents;
    parallel_for(run.threads, sizes.outer * sizes.middle,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t row = begin; row < end; ++row) {
                     const float factor = slope[row % sizes.middle];
                     for (std::int64_t i = row * sizes.inner; i < (row + 1) * sizes.inner; ++i)
                       dst[i] = value(src[i], factor);
                   }
                 });
  }

 private:
  Slopes slopes_;
};

}  // namespace

void check_prelu(const Site& site) {
  slopes_of(site);
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned plan_prelu(const Site& site) {
  Planned planned;
  planned.inputs = {{site.input(0), {}}, {site.input(1), {}}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = std::make_unique<PReluKernel>(slopes_of(site));
  return planned;
}

}  // namespace adze::exec
