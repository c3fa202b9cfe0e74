#include "plugins/tensor_exec/operators/window.hpp"

namespace adze::exec {
namespace {

void resolve(const Site& site, const std::string& auto_pad, bool ceil_mode, WindowAxis& axis) {
  if (axis.kernel < 1 || axis.stride < 1 || axis.dilation < 1 || axis.before < 0 ||
      axis.after < 0 ||
      std::max({axis.kernel, axis.stride, axis.dilation, axis.before, axis.after}) >
          kMaxWindowParameter)
    site.malformed("a kernel size, stride, dilation or padding is out of range");
  const std::int64_t extent = (axis.kernel - 1) * axis.dilation + 1;
  std::int64_t out = 0;
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    out = (axis.in + axis.stride - 1) / axis.stride;
    const std::int64_t total =
        std::max<std::int64_t>((out - 1) * axis.stride + extent - axis.in, 0);
    axis.before = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    axis.after = total - axis.before;
  } else {
    const std::int64_t room = axis.in + axis.before + axis.after - extent;
    if (room < 0) site.malformed("the kernel is larger than its padded input");
    out = room / axis.stride + 1;
    // A window that starts in the padding at the end is left out.
    if (ceil_mode && room % axis.stride != 0 && out * axis.stride < axis.in + axis.before) ++out;
  }
  if (out != axis.out)
    site.malformed("computes " + std::to_string(out) +
                   " places along an axis where its output has " + std::to_string(axis.out));
}

}  // namespace

std::vector<WindowAxis> window_axes(const Site& site, const Shape& kernel) {
  const Shape in = site.shape(site.input(0)), out = site.shape(site.node.outputs.front());
  const std::size_t spatial = kernel.size();
  if (spatial < 1 || in.size() != spatial + 2 || out.size() != in.size())
    site.malformed("the ranks of input, kernel and output do not agree");
  if (in[0] != out[0]) site.malformed("input and output have different batches");

  const std::string auto_pad = site.node.text("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && auto_pad != "VALID" && auto_pad != "SAME_UPPER" &&
      auto_pad != "SAME_LOWER")
    site.malformed("unknown auto_pad '" + auto_pad + "'");
  const auto strides = site.node.integers("strides", Shape(spatial, 1));
  const auto dilations = site.node.integers("dilations", Shape(spatial, 1));
  auto pads = site.node.integers("pads", Shape(2 * spatial, 0));
  if (auto_pad != "NOTSET") pads.assign(2 * spatial, 0);
  if (strides.size() != spatial || dilations.size() != spatial || pads.size() != 2 * spatial)
    site.malformed("strides, dilations or pads have the wrong length");

  std::vector<WindowAxis> axes;
  for (std::size_t i = 0; i < spatial; ++i) {
    axes.push_back(
        {in[i + 2], out[i + 2], kernel[i], strides[i], dilations[i], pads[i], pads[i + spatial]});
    resolve(site, auto_pad, site.node.integer("ceil_mode", 0) != 0, axes.back());
  }
  return axes;
}

Geometry window_geometry(const Site& site, const Shape& kernel) {
  std::vector<WindowAxis> axes = window_axes(site, kernel);
  if (axes.size() > 2) site.refuse("only one or two spatial axes are supported");
  if (axes.size() == 1) axes.insert(axes.begin(), WindowAxis{});
  const Shape in = site.shape(site.input(0)), out = site.shape(site.node.outputs.front());
  Geometry g;
  g.batch = in[0];
  g.in_channels = in[1];
  g.out_channels = out[1];
  g.in_height = axes[0].in;
  g.in_width = axes[1].in;
  g.out_height = axes[0].out;
  g.out_width = axes[1].out;
  g.kernel_height = axes[0].kernel;
  g.kernel_width = axes[1].kernel;
  g.stride_height = axes[0].stride;
  g.stride_width = axes[1].stride;
  g.dilation_height = axes[0].dilation;
  g.dilation_width = axes[1].dilation;
  g.pad_top = axes[0].before;
  g.pad_left = axes[1].before;
  g.pad_bottom = axes[0].after;
  g.pad_right = axes[1].after;
  return g;
}

std::vector<WindowAxis> three_axes(const Site& site, std::vector<WindowAxis> axes) {
  if (axes.size() > 3) site.refuse("more than three spatial axes are not supported");
  while (axes.size() < 3) axes.insert(axes.begin(), WindowAxis{});
  return axes;
}

}  // namespace adze::exec
