// MatMul: by constant weights as a fully connected layer, of two computed values in floats.
#include "plugins/tensor_exec/operators/matmul.hpp"

#include <algorithm>
#include <dnnl.hpp>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/weighted.hpp"
#include "plugins/tensor_exec/rows.hpp"

namespace adze::exec {
namespace {

bool has_elements(const Site& site, std::size_t input) {
  return element_count(site.shape(site.input(input))) > 0;
}

bool has_constant_matrix(const Site& site) {
  return site.value(site.input(1)).is_constant() && site.value(site.input(1)).shape.size() == 2 &&
         site.shape(site.input(0)).size() >= 2 && has_elements(site, 0) && has_elements(site, 1);
}

WeightedLayer matmul_layer(const Site& site) {
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
  explicit MatMulKernel(MatMulProblem problem)
      : problem_(std::move(problem)),
        engine_(dnnl::engine::kind::cpu, 0),
        count_(element_count(problem_.result)),
        is_zero_(problem_.a.shape.back() == 0) {
    if (count_ == 0 || is_zero_) return;
    const auto desc = [](const Shape& shape, const Shape& strides) {
      return dnnl::memory::desc(shape, dnnl::memory::data_type::f32, strides);
    };
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    try {
      description_ = {dnnl::matmul::desc(desc(problem_.a.shape, problem_.a.strides),
                                         desc(problem_.b.shape, problem_.b.strides),
                                         desc(problem_.result, strides_of(problem_.result))),
                      attr, engine_};
      primitive_ = dnnl::matmul(description_);
    } catch (const dnnl::error& error) {
      throw Error(ADZE_UNIMPLEMENTED, std::string("oneDNN refuses a MatMul: ") + error.what());
    }
  }

  std::size_t scratch_bytes() const {
    return count_ == 0 || is_zero_ ? 0 : description_.scratchpad_desc().get_size();
  }

  void run(const Run& run) const override {
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    if (count_ == 0) return;
    if (is_zero_)
      std::fill(dst, dst + count_, 0.0f);
    else
      multiply(run);
    if (problem_.alpha != 1 || !problem_.addend.empty()) {
      const auto* addend =
          problem_.addend.empty() ? nullptr : reinterpret_cast<const float*>(run.inputs[2]);
      for (std::int64_t i = 0; i < count_; ++i) {
        dst[i] *= problem_.alpha;
        if (addend) dst[i] += problem_.beta * addend[problem_.addend[static_cast<std::size_t>(i)]];
      }
    }
    if (problem_.clamp.any())
      clamp_row(dst, static_cast<std::size_t>(count_), problem_.clamp.low, problem_.clamp.high);
  }

 private:
  void multiply(const Run& run) const {
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
  }

  MatMulProblem problem_;
  dnnl::engine engine_;
  dnnl::matmul::primitive_desc description_;
  dnnl::matmul primitive_;
  std::int64_t count_;
  bool is_zero_;  ///< sums of no products
};

}  // namespace

std::unique_ptr<Kernel> make_matmul(MatMulProblem problem, std::size_t& out_scratch_bytes) {
  auto kernel = std::make_unique<MatMulKernel>(std::move(problem));
  out_scratch_bytes = kernel->scratch_bytes();
  return kernel;
}

MatrixStacks matrix_stacks(const Site& site, std::size_t left, std::size_t right) {
  Shape a = site.shape(site.input(left)), b = site.shape(site.input(right));
  if (a.empty() || b.empty()) site.malformed("a scalar is no matrix");
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  const auto fail = [&] {
    site.malformed("matrices " + to_string(site.shape(site.input(left))) + " and " +
                   to_string(site.shape(site.input(right))) + " do not fit");
  };
  if (a.back() != b[b.size() - 2]) fail();
  const std::size_t rank = std::max(a.size(), b.size());
  MatrixStacks stacks{aligned_shape(a, rank), aligned_shape(b, rank), aligned_shape(a, rank)};
  for (std::size_t i = 0; i + 2 < rank; ++i) {
    std::int64_t& size = stacks.result[i];
    if (size != stacks.b[i] && size != 1 && stacks.b[i] != 1) fail();
    if (size == 1) size = stacks.b[i];
  }
  stacks.result.back() = b.back();
  Shape expected = stacks.result;
  if (column) expected.pop_back();
  if (row) expected.erase(expected.end() - (column ? 1 : 2));
  site.expect_output_shape(expected);
  return stacks;
}

void check_matmul(const Site& site) {
  matrix_stacks(site, 0, 1);
  const std::size_t left = site.shape(site.input(0)).size(),
                    right = site.shape(site.input(1)).size();
  site.keep_samples_apart(site.input(0), left - 1);
  site.keep_samples_apart(site.input(1), right == 1 ? 0 : right - 2);
}

Planned plan_matmul(const Site& site) {
  if (has_constant_matrix(site)) return plan_weighted(site, matmul_layer(site));
  MatrixStacks stacks = matrix_stacks(site, 0, 1);
  MatMulProblem problem;
  problem.a = {stacks.a, strides_of(stacks.a)};
  problem.b = {stacks.b, strides_of(stacks.b)};
  problem.result = std::move(stacks.result);
  problem.clamp = site.clamp;
  Planned planned;
  planned.inputs = {{site.input(0), {}}, {site.input(1), {}}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = make_matmul(std::move(problem), planned.scratch_bytes);
  return planned;
}

}  // namespace adze::exec
