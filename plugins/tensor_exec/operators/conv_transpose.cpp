// ConvTranspose in floats.
#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/direct_convolution.hpp"

namespace adze::exec {
namespace {

/// Resolves the paddings of one axis of a ConvTranspose, whose result has `axis.in` elements.
void resolve_transposed(const Site& site, const std::string& auto_pad, std::int64_t extra,
                        bool size_given, WindowAxis& axis) {
  if (axis.kernel < 1 || axis.stride < 1 || axis.dilation < 1 || axis.before < 0 ||
      axis.after < 0 || extra < 0 ||
      std::max({axis.kernel, axis.stride, axis.dilation, axis.before, axis.after, extra}) >
          kMaxWindowParameter)
    site.malformed("a kernel size, stride, dilation or padding is out of range");
  const std::int64_t whole =
      (axis.out - 1) * axis.stride + extra + (axis.kernel - 1) * axis.dilation + 1;
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (size_given || same) {
    if (!size_given && axis.in != axis.out * axis.stride)
      site.malformed("its output is not its input times the stride");
    const std::int64_t total = std::max<std::int64_t>(whole - axis.in, 0);
    axis.before = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    axis.after = total - axis.before;
  } else if (axis.out > 0 && whole - axis.before - axis.after != axis.in) {
    site.malformed("computes " + std::to_string(whole - axis.before - axis.after) +
                   " places along an axis where its output has " + std::to_string(axis.in));
  }
}

DirectConvolution transposed_convolution(const Site& site) {
  const Shape in = site.shape(site.input(0)), out = site.shape(site.node.outputs.front()),
              weights = site.shape(site.input(1));
  if (weights.size() < 3 || in.size() != weights.size() || out.size() != in.size())
    site.malformed("the ranks of input, weights and output do not agree");
  const Shape kernel(weights.begin() + 2, weights.end());
  if (site.node.integers("kernel_shape", kernel) != kernel)
    site.malformed("its kernel_shape is not that of its weights " + to_string(weights));
  const std::size_t spatial = kernel.size();
  const std::string auto_pad = site.node.text("auto_pad", "NOTSET");
  const auto strides = site.node.integers("strides", Shape(spatial, 1));
  const auto dilations = site.node.integers("dilations", Shape(spatial, 1));
  const auto extra = site.node.integers("output_padding", Shape(spatial, 0));
  const auto sizes = site.node.integers("output_shape");
  auto pads = site.node.integers("pads", Shape(2 * spatial, 0));
  if (auto_pad != "NOTSET") pads.assign(2 * spatial, 0);
  if (strides.size() != spatial || dilations.size() != spatial || pads.size() != 2 * spatial ||
      extra.size() != spatial)
    site.malformed("strides, dilations, pads or output_padding have the wrong length");
  if (!sizes.empty() && (sizes.size() < spatial || sizes.size() > spatial + 2 ||
                         !std::equal(sizes.end() - static_cast<std::ptrdiff_t>(spatial),
                                     sizes.end(), out.begin() + 2)))
    site.malformed("its output_shape is not the shape of its output " + to_string(out));
  std::vector<WindowAxis> axes;
  for (std::size_t i = 0; i < spatial; ++i) {
    axes.push_back(
        {out[i + 2], in[i + 2], kernel[i], strides[i], dilations[i], pads[i], pads[i + spatial]});
    resolve_transposed(site, auto_pad, extra[i], !sizes.empty(), axes.back());
  }
  axes = three_axes(site, std::move(axes));
  DirectConvolution problem;
  problem.transposed = true;
  problem.batch = in[0];
  problem.in_channels = in[1];
  problem.out_channels = out[1];
  problem.groups = site.node.integer("group", 1);
  std::copy(axes.begin(), axes.end(), problem.axes.begin());
  if (in[0] != out[0]) site.malformed("input and output have different batches");
  if (problem.groups < 1 || in[1] % problem.groups != 0 || out[1] % problem.groups != 0 ||
      weights[0] != in[1] || weights[1] != out[1] / problem.groups)
    site.malformed("weights " + to_string(weights) + " do not fit " + std::to_string(in[1]) +
                   " input channels in " + std::to_string(problem.groups) + " groups");
  return problem;
}

}  // namespace

void check_conv_transpose(const Site& site) {
  check_bias(site, transposed_convolution(site).out_channels);
}

Planned plan_conv_transpose(const Site& site) {
  return plan_direct_convolution(site, transposed_convolution(site));
}

}  // namespace adze::exec
