// Convolutions over channels-last data: the geometry, and the primitives of oneDNN. A fully
// connected layer is a convolution of one pixel.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

/// Two spatial axes; one-dimensional convolutions have a height of 1.
struct Geometry {
  std::int64_t batch = 1, groups = 1;
  std::int64_t in_channels = 1, in_height = 1, in_width = 1;
  std::int64_t out_channels = 1, out_height = 1, out_width = 1;
  std::int64_t kernel_height = 1, kernel_width = 1;
  std::int64_t stride_height = 1, stride_width = 1;
  std::int64_t dilation_height = 1, dilation_width = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;

  std::int64_t group_inputs() const { return in_channels / groups; }
  std::int64_t group_outputs() const { return out_channels / groups; }
  /// Products per element of the result.
  std::int64_t depth() const { return group_inputs() * kernel_height * kernel_width; }
  std::int64_t in_pixels() const { return in_height * in_width; }
  std::int64_t out_pixels() const { return out_height * out_width; }
  bool has_padding() const { return pad_top || pad_left || pad_bottom || pad_right; }
};

/// A convolution of oneDNN with its weights packed.
class DnnlConvolution {
 public:
  enum class Type : std::uint8_t {
    floats,    ///< float source and result, optional bias and limits
    integers,  ///< u8 source, s8 weights, s32 result; exact only where the CPU has VNNI or AMX
  };
  /// `weights`: output channel, input channel of the group, row, column. Float or int8 by type.
  /// `with_addend`: run() adds another tensor before the clamp (floats only).
  DnnlConvolution(const Geometry& geometry, Type type, std::span<const std::byte> weights,
                  std::span<const float> bias, const Clamp& clamp, bool with_addend = false);
  ~DnnlConvolution();
  DnnlConvolution(const DnnlConvolution&) = delete;
  DnnlConvolution& operator=(const DnnlConvolution&) = delete;
  std::size_t scratch_bytes() const;
  /// `addend`: laid out as the result.
  void run(const std::byte* src, std::byte* dst, std::byte* scratch,
           const std::byte* addend = nullptr) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The CPU's int8 dot product keeps 32 bits, so that DnnlConvolution::Type::integers is exact.
/// Honours ONEDNN_MAX_CPU_ISA.
bool integer_dot_product_is_exact();

/// What the CPU has, and ONEDNN_MAX_CPU_ISA allows. avx2: with fused multiply-add.
enum class Vectors : std::uint8_t { narrower, avx2, wider };
Vectors widest_vectors();

}  // namespace adze::exec
