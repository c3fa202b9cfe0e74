#include <dnnl.hpp>

#include "plugins/tensor_exec/convolution.hpp"
#include "plugins/tensor_exec/memory.hpp"

namespace adze::exec {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

struct Descriptions {
  memory::desc src, packed, given, bias, dst;
};

Descriptions describe(const Geometry& g, bool integers, bool with_bias) {
  const auto f32 = memory::data_type::f32;
  const auto src = integers ? memory::data_type::u8 : f32;
  const auto weights = integers ? memory::data_type::s8 : f32;
  const auto dst = integers ? memory::data_type::s32 : f32;
  Descriptions all;
  all.src = memory::desc({g.batch, g.in_channels, g.in_height, g.in_width}, src, Tag::nhwc);
  all.dst = memory::desc({g.batch, g.out_channels, g.out_height, g.out_width}, dst, Tag::nhwc);
  memory::dims dims{g.group_outputs(), g.group_inputs(), g.kernel_height, g.kernel_width};
  if (g.groups > 1) dims.insert(dims.begin(), g.groups);
  all.packed = memory::desc(dims, weights, Tag::any);
  all.given = memory::desc(dims, weights, g.groups > 1 ? Tag::goihw : Tag::oihw);
  if (with_bias) all.bias = memory::desc({g.out_channels}, f32, Tag::a);
  return all;
}

/// `addend`: empty when nothing is added.
dnnl::primitive_attr attributes(const Clamp& clamp, const memory::desc& addend) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops ops;
  constexpr float kMax = std::numeric_limits<float>::max();
  if (!addend.is_zero()) ops.append_binary(dnnl::algorithm::binary_add, addend);
  if (clamp.low == 0 && clamp.high > kMax)
    ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
  else if (clamp.any())
    ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_clip, std::max(clamp.low, -kMax),
                       std::min(clamp.high, kMax));
  attr.set_post_ops(ops);
  return attr;
}

dnnl::convolution_forward::primitive_desc make_description(const Geometry& g,
                                                           const Descriptions& all,
                                                           const dnnl::primitive_attr& attr,
                                                           bool with_bias) {
  const auto kind = dnnl::prop_kind::forward_inference;
  // Direct, never Winograd: sums of integers must stay sums of integers.
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const memory::dims strides{g.stride_height, g.stride_width};
  const memory::dims dilates{g.dilation_height - 1, g.dilation_width - 1};
  const memory::dims before{g.pad_top, g.pad_left}, after{g.pad_bottom, g.pad_right};
  const dnnl::convolution_forward::desc desc =
      with_bias ? dnnl::convolution_forward::desc(kind, algorithm, all.src, all.packed, all.bias,
                                                  all.dst, strides, dilates, before, after)
                : dnnl::convolution_forward::desc(kind, algorithm, all.src, all.packed, all.dst,
                                                  strides, dilates, before, after);
  return {desc, attr, cpu_engine()};
}

/// oneDNN 2.6 computes such convolutions in int8 with a data race when it runs on several threads
/// (its copy of every second pixel is shared between them): pixels are picked out before it.
bool skips_pixels(const Geometry& g) {
  return g.kernel_height == 1 && g.kernel_width == 1 && !g.has_padding() &&
         (g.stride_height > 1 || g.stride_width > 1);
}

Geometry without_skipping(Geometry g) {
  if (!skips_pixels(g)) return g;
  g.in_height = g.out_height;
  g.in_width = g.out_width;
  g.stride_height = g.stride_width = 1;
  return g;
}

void pick_pixels(const Geometry& g, std::size_t pixel_bytes, const std::byte* src, std::byte* dst) {
  for (std::int64_t row = 0; row < g.batch * g.out_height; ++row) {
    const std::int64_t y = row / g.out_height * g.in_height + row % g.out_height * g.stride_height;
    for (std::int64_t x = 0; x < g.out_width; ++x, dst += pixel_bytes)
      std::memcpy(dst,
                  src + static_cast<std::size_t>(y * g.in_width + x * g.stride_width) * pixel_bytes,
                  pixel_bytes);
  }
}

}  // namespace

struct DnnlConvolution::Impl {
  Geometry geometry;
  std::size_t pixel_bytes = 0, picked_bytes = 0;  ///< 0: no pixels are skipped
  dnnl::convolution_forward::primitive_desc description;
  dnnl::convolution_forward primitive;
  memory weights, bias;
};

DnnlConvolution::DnnlConvolution(const Geometry& geometry, Type type,
                                 std::span<const std::byte> weights, std::span<const float> bias,
                                 const Clamp& clamp, bool with_addend)
    : impl_(std::make_unique<Impl>()) {
  try {
    const bool with_bias = !bias.empty();
    const Geometry dense = without_skipping(geometry);
    const Descriptions all = describe(dense, type == Type::integers, with_bias);
    impl_->geometry = geometry;
    if (skips_pixels(geometry)) {
      impl_->pixel_bytes =
          static_cast<std::size_t>(geometry.in_channels) * (type == Type::integers ? 1 : 4);
      impl_->picked_bytes = aligned(all.src.get_size());
    }
    impl_->description = make_description(
        dense, all, attributes(clamp, with_addend ? all.dst : memory::desc()), with_bias);
    impl_->primitive = dnnl::convolution_forward(impl_->description);
    dnnl::stream stream(cpu_engine());
    // oneDNN takes no pointer to const, but only reads here.
    memory given(all.given, cpu_engine(), const_cast<std::byte*>(weights.data()));
    impl_->weights = memory(impl_->description.weights_desc(), cpu_engine());
    dnnl::reorder(given, impl_->weights).execute(stream, given, impl_->weights);
    if (with_bias) {
      impl_->bias = memory(all.bias, cpu_engine());
      std::memcpy(impl_->bias.get_data_handle(), bias.data(), bias.size_bytes());
    }
    stream.wait();
  } catch (const dnnl::error& error) {
    throw Error(ADZE_INTERNAL, std::string("oneDNN refuses a convolution: ") + error.what());
  }
}

DnnlConvolution::~DnnlConvolution() = default;

std::size_t DnnlConvolution::scratch_bytes() const {
  return impl_->picked_bytes + impl_->description.scratchpad_desc().get_size();
}

void DnnlConvolution::run(const std::byte* src, std::byte* dst, std::byte* scratch,
                          const std::byte* addend) const {
  if (impl_->picked_bytes > 0) {
    pick_pixels(impl_->geometry, impl_->pixel_bytes, src, scratch);
    src = scratch;
    scratch += impl_->picked_bytes;
  }
  const auto& engine = cpu_engine();
  const auto& pd = impl_->description;
  dnnl::stream stream(engine);
  std::unordered_map<int, memory> arguments{
      {DNNL_ARG_SRC, memory(pd.src_desc(), engine, const_cast<std::byte*>(src))},
      {DNNL_ARG_WEIGHTS, impl_->weights},
      {DNNL_ARG_DST, memory(pd.dst_desc(), engine, dst)},
      {DNNL_ARG_SCRATCHPAD, memory(pd.scratchpad_desc(), engine, scratch)}};
  if (impl_->bias) arguments.emplace(DNNL_ARG_BIAS, impl_->bias);
  if (addend)
    arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1,
                      memory(pd.dst_desc(), engine, const_cast<std::byte*>(addend)));
  try {
    impl_->primitive.execute(stream, arguments);
    stream.wait();
  } catch (const dnnl::error& error) {
    throw Error(ADZE_INTERNAL, std::string("oneDNN failed in a convolution: ") + error.what());
  }
}

bool integer_dot_product_is_exact() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx2_vnni:
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
      return true;
    default:
      return false;
  }
}

Vectors widest_vectors() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
    case dnnl::cpu_isa::avx:
      return Vectors::narrower;
    case dnnl::cpu_isa::avx2:
    case dnnl::cpu_isa::avx2_vnni:
      return Vectors::avx2;
    case dnnl::cpu_isa::all:  // oneDNN knows no vectors of this CPU
      return Vectors::narrower;
    default:
      return Vectors::wider;
  }
}

}  // namespace adze::exec
