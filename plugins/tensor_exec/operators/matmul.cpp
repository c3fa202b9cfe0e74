// MatMul: by constant weights as a fully connected layer, of two computed values in floats.
#include "plugins/tensor_exec/operators/matmul.hpp"

#include <algorithm>
#include <dnnl.hpp>

#include "plugins/tensor_exec/executable.hpp"
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

/// A product of two matrices, on one thread: oneDNN's order of additions depends on how many it
/// has.
class Product {
 public:
  Product() = default;
  /// The last two axes of both operands, `rows` of them.
  Product(const MatMulProblem& problem, std::int64_t rows) : engine_(dnnl::engine::kind::cpu, 0) {
    const ThreadCount one(1);
    const auto matrix = [](const Shape& shape, const Shape& strides) {
      return dnnl::memory::desc(shape, dnnl::memory::data_type::f32, strides);
    };
    const auto last_two = [](const Shape& shape) { return Shape(shape.end() - 2, shape.end()); };
    const std::int64_t depth = problem.a.shape.back(), columns = problem.result.back();
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    try {
      description_ = {dnnl::matmul::desc(matrix({rows, depth}, last_two(problem.a.strides)),
                                         matrix({depth, columns}, last_two(problem.b.strides)),
                                         matrix({rows, columns}, {columns, 1})),
                      attr, engine_};
      primitive_ = dnnl::matmul(description_);
    } catch (const dnnl::error& error) {
      throw Error(ADZE_UNIMPLEMENTED, std::string("oneDNN refuses a MatMul: ") + error.what());
    }
  }

  std::size_t scratch_bytes() const { return description_.scratchpad_desc().get_size(); }

  void run(const float* a, const float* b, float* dst, std::byte* scratch) const {
    dnnl::stream stream(engine_);
    const auto memory = [&](const dnnl::memory::desc& desc, const void* data) {
      return dnnl::memory(desc, engine_, const_cast<void*>(data));
    };
    primitive_.execute(stream,
                       {{DNNL_ARG_SRC, memory(description_.src_desc(), a)},
                        {DNNL_ARG_WEIGHTS, memory(description_.weights_desc(), b)},
                        {DNNL_ARG_DST, memory(description_.dst_desc(), dst)},
                        {DNNL_ARG_SCRATCHPAD, memory(description_.scratchpad_desc(), scratch)}});
    stream.wait();
  }

 private:
  dnnl::engine engine_;
  dnnl::matmul::primitive_desc description_;
  dnnl::matmul primitive_;
};

/// Places of the matrices of a stack, in the order of the result.
std::vector<std::int64_t> matrix_places(const MatMulProblem::Operand& operand,
                                        const Shape& result) {
  std::vector<std::int64_t> places{0};
  for (std::size_t axis = 0; axis + 2 < result.size(); ++axis) {
    std::vector<std::int64_t> next;
    for (const std::int64_t place : places)
      for (std::int64_t i = 0; i < result[axis]; ++i)
        next.push_back(place + (operand.shape[axis] == 1 ? 0 : i * operand.strides[axis]));
    places = std::move(next);
  }
  return places;
}

class MatMulKernel final : public Kernel {
 public:
  explicit MatMulKernel(MatMulProblem problem)
      : problem_(std::move(problem)),
        count_(element_count(problem_.result)),
        is_zero_(problem_.a.shape.back() == 0) {
    if (count_ == 0 || is_zero_) return;
    a_places_ = matrix_places(problem_.a, problem_.result);
    b_places_ = matrix_places(problem_.b, problem_.result);
    const std::int64_t rest = rows() % kTileRows;
    if (rows() >= kTileRows) whole_ = Product(problem_, kTileRows);
    if (rest > 0) rest_ = Product(problem_, rest);
    if (rows() >= kTileRows) scratch_bytes_ = whole_.scratch_bytes();
    if (rest > 0) scratch_bytes_ = std::max(scratch_bytes_, rest_.scratch_bytes());
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
  static constexpr std::int64_t kTileRows = 128;

  std::int64_t rows() const { return problem_.result[problem_.result.size() - 2]; }

  /// Tiles of rows are the same for any number of threads.
  void multiply(const Run& run) const {
    const std::int64_t tiles = (rows() + kTileRows - 1) / kTileRows;
    const std::int64_t row_step = problem_.a.strides[problem_.a.strides.size() - 2];
    const std::int64_t columns = problem_.result.back();
    const auto stacks = static_cast<std::int64_t>(a_places_.size());
    parallel_for(run.threads, stacks * tiles, [&](std::int64_t begin, std::int64_t end) {
      const ThreadCount one(1);
      const AlignedBytes scratch(scratch_bytes_);
      for (std::int64_t i = begin; i < end; ++i) {
        const auto stack = static_cast<std::size_t>(i / tiles);
        const std::int64_t row = i % tiles * kTileRows;
        const Product& product = rows() - row >= kTileRows ? whole_ : rest_;
        product.run(
            reinterpret_cast<const float*>(run.inputs[0]) + a_places_[stack] + row * row_step,
            reinterpret_cast<const float*>(run.inputs[1]) + b_places_[stack],
            reinterpret_cast<float*>(run.outputs[0]) + (i / tiles * rows() + row) * columns,
            scratch.data());
      }
    });
  }

  MatMulProblem problem_;
  Product whole_, rest_;  ///< of a whole tile, and of the rows that are left
  std::vector<std::int64_t> a_places_, b_places_;
  std::size_t scratch_bytes_ = 0;
  std::int64_t count_;
  bool is_zero_;  ///< sums of no products
};

}  // namespace

std::unique_ptr<Kernel> make_matmul(MatMulProblem problem) {
  return std::make_unique<MatMulKernel>(std::move(problem));
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
  planned.kernel = make_matmul(std::move(problem));
  return planned;
}

}  // namespace adze::exec
