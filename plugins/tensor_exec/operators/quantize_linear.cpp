// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear that stand alone: pairs never come
// here, the graph shows them as quantized values.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/axes.hpp"
#include "plugins/tensor_exec/operators/integers.hpp"

namespace adze::exec {
namespace {

struct LinearQuantization {
  bool quantizes = true;
  DType type = DType::u8;  ///< of the integers
  std::int64_t count = 0;
  ParameterList list;
  bool has_zero_point = false;
  Rounding rounding = Rounding::half_even;
};

LinearQuantization linear_quantization(const Site& site) {
  LinearQuantization problem;
  problem.quantizes = site.node.op == "QuantizeLinear";
  const Shape shape = site.shape(site.input(0)), scale = site.shape(site.input(1));
  const std::uint32_t integers = problem.quantizes ? site.output : site.input(0);
  problem.type = site.type(integers);
  if (problem.type == DType::f32 || problem.type == DType::f64 || problem.type == DType::boolean)
    site.refuse(std::string("integers of type ") + name_of(problem.type) + " are not supported");
  problem.count = element_count(shape);
  problem.has_zero_point = site.has_input(2);
  problem.rounding = site.program.rounding;
  expect_type(site, 2, problem.type);
  if (site.node.integer("block_size", 0) != 0 || scale.size() > 1)
    site.refuse("scales in blocks are not supported");
  if (problem.has_zero_point && site.shape(site.input(2)) != scale)
    site.malformed("scale and zero point have different shapes");
  if (element_count(scale) == 1) return problem;
  const std::size_t axis = site.axis(site.node.integer("axis", 1), shape.size());
  is_by_channel(site, 1, shape[axis]);
  problem.list = {shape[axis], extents_around(shape, axis, axis + 1).inner};
  if (problem.list.count == 0 || problem.list.inner == 0) problem.list = {};
  return problem;
}

class LinearQuantizationKernel final : public Kernel {
 public:
  explicit LinearQuantizationKernel(const LinearQuantization& problem) : problem_(problem) {}
  void run(const Run& run) const override {
    const LinearQuantization& p = problem_;
    const auto* scales = reinterpret_cast<const float*>(run.inputs[1]);
    const auto zero_point = [&](std::size_t index) {
      return p.has_zero_point ? integer_at(p.type, run.inputs[2], static_cast<std::int64_t>(index))
                              : 0;
    };
    parallel_for(run.threads, p.count, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::size_t at = p.list.index(i);
        if (p.quantizes)
          store_rounded(p.type, reinterpret_cast<const float*>(run.inputs[0])[i] / scales[at],
                        zero_point(at), p.rounding, i, run.outputs[0]);
        else
          reinterpret_cast<float*>(run.outputs[0])[i] =
              static_cast<float>(integer_at(p.type, run.inputs[0], i) - zero_point(at)) *
              scales[at];
      }
    });
  }

 private:
  LinearQuantization problem_;
};

/// To uint8, with the range of the data itself.
class DynamicQuantizationKernel final : public Kernel {
 public:
  DynamicQuantizationKernel(std::int64_t count, Rounding rounding)
      : count_(count), rounding_(rounding) {}
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    float low = 0, high = 0;
    for (std::int64_t i = 0; i < count_; ++i) {
      low = src[i] < low ? src[i] : low;
      high = src[i] > high ? src[i] : high;
    }
    const float scale = high == low ? 1 : (high - low) / 255;
    store_rounded(DType::u8, -low / scale, 0, rounding_, 0, run.outputs[2]);
    *reinterpret_cast<float*>(run.outputs[1]) = scale;
    const std::int64_t zero = integer_at(DType::u8, run.outputs[2], 0);
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        store_rounded(DType::u8, src[i] / scale, zero, rounding_, i, run.outputs[0]);
    });
  }

 private:
  std::int64_t count_;
  Rounding rounding_;
};

}  // namespace

void check_linear_quantization(const Site& site) {
  const LinearQuantization problem = linear_quantization(site);
  if (problem.quantizes
          ? site.type(site.input(0)) != DType::f32 && site.type(site.input(0)) != DType::i32
          : site.type(site.output) != DType::f32)
    site.refuse("only float32 can be quantized, or made of integers");
  if (site.type(site.input(1)) != DType::f32) site.malformed("its scale is no float32");
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned plan_linear_quantization(const Site& site) {
  const LinearQuantization problem = linear_quantization(site);
  Planned planned;
  planned.inputs = {{site.input(0), problem.quantizes ? Form{} : site.own_form(site.input(0))},
                    {site.input(1), {}}};
  if (problem.has_zero_point)
    planned.inputs.push_back({site.input(2), site.own_form(site.input(2))});
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.kernel = std::make_unique<LinearQuantizationKernel>(problem);
  return planned;
}

void check_dynamic_quantization(const Site& site) {
  const Shape shape = site.shape(site.input(0));
  for (std::size_t axis = 0; axis < shape.size(); ++axis)
    site.keep_samples_apart(site.input(0), axis);
  if (site.node.outputs.size() != 3 || site.node.outputs[1] == ADZE_NONE ||
      site.node.outputs[2] == ADZE_NONE)
    site.malformed("it has not three outputs");
  if (site.type(site.input(0)) != DType::f32 || site.type(site.output) != DType::u8 ||
      site.type(site.node.outputs[1]) != DType::f32 || site.type(site.node.outputs[2]) != DType::u8)
    site.malformed("it makes uint8, a float32 scale and a uint8 zero point of float32");
  site.expect_output_shape(shape);
  for (std::size_t i = 1; i < 3; ++i)
    if (element_count(site.shape(site.node.outputs[i])) != 1)
      site.malformed("its scale and zero point are not one value each");
}

Planned plan_dynamic_quantization(const Site& site) {
  Planned planned;
  planned.inputs = {{site.input(0), {}}};
  for (const std::uint32_t output : site.node.outputs)
    planned.outputs.push_back({output, site.own_form(output)});
  planned.kernel = std::make_unique<DynamicQuantizationKernel>(
      element_count(site.shape(site.input(0))), site.program.rounding);
  return planned;
}

}  // namespace adze::exec
