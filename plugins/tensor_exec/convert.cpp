#include "plugins/tensor_exec/convert.hpp"

#include "plugins/tensor_exec/rows.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

class QuantizeKernel final : public Kernel {
 public:
  QuantizeKernel(std::int64_t count, const Quant8& to, Rounding rounding)
      : count_(count), to_(to), rounding_(rounding) {}
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<std::uint8_t*>(run.outputs[0]);
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      quantize_row(src + begin, static_cast<std::size_t>(end - begin), to_, rounding_, dst + begin);
    });
  }

 private:
  std::int64_t count_;
  Quant8 to_;
  Rounding rounding_;
};

class DequantizeKernel final : public Kernel {
 public:
  DequantizeKernel(std::int64_t count, const Quant8& from) : count_(count), from_(from) {}
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const std::uint8_t*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      dequantize_row(src + begin, static_cast<std::size_t>(end - begin), from_, dst + begin);
    });
  }

 private:
  std::int64_t count_;
  Quant8 from_;
};

template <class From, class To>
class CastKernel final : public Kernel {
 public:
  explicit CastKernel(std::int64_t count) : count_(count) {}
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const From*>(run.inputs[0]);
    auto* dst = reinterpret_cast<To*>(run.outputs[0]);
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) dst[i] = converted<To>(src[i]);
    });
  }

 private:
  std::int64_t count_;
};

class FakeQuantizeKernel final : public Kernel {
 public:
  FakeQuantizeKernel(const Shape& shape, const Quantization& to, Rounding rounding)
      : count_(element_count(shape)), to_(to), rounding_(rounding) {
    for (std::size_t i = to.axis < 0 ? shape.size() : static_cast<std::size_t>(to.axis) + 1;
         i < shape.size(); ++i)
      inner_ *= shape[i];
  }
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) dst[i] = quantized(src[i], i);
    });
  }

 private:
  float quantized(float x, std::int64_t index) const {
    const std::size_t at =
        to_.axis < 0 ? 0 : static_cast<std::size_t>(index / inner_) % to_.scale.size();
    const auto zero = to_.zero_point[at];
    const float low = static_cast<float>(to_.low() - zero);
    const float high = static_cast<float>(to_.high() - zero);
    float v = x / to_.scale[at];
    v = v > low ? v : low;
    v = v < high ? v : high;
    v = rounding_ == Rounding::half_even ? round_half_even(v) : round_half_up(v);
    return v * to_.scale[at];
  }

  std::int64_t count_, inner_ = 1;
  Quantization to_;
  Rounding rounding_;
};

}  // namespace

std::unique_ptr<Kernel> make_cast(DType from, DType to, std::int64_t count) {
  return with_type(from, [&]<class From>(TypeTag<From>) {
    return with_type(to, [&]<class To>(TypeTag<To>) -> std::unique_ptr<Kernel> {
      return std::make_unique<CastKernel<From, To>>(count);
    });
  });
}

std::unique_ptr<Kernel> make_quantize(std::int64_t count, const Quant8& to, Rounding rounding) {
  return std::make_unique<QuantizeKernel>(count, to, rounding);
}

std::unique_ptr<Kernel> make_dequantize(std::int64_t count, const Quant8& from) {
  return std::make_unique<DequantizeKernel>(count, from);
}

std::unique_ptr<Kernel> make_fake_quantize(const Shape& shape, const Quantization& to,
                                           Rounding rounding) {
  return std::make_unique<FakeQuantizeKernel>(shape, to, rounding);
}

}  // namespace adze::exec
