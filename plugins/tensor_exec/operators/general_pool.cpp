#include "plugins/tensor_exec/operators/general_pool.hpp"

#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

using Place = std::array<std::int64_t, 3>;

/// Calls body(place in the input) for each tap of the window inside it, in order.
template <class Body>
void for_each_tap(const std::array<WindowAxis, 3>& axes, const Place& place, const Body& body) {
  const auto inside = [&](std::size_t axis) {
    return taps_inside(axes[axis].source(place[axis], 0), axes[axis].dilation, axes[axis].kernel,
                       axes[axis].in);
  };
  const Taps depth = inside(0), rows = inside(1), columns = inside(2);
  for (std::int64_t i = depth.begin; i < depth.end; ++i)
    for (std::int64_t j = rows.begin; j < rows.end; ++j)
      for (std::int64_t k = columns.begin; k < columns.end; ++k)
        body(Place{axes[0].source(place[0], i), axes[1].source(place[1], j),
                   axes[2].source(place[2], k)});
}

/// Taps of a window inside the padded input.
std::int64_t taps_with_padding(const std::array<WindowAxis, 3>& axes, const Place& place) {
  std::int64_t count = 1;
  for (std::size_t i = 0; i < 3; ++i)
    count *= taps_inside(place[i] * axes[i].stride, axes[i].dilation, axes[i].kernel,
                         axes[i].before + axes[i].in + axes[i].after)
                 .count();
  return count;
}

/// Calls body(plane, place, index in the output) for all places of the output.
template <class Body>
void for_each_place(const GeneralPool& pool, int threads, const Body& body) {
  parallel_for(threads, pool.planes, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      std::int64_t at = plane * pool.out_pixels();
      Place place{};
      for (place[0] = 0; place[0] < pool.axes[0].out; ++place[0])
        for (place[1] = 0; place[1] < pool.axes[1].out; ++place[1])
          for (place[2] = 0; place[2] < pool.axes[2].out; ++place[2], ++at) body(plane, place, at);
    }
  });
}

std::int64_t pixel(const GeneralPool& pool, const Place& at) {
  return (at[0] * pool.axes[1].in + at[1]) * pool.axes[2].in + at[2];
}

/// Of floats: mean, or root of a sum of powers.
class SumPoolKernel final : public Kernel {
 public:
  explicit SumPoolKernel(const GeneralPool& pool) : pool_(pool) {}

  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    for_each_place(pool_, run.threads,
                   [&](std::int64_t plane, const Place& place, std::int64_t at) {
                     dst[at] = pooled(src + plane * pool_.in_pixels(), place);
                   });
  }

 private:
  float pooled(const float* image, const Place& place) const {
    double sum = 0;
    std::int64_t taps = 0;
    for_each_tap(pool_.axes, place, [&](const Place& from) {
      const auto x = static_cast<double>(image[pixel(pool_, from)]);
      sum += pool_.function == GeneralPool::Function::average ? x : raised(std::abs(x));
      ++taps;
    });
    if (pool_.function == GeneralPool::Function::power)
      return static_cast<float>(pool_.power == 2 ? std::sqrt(sum) : std::pow(sum, 1 / pool_.power));
    if (pool_.count_padding) taps = taps_with_padding(pool_.axes, place);
    return static_cast<float>(sum / static_cast<double>(std::max<std::int64_t>(taps, 1)));
  }

  double raised(double x) const {
    return pool_.power == 1 ? x : pool_.power == 2 ? x * x : std::pow(x, pool_.power);
  }

  GeneralPool pool_;
};

template <class T>
class LargestKernel final : public Kernel {
 public:
  explicit LargestKernel(const GeneralPool& pool) : pool_(pool) {}

  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const T*>(run.inputs[0]);
    auto* dst = reinterpret_cast<T*>(run.outputs[0]);
    auto* indices = pool_.has_indices ? reinterpret_cast<std::int64_t*>(run.outputs[1]) : nullptr;
    for_each_place(pool_, run.threads,
                   [&](std::int64_t plane, const Place& place, std::int64_t at) {
                     const T* image = src + plane * pool_.in_pixels();
                     const std::optional<Place> found = largest(image, place);
                     dst[at] = found ? image[pixel(pool_, *found)] : kLowest;
                     if (indices)
                       indices[at] = found ? plane * pool_.in_pixels() + index_of(*found) : 0;
                   });
  }

 private:
  static constexpr T kLowest = std::numeric_limits<T>::has_infinity
                                   ? -std::numeric_limits<T>::infinity()
                                   : std::numeric_limits<T>::lowest();

  /// The first of equals; nullopt for a window that covers padding only.
  std::optional<Place> largest(const T* image, const Place& place) const {
    std::optional<Place> found;
    T best = kLowest;
    for_each_tap(pool_.axes, place, [&](const Place& from) {
      const T x = image[pixel(pool_, from)];
      if (found && !(x > best)) return;
      best = x;
      found = from;
    });
    return found;
  }

  std::int64_t index_of(const Place& at) const {
    if (!pool_.column_major) return pixel(pool_, at);
    return at[1] + at[2] * pool_.axes[1].in + at[0] * pool_.axes[1].in * pool_.axes[2].in;
  }

  GeneralPool pool_;
};

/// A window over the whole input.
GeneralPool global_pool(const Site& site) {
  const Shape in = site.shape(site.input(0));
  if (in.size() < 3) site.malformed("its input has no spatial axes");
  GeneralPool pool;
  pool.planes = in[0] * in[1];
  const std::int64_t pixels = element_count(Shape(in.begin() + 2, in.end()));
  if (pixels == 0) site.malformed("its input is empty");
  pool.axes[2].in = pixels;
  pool.axes[2].kernel = pixels;
  Shape expected(in.size(), 1);
  expected[0] = in[0];
  expected[1] = in[1];
  site.expect_output_shape(expected);
  return pool;
}

bool is_power(const Site& site) {
  return site.node.op == "LpPool" || site.node.op == "GlobalLpPool";
}

GeneralPool power_pool(const Site& site) {
  GeneralPool pool = site.node.op.starts_with("Global")
                         ? global_pool(site)
                         : general_pool(site, site.node.integers("kernel_shape"));
  if (!is_power(site)) return pool;
  pool.function = GeneralPool::Function::power;
  const std::int64_t power = site.node.integer("p", 2);
  if (power < 1) site.malformed("its p is less than 1");
  pool.power = static_cast<double>(power);
  return pool;
}

}  // namespace

std::unique_ptr<Kernel> make_general_pool(const GeneralPool& pool) {
  if (pool.function != GeneralPool::Function::max) return std::make_unique<SumPoolKernel>(pool);
  return with_number(pool.type, [&]<class T>(TypeTag<T>) -> std::unique_ptr<Kernel> {
    return std::make_unique<LargestKernel<T>>(pool);
  });
}

GeneralPool general_pool(const Site& site, const Shape& kernel) {
  const std::vector<WindowAxis> axes = three_axes(site, window_axes(site, kernel));
  const Shape in = site.shape(site.input(0)), out = site.shape(site.node.outputs.front());
  if (in[1] != out[1]) site.malformed("input and output channels differ");
  GeneralPool pool;
  pool.planes = in[0] * in[1];
  std::copy(axes.begin(), axes.end(), pool.axes.begin());
  return pool;
}

void check_general_pool(const Site& site) { power_pool(site); }

Planned plan_general_pool(const Site& site) {
  Planned planned;
  planned.inputs = {{site.input(0), {}}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = make_general_pool(power_pool(site));
  return planned;
}

}  // namespace adze::exec
