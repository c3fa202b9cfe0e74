// Which of the AVX2 kernels computes a layer.
#include "plugins/tensor_exec/avx2.hpp"

namespace adze::exec {
namespace {

/// With fewer, transforming takes longer than the products that it saves.
constexpr std::int64_t kFewestWinogradChannels = 32;

template <class Convolution>
std::unique_ptr<Kernel> first_that_fits(const Convolution& convolution) {
  if (convolution.geometry.in_channels >= kFewestWinogradChannels)
    if (auto kernel = make_avx2_winograd(convolution)) return kernel;
  if (auto kernel = make_avx2_depthwise(convolution)) return kernel;
  return make_avx2_direct(convolution);
}

}  // namespace

std::unique_ptr<Kernel> make_avx2_convolution(const FloatConvolution& convolution) {
  return widest_vectors() == Vectors::avx2 ? first_that_fits(convolution) : nullptr;
}

std::unique_ptr<Kernel> make_avx2_convolution(const IntegerConvolution& convolution) {
  return widest_vectors() != Vectors::narrower && !integer_dot_product_is_exact()
             ? first_that_fits(convolution)
             : nullptr;
}

}  // namespace adze::exec
