#include "plugins/tensor_exec/operators/spatial_product.hpp"

#include <dnnl.hpp>

#include "plugins/tensor_exec/executable.hpp"
#include "plugins/tensor_exec/rows.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

using dnnl::memory;

class SpatialProductKernel final : public Kernel {
 public:
  SpatialProductKernel(const DirectConvolution& p, std::span<const float> weights,
                       std::span<const float> bias, const Clamp& clamp)
      : engine_(dnnl::engine::kind::cpu, 0),
        clamp_(clamp),
        count_(p.batch * p.out_channels * p.result_pixels()) {
    const ThreadCount one(1);
    const auto f32 = memory::data_type::f32;
    // Of a transposed convolution, `in` of an axis is its result.
    const auto sizes = [&](std::int64_t channels, bool of_in) {
      memory::dims dims{p.batch, channels};
      for (const WindowAxis& axis : p.axes) dims.push_back(of_in ? axis.in : axis.out);
      return dims;
    };
    const auto plain = memory::format_tag::ncdhw;
    const memory::desc src(sizes(p.in_channels, !p.transposed), f32, plain),
        dst(sizes(p.out_channels, p.transposed), f32, plain),
        bias_desc({p.out_channels}, f32, memory::format_tag::a);
    const std::int64_t inputs = p.in_channels / p.groups, outputs = p.out_channels / p.groups;
    memory::dims dims{p.groups, outputs, inputs}, strides;
    memory::dims steps, gaps, before, after;
    for (const WindowAxis& axis : p.axes) {
      dims.push_back(axis.kernel);
      steps.push_back(axis.stride);
      gaps.push_back(axis.dilation - 1);
      before.push_back(axis.before);
      after.push_back(axis.after);
    }
    const std::int64_t taps = p.taps();
    strides = {inputs * outputs * taps,
               p.transposed ? taps : inputs * taps,
               p.transposed ? outputs * taps : taps,
               p.axes[1].kernel * p.axes[2].kernel,
               p.axes[2].kernel,
               1};
    const memory::desc given(dims, f32, strides), packed(dims, f32, memory::format_tag::any);
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const auto kind = dnnl::prop_kind::forward_inference;
    const auto make = [&]<class Primitive>(TypeTag<Primitive>, dnnl::algorithm algorithm) {
      const typename Primitive::primitive_desc description(
          {kind, algorithm, src, packed, bias_desc, dst, steps, gaps, before, after}, attr,
          engine_);
      primitive_ = Primitive(description);
      src_desc_ = description.src_desc();
      dst_desc_ = description.dst_desc();
      weights_desc_ = description.weights_desc();
      scratch_desc_ = description.scratchpad_desc();
    };
    if (p.transposed)
      make(TypeTag<dnnl::deconvolution_forward>{}, dnnl::algorithm::deconvolution_direct);
    else
      make(TypeTag<dnnl::convolution_forward>{}, dnnl::algorithm::convolution_direct);
    dnnl::stream stream(engine_);
    memory from(given, engine_, const_cast<float*>(weights.data()));
    weights_ = memory(weights_desc_, engine_);
    dnnl::reorder(from, weights_).execute(stream, from, weights_);
    bias_ = memory(bias_desc, engine_);
    std::copy(bias.begin(), bias.end(), static_cast<float*>(bias_.get_data_handle()));
    stream.wait();
  }

  std::size_t scratch_bytes() const { return scratch_desc_.get_size(); }

  void run(const Run& run) const override {
    const ThreadCount one(1);
    dnnl::stream stream(engine_);
    const auto at = [&](const memory::desc& desc, const void* data) {
      return memory(desc, engine_, const_cast<void*>(data));
    };
    primitive_.execute(stream, {{DNNL_ARG_SRC, at(src_desc_, run.inputs[0])},
                                {DNNL_ARG_WEIGHTS, weights_},
                                {DNNL_ARG_BIAS, bias_},
                                {DNNL_ARG_DST, at(dst_desc_, run.outputs[0])},
                                {DNNL_ARG_SCRATCHPAD, at(scratch_desc_, run.scratch)}});
    stream.wait();
    if (clamp_.any())
      clamp_row(reinterpret_cast<float*>(run.outputs[0]), static_cast<std::size_t>(count_),
                clamp_.low, clamp_.high);
  }

 private:
  dnnl::engine engine_;
  dnnl::primitive primitive_;
  memory::desc src_desc_, dst_desc_, weights_desc_, scratch_desc_;
  memory weights_, bias_;
  Clamp clamp_;
  std::int64_t count_;
};

}  // namespace

std::unique_ptr<Kernel> make_spatial_product(const DirectConvolution& problem,
                                             std::span<const float> weights,
                                             std::span<const float> bias, const Clamp& clamp,
                                             std::size_t& out_scratch_bytes) {
  try {
    auto kernel = std::make_unique<SpatialProductKernel>(problem, weights, bias, clamp);
    out_scratch_bytes = kernel->scratch_bytes();
    return kernel;
  } catch (const dnnl::error&) {
    return nullptr;
  }
}

}  // namespace adze::exec
