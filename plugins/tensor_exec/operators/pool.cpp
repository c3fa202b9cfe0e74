// MaxPool and AveragePool over channels-last data: whole vectors of channels at a time. MaxPool
// keeps quantized values as integers.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/general_pool.hpp"
#include "plugins/tensor_exec/operators/lookup.hpp"
#include "plugins/tensor_exec/operators/window.hpp"

namespace adze::exec {
namespace {

Geometry pool_geometry(const Site& site) {
  const Shape kernel = site.node.integers("kernel_shape");
  const Geometry g = window_geometry(site, kernel);
  if (g.in_channels != g.out_channels) site.malformed("input and output channels differ");
  return g;
}

/// Calls body(offset of the input pixel in its image) for each tap inside the image.
template <class Body>
void for_each_tap(const Geometry& g, std::int64_t out_y, std::int64_t out_x, const Body& body) {
  const std::int64_t top = out_y * g.stride_height - g.pad_top,
                     left = out_x * g.stride_width - g.pad_left;
  const Taps rows = taps_inside(top, g.dilation_height, g.kernel_height, g.in_height),
             columns = taps_inside(left, g.dilation_width, g.kernel_width, g.in_width);
  for (std::int64_t row = rows.begin; row < rows.end; ++row)
    for (std::int64_t column = columns.begin; column < columns.end; ++column)
      body(((top + row * g.dilation_height) * g.in_width + left + column * g.dilation_width) *
           g.in_channels);
}

/// Calls body(image, y, x, output pixel) for all output pixels.
template <class Body>
void for_each_pixel(const Geometry& g, int threads, const Body& body) {
  parallel_for(threads, g.batch * g.out_height, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      for (std::int64_t x = 0; x < g.out_width; ++x)
        body(row / g.out_height, row % g.out_height, x, row * g.out_width + x);
  });
}

/// Restricted: bytes could otherwise be anything, also the loop's limit.
template <class T>
void take_larger(const T* __restrict from, std::int64_t count, T* __restrict to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = to[i] < from[i] ? from[i] : to[i];
}

template <class T>
class MaxPoolKernel final : public Kernel {
 public:
  MaxPoolKernel(const Geometry& geometry, T lowest) : geometry_(geometry), lowest_(lowest) {}
  void run(const Run& run) const override {
    const Geometry& g = geometry_;
    const auto* src = reinterpret_cast<const T*>(run.inputs[0]);
    auto* dst = reinterpret_cast<T*>(run.outputs[0]);
    for_each_pixel(g, run.threads,
                   [&](std::int64_t image, std::int64_t y, std::int64_t x, std::int64_t pixel) {
                     const T* from = src + image * g.in_pixels() * g.in_channels;
                     T* to = dst + pixel * g.out_channels;
                     std::fill(to, to + g.out_channels, lowest_);
                     for_each_tap(g, y, x, [&](std::int64_t offset) {
                       take_larger(from + offset, g.out_channels, to);
                     });
                   });
  }

 private:
  Geometry geometry_;
  T lowest_;
};

/// Output pixels that a window of one axis covers, of them inside the padded input.
std::int64_t covered(std::int64_t out, std::int64_t stride, std::int64_t before, std::int64_t in,
                     std::int64_t after, std::int64_t kernel, std::int64_t dilation) {
  return taps_inside(out * stride, dilation, kernel, before + in + after).count();
}

class AveragePoolKernel final : public Kernel {
 public:
  AveragePoolKernel(const Geometry& geometry, bool count_padding)
      : geometry_(geometry), count_padding_(count_padding) {}
  void run(const Run& run) const override {
    const Geometry& g = geometry_;
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    for_each_pixel(g, run.threads,
                   [&](std::int64_t image, std::int64_t y, std::int64_t x, std::int64_t pixel) {
                     const float* from = src + image * g.in_pixels() * g.in_channels;
                     float* to = dst + pixel * g.out_channels;
                     std::fill(to, to + g.out_channels, 0.0f);
                     std::int64_t taps = 0;
                     for_each_tap(g, y, x, [&](std::int64_t offset) {
                       ++taps;
                       for (std::int64_t c = 0; c < g.out_channels; ++c) to[c] += from[offset + c];
                     });
                     if (count_padding_)
                       taps = covered(y, g.stride_height, g.pad_top, g.in_height, g.pad_bottom,
                                      g.kernel_height, g.dilation_height) *
                              covered(x, g.stride_width, g.pad_left, g.in_width, g.pad_right,
                                      g.kernel_width, g.dilation_width);
                     const float count = static_cast<float>(std::max<std::int64_t>(taps, 1));
                     for (std::int64_t c = 0; c < g.out_channels; ++c) to[c] /= count;
                   });
  }

 private:
  Geometry geometry_;
  bool count_padding_;
};

Layout pool_layout(const Site& site, std::uint32_t value) {
  return site.normal_layout(value, Layout::channels_last);
}

bool has_indices(const Site& site) {
  return site.node.outputs.size() > 1 && site.node.outputs[1] != ADZE_NONE;
}

/// What the kernels here do not take.
bool is_general(const Site& site) {
  return site.node.integers("kernel_shape").size() > 2 || has_indices(site) ||
         site.type(site.input(0)) != DType::f32;
}

GeneralPool general_pool_of(const Site& site) {
  return general_pool(site, site.node.integers("kernel_shape"));
}

Planned plan_general_max_pool(const Site& site) {
  GeneralPool pool = general_pool_of(site);
  pool.type = site.type(site.input(0));
  pool.has_indices = has_indices(site);
  pool.column_major = site.node.integer("storage_order", 0) != 0;
  Planned planned;
  planned.inputs = {{site.input(0), site.own_form(site.input(0))}};
  planned.outputs = {{site.output, site.own_form(site.output)}};
  if (pool.has_indices)
    planned.outputs.push_back({site.node.outputs[1], site.own_form(site.node.outputs[1])});
  planned.kernel = make_general_pool(pool);
  return planned;
}

}  // namespace

void check_max_pool(const Site& site) {
  general_pool_of(site);
  if (site.type(site.input(0)) != site.type(site.output) ||
      site.type(site.output) == DType::boolean)
    site.malformed("its output is of another type than its input");
  if (!has_indices(site)) return;
  const std::uint32_t indices = site.node.outputs[1];
  if (site.shape(indices) != site.output_shape() || site.type(indices) != DType::i64)
    site.malformed("its indices are no int64 of the shape of its output");
  // They count the samples of the batch, which is computed in parts.
  if (site.program.batch > 1)
    site.refuse("its indices need a model that is compiled for a batch of 1");
}

Planned plan_max_pool(const Site& site) {
  if (is_general(site)) return plan_general_max_pool(site);
  const Geometry g = pool_geometry(site);
  const std::uint32_t input = site.input(0);
  const auto from = site.quant8(input), to = site.quant8(site.output);
  const Storage storage = from && to && *from == *to ? Storage::u8 : Storage::f32;
  Planned planned;
  planned.inputs = {{input, {storage, pool_layout(site, input)}}};
  planned.outputs = {{site.output, {storage, pool_layout(site, site.output)}}};
  if (storage == Storage::u8)
    planned.kernel =
        std::make_unique<MaxPoolKernel<std::uint8_t>>(g, static_cast<std::uint8_t>(from->low));
  else
    planned.kernel =
        std::make_unique<MaxPoolKernel<float>>(g, -std::numeric_limits<float>::infinity());
  return planned;
}

void check_average_pool(const Site& site) { general_pool_of(site); }

Planned plan_average_pool(const Site& site) {
  if (is_general(site)) {
    GeneralPool pool = general_pool_of(site);
    pool.function = GeneralPool::Function::average;
    pool.count_padding = site.node.integer("count_include_pad", 0) != 0;
    Planned planned;
    planned.inputs = {{site.input(0), {}}};
    planned.outputs = {{site.output, {}}};
    planned.kernel = make_general_pool(pool);
    return planned;
  }
  const std::uint32_t input = site.input(0);
  Planned planned;
  planned.inputs = {{input, {Storage::f32, pool_layout(site, input)}}};
  planned.outputs = {{site.output, {Storage::f32, pool_layout(site, site.output)}}};
  planned.kernel = std::make_unique<AveragePoolKernel>(
      pool_geometry(site), site.node.integer("count_include_pad", 0) != 0);
  return planned;
}

}  // namespace adze::exec
