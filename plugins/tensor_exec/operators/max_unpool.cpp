// MaxUnpool: puts elements back where a MaxPool found them, zeros elsewhere.
#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/window.hpp"

namespace adze::exec {
namespace {

struct Unpooling {
  std::int64_t count = 0, planes = 0;
  Shape pooled, result;  ///< spatial axes that indices count, and those of the result
  std::string node;
};

Unpooling unpooling_of(const Site& site) {
  const Shape in = site.shape(site.input(0)), out = site.output_shape();
  const Shape kernel = site.node.integers("kernel_shape");
  const std::size_t spatial = kernel.size();
  if (spatial < 1 || in.size() != spatial + 2 || out.size() != in.size())
    site.malformed("the ranks of input, kernel and output do not agree");
  if (in != site.shape(site.input(1)) || site.type(site.input(1)) != DType::i64)
    site.malformed("its indices are no int64 of the shape of its input");
  if (in[0] != out[0] || in[1] != out[1]) site.malformed("input and output channels differ");
  const Shape strides = site.node.integers("strides", Shape(spatial, 1));
  const Shape pads = site.node.integers("pads", Shape(2 * spatial, 0));
  if (strides.size() != spatial || pads.size() != 2 * spatial)
    site.malformed("strides or pads have the wrong length");
  // Indices count the samples of a batch, too.
  if (site.program.batch > 1) site.refuse("it needs a model that is compiled for a batch of 1");
  Unpooling problem;
  problem.count = element_count(in);
  problem.planes = in[0] * in[1];
  for (std::size_t i = 0; i < spatial; ++i) {
    if (std::max({kernel[i], strides[i], pads[i], pads[i + spatial]}) > kMaxWindowParameter ||
        kernel[i] < 1 || strides[i] < 1 || pads[i] < 0 || pads[i + spatial] < 0)
      site.malformed("a kernel size, stride or padding is out of range");
    const std::int64_t size =
        (in[i + 2] - 1) * strides[i] + kernel[i] - pads[i] - pads[i + spatial];
    problem.pooled.push_back(std::max<std::int64_t>(size, 0));
    problem.result.push_back(out[i + 2]);
    if (!site.has_input(2) && out[i + 2] != size)
      site.malformed("computes " + std::to_string(size) +
                     " places along an axis where its output has " + std::to_string(out[i + 2]));
  }
  problem.node = "node '" + site.node.name + "' (" + site.node.op + ")";
  return problem;
}

class UnpoolingKernel final : public Kernel {
 public:
  explicit UnpoolingKernel(Unpooling problem) : problem_(std::move(problem)) {}
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    const auto* indices = reinterpret_cast<const std::int64_t*>(run.inputs[1]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    std::fill(dst, dst + problem_.planes * element_count(problem_.result), 0.0f);
    for (std::int64_t i = 0; i < problem_.count; ++i) dst[place_of(indices[i])] = src[i];
  }

 private:
  std::int64_t place_of(std::int64_t index) const {
    const std::int64_t pixels = element_count(problem_.pooled);
    bool fits = index >= 0 && index < problem_.planes * pixels;
    std::int64_t rest = fits ? index % pixels : 0, place = 0, stride = 1;
    for (std::size_t axis = problem_.pooled.size(); fits && axis-- > 0;) {
      const std::int64_t at = rest % problem_.pooled[axis];
      rest /= problem_.pooled[axis];
      fits = at < problem_.result[axis];
      place += at * stride;
      stride *= problem_.result[axis];
    }
    if (!fits)
      throw Error(ADZE_INVALID_ARGUMENT,
                  problem_.node + ": index " + std::to_string(index) + " is outside its output");
    return index / pixels * stride + place;
  }

  Unpooling problem_;
};

}  // namespace

void check_max_unpool(const Site& site) {
  unpooling_of(site);
  for (const std::uint32_t value : {site.input(0), site.output})
    if (site.type(value) != DType::f32) site.refuse("only float32 is supported");
}

Planned plan_max_unpool(const Site& site) {
  Planned planned;
  planned.inputs = {{site.input(0), {}}, {site.input(1), site.own_form(site.input(1))}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = std::make_unique<UnpoolingKernel>(unpooling_of(site));
  return planned;
}

}  // namespace adze::exec
