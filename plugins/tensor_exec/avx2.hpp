// The kernels of this project for CPUs whose widest vectors are AVX2: where oneDNN has wider ones,
// its kernels are used. Sums are computed in tiles of 6 pixels by 16 output channels, which fill
// the 16 vector registers. Integers are multiplied as 16-bit numbers (zero points taken off), whose
// pairs of products are added in 32 bits: exact for all data, unlike the 8-bit dot product of AVX2.
#pragma once

#include <memory>

#include "plugins/tensor_exec/convolution.hpp"
#include "plugins/tensor_exec/integer_convolution.hpp"

#if defined(__x86_64__)
#define ADZE_AVX2 __attribute__((target("avx2,fma")))
#define ADZE_AVX2_INLINE __attribute__((target("avx2,fma"), always_inline)) inline
#define ADZE_AVX2_LAMBDA __attribute__((target("avx2,fma"), always_inline))
#endif

namespace adze::exec {

/// Convolution of floats; weights as for DnnlConvolution.
struct FloatConvolution {
  Geometry geometry;
  std::vector<float> weights;
  std::vector<float> bias;  ///< one an output channel
  Clamp clamp;
  bool with_addend = false;  ///< input 1, laid out as the result, is added before the clamp
  std::shared_ptr<const Chain> chain = nullptr;  ///< on the result, after the clamp; or none
};

/// nullptr: the CPU or the layer is better served by another implementation.
std::unique_ptr<Kernel> make_avx2_convolution(const FloatConvolution& convolution);
std::unique_ptr<Kernel> make_avx2_convolution(const IntegerConvolution& convolution);

/// What make_avx2_convolution() chooses from, nullptr where the layer is not of this kind.
template <class Convolution>
std::unique_ptr<Kernel> make_avx2_direct(const Convolution& convolution);
template <class Convolution>
std::unique_ptr<Kernel> make_avx2_winograd(const Convolution& convolution);
template <class Convolution>
std::unique_ptr<Kernel> make_avx2_depthwise(const Convolution& convolution);

}  // namespace adze::exec
