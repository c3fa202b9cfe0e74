#include "plugins/tensor_exec/integer_convolution.hpp"

#include "plugins/tensor_exec/avx2.hpp"
#include "plugins/tensor_exec/memory.hpp"
#include "plugins/tensor_exec/output_stage.hpp"

namespace adze::exec {
namespace {

class IntegerConvolutionKernel final : public Kernel {
 public:
  IntegerConvolutionKernel(const IntegerConvolution& convolution,
                           std::unique_ptr<Accumulator> accumulator)
      : stage_(make_output_stage(convolution)),
        pixels_(convolution.geometry.batch * convolution.geometry.out_pixels()),
        accumulator_(std::move(accumulator)) {}

  std::size_t sums_bytes() const {
    return aligned(static_cast<std::size_t>(pixels_ * stage_.channels) * 4);
  }
  std::size_t scratch_bytes() const { return sums_bytes() + accumulator_->scratch_bytes(); }

  void run(const Run& run) const override {
    accumulator_->run(reinterpret_cast<const std::uint8_t*>(run.inputs[0]), run.scratch,
                      run.scratch + sums_bytes(), run.threads);
    parallel_for(run.threads, pixels_, [&](std::int64_t begin, std::int64_t end) {
      if (accumulator_->sums() == Accumulator::Sums::float32)
        part(reinterpret_cast<const float*>(run.scratch), begin, end, run.outputs[0]);
      else
        part(reinterpret_cast<const std::int32_t*>(run.scratch), begin, end, run.outputs[0]);
    });
  }

 private:
  template <class Sum>
  void part(const Sum* sums, std::int64_t begin, std::int64_t end, std::byte* dst) const {
    const std::int64_t at = begin * stage_.channels, count = (end - begin) * stage_.channels;
    dst += static_cast<std::size_t>(at) * (stage_.quantizes ? 1 : sizeof(float));
    finish_pixels(stage_, sums + at, end - begin, dst);
    auto* integers = reinterpret_cast<std::uint8_t*>(dst);
    if (stage_.lookup) stage_.lookup->run(integers, count, integers);
  }

  OutputStage stage_;
  std::int64_t pixels_;
  std::unique_ptr<Accumulator> accumulator_;
};

std::unique_ptr<Accumulator> pick(const IntegerConvolution& convolution, Path path) {
  if (path != Path::plain) {
    std::unique_ptr<Accumulator> fast;
    if (integer_dot_product_is_exact()) fast = make_dnnl_accumulator(convolution);
    if (!fast) fast = make_float_accumulator(convolution);
    if (fast) return fast;
  }
  return make_plain_accumulator(convolution);
}

}  // namespace

std::unique_ptr<Kernel> make_integer_convolution(const IntegerConvolution& convolution, Path path,
                                                 std::size_t& out_scratch_bytes) {
  out_scratch_bytes = 0;
  if (path != Path::plain)
    if (auto own = make_avx2_convolution(convolution)) return own;
  auto kernel = std::make_unique<IntegerConvolutionKernel>(convolution, pick(convolution, path));
  out_scratch_bytes = kernel->scratch_bytes();
  return kernel;
}

}  // namespace adze::exec
