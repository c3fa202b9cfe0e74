// MatMul: by constant weights as a fully connected layer, of two computed values in floats.
#include <dnnl.hpp>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/weighted.hpp"
#include "plugins/tensor_exec/rows.hpp"

namespace adze::exec {
namespace {

bool is_layer(const Site& site) {
  return site.value(site.input(1)).is_constant() && site.value(site.input(1)).shape.size() == 2 &&
         site.shape(site.input(0)).size() >= 2;
}

WeightedLayer layer_of(const Site& site) {
  WeightedLayer layer;
  layer.input = site.input(0);
  layer.weights = site.input(1);
  const Shape in = site.shape(layer.input), weights = site.shape(layer.weights);
  layer.geometry.in_channels = weights[0];
  layer.geometry.out_channels = weights[1];
  layer.geometry.batch = weights[0] == 0 ? 0 : element_count(in) / weights[0];
  layer.output_axis = 1;
  layer.output_stride = 1;
  layer.depth_stride = weights[1];
  layer.layout = Layout::plain;
  return layer;
}

/// Sizes of the leading axes, right-aligned to `rank` axes, as oneDNN broadcasts them.
Shape aligned_shape(const Shape& shape, std::size_t rank) {
  Shape result(rank - shape.size(), 1);
  result.insert(result.end(), shape.begin(), shape.end());
  return result;
}

class MatMulKernel final : public Kernel {
 public:
  MatMulKernel(const Shape& a, const Shape& b, const Shape& c, const Clamp& clamp)
      : engine_(dnnl::engine::kind::cpu, 0), clamp_(clamp), count_(element_count(c)) {
    const auto desc = [](const Shape& shape) {
      return dnnl::memory::desc(shape, dnnl::memory::data_type::f32, strides_of(shape));
    };
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    try {
      description_ = {dnnl::matmul::desc(desc(a), desc(b), desc(c)), attr, engine_};
      primitive_ = dnnl::matmul(description_);
    } catch (const dnnl::error& error) {
      throw Error(ADZE_UNIMPLEMENTED, std::string("oneDNN refuses a MatMul: ") + error.what());
    }
  }

  std::size_t scratch_bytes() const { return description_.scratchpad_desc().get_size(); }

  void run(const Run& run) const override {
    dnnl::stream stream(engine_);
    const auto memory = [&](const dnnl::memory::desc& desc, const std::byte* data) {
      return dnnl::memory(desc, engine_, const_cast<std::byte*>(data));
    };
    primitive_.execute(
        stream, {{DNNL_ARG_SRC, memory(description_.src_desc(), run.inputs[0])},
                 {DNNL_ARG_WEIGHTS, memory(description_.weights_desc(), run.inputs[1])},
                 {DNNL_ARG_DST, memory(description_.dst_desc(), run.outputs[0])},
                 {DNNL_ARG_SCRATCHPAD, memory(description_.scratchpad_desc(), run.scratch)}});
    stream.wait();
    if (clamp_.any())
      clamp_row(reinterpret_cast<float*>(run.outputs[0]), static_cast<std::size_t>(count_),
                clamp_.low, clamp_.high);
  }

 private:
  dnnl::engine engine_;
  dnnl::matmul::primitive_desc description_;
  dnnl::matmul primitive_;
  Clamp clamp_;
  std::int64_t count_;
};

}  // namespace

void check_matmul(const Site& site) {
  const Shape a = site.shape(site.input(0)), b = site.shape(site.input(1));
  if (a.size() < 2 || b.size() < 2) site.refuse("vectors are not supported");
  if (a.back() != b[b.size() - 2])
    site.malformed("matrices " + to_string(a) + " and " + to_string(b) + " do not fit");
  const std::size_t rank = std::max(a.size(), b.size());
  Shape expected = aligned_shape(a, rank);
  const Shape other = aligned_shape(b, rank);
  for (std::size_t i = 0; i + 2 < rank; ++i) {
    if (expected[i] != other[i] && expected[i] != 1 && other[i] != 1)
      site.malformed("matrices " + to_string(a) + " and " + to_string(b) + " do not fit");
    expected[i] = expected[i] == 1 ? other[i] : expected[i];
  }
  expected.back() = b.back();
  site.expect_output_shape(expected);
}

Planned plan_matmul(const Site& site) {
  if (is_layer(site)) return plan_weighted(site, layer_of(site));
  const std::size_t rank =
      std::max(site.shape(site.input(0)).size(), site.shape(site.input(1)).size());
  auto kernel = std::make_unique<MatMulKernel>(aligned_shape(site.shape(site.input(0)), rank),
                                               aligned_shape(site.shape(site.input(1)), rank),
                                               site.output_shape(), site.clamp);
  Planned planned;
  planned.inputs = {{site.input(0), {}}, {site.input(1), {}}};
  planned.outputs = {{site.output, {}}};
  planned.scratch_bytes = kernel->scratch_bytes();
  planned.kernel = std::move(kernel);
  return planned;
}

}  // namespace adze::exec
