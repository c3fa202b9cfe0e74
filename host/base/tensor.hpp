// A dense row-major tensor that owns its bytes, and its element types.
#pragma once

#include <adze/abi.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace adze::host {

enum class DType : std::uint8_t {
  f32,
  f64,
  f16,
  bf16,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64,
  boolean,
  string
};

/// DLPack's type code (ADZE_FLOAT, ...) and bits of one element.
struct DTypeInfo {
  const char* name;  ///< "float32", "uint8", ...
  std::uint8_t code, bits;
};
const DTypeInfo& info(DType dtype);
/// Errors: INVALID_ARGUMENT for a pair that no DType has.
DType dtype_of(std::uint8_t code, std::uint8_t bits);

using Shape = std::vector<std::int64_t>;
/// Product of the sizes; 1 for a scalar. Errors: OUT_OF_RANGE for a negative size or when the
/// product times 8 overflows 63 bits.
std::int64_t element_count(const Shape& shape);
/// "1x3x224x224"; "scalar" for no axis.
std::string to_string(const Shape& shape);

struct Integers;

/// Contents are immutable once made and shared between copies: graphs are copied to try edits and
/// to commit them all or nothing, and copies must not double the weights. Use `make` and fill
/// before sharing.
class Tensor {
 public:
  Tensor() = default;
  /// Zero-filled.
  Tensor(DType dtype, Shape shape);
  template <class T>
  Tensor(DType dtype, Shape shape, std::span<const T> elements) : Tensor(dtype, std::move(shape)) {
    copy_in(std::as_bytes(elements));
  }
  /// Every element is `value`, in memory that does not grow with the size (topologies without
  /// weights would be gigabytes otherwise). Types: all but string.
  static Tensor uniform(DType dtype, Shape shape, double value);
  /// The floats that `integers` stand for. They are computed when somebody asks for elements: a
  /// quantized model that is only run never holds its weights four times as large.
  static Tensor dequantized(Integers integers);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::int64_t count() const { return count_; }
  std::size_t size_bytes() const { return size_bytes_; }
  bool is_uniform() const { return uniform_; }
  /// What dequantized() was given, as long as the contents are those; nullptr: none.
  const Integers* integers() const;
  std::span<const std::byte> bytes() const { return {data().get(), size_bytes_}; }

  /// Elements as T, which must have the element's size. Errors: INTERNAL otherwise.
  template <class T>
  std::span<const T> as() const {
    check_element_size(sizeof(T));
    return {reinterpret_cast<const T*>(data().get()), static_cast<std::size_t>(count_)};
  }
  /// Writable elements. Copies first when the contents are shared or uniform.
  template <class T>
  std::span<T> mutate() {
    check_element_size(sizeof(T));
    make_unique();
    return {reinterpret_cast<T*>(const_cast<std::byte*>(data_.get())),
            static_cast<std::size_t>(count_)};
  }
  /// The same as bytes, whatever the type.
  std::span<std::byte> mutate_bytes() {
    make_unique();
    return {const_cast<std::byte*>(data_.get()), size_bytes_};
  }
  /// Something made of these contents that lives as long as they do, such as a copy that another
  /// process can map. Copies that share the contents share it; changed contents have none. NULL:
  /// nothing is attached. Callers on several threads need a lock of their own.
  std::shared_ptr<const void> attachment() const;
  void attach(std::shared_ptr<const void> made) const;
  /// The same elements under another shape of the same count.
  Tensor reshaped(Shape shape) const;

 private:
  struct Deferred;
  const std::shared_ptr<const std::byte>& data() const { return deferred_ ? computed() : data_; }
  const std::shared_ptr<const std::byte>& computed() const;
  void copy_in(std::span<const std::byte> bytes);
  void check_element_size(std::size_t size) const;
  void make_unique();

  DType dtype_ = DType::f32;
  bool uniform_ = false;
  Shape shape_;
  std::int64_t count_ = 0;
  std::size_t size_bytes_ = 0;
  std::shared_ptr<const std::byte> data_;
  std::shared_ptr<Deferred> deferred_;  ///< then `data_` is not set; shared between copies
};

/// Elements that stand for (q - zero_point) * scale, computed in double and rounded once.
struct Integers {
  Tensor stored;           ///< int8 or uint8
  std::int32_t axis = -1;  ///< -1: one scale for the tensor; else one per index along this axis
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;  ///< as long as scale; empty: all 0
};

/// The elements as float, whatever the numeric type (f16 and bf16 widened, integers rounded to
/// nearest).
std::vector<float> to_f32(const Tensor& tensor);
/// The other way: `elements` stored as `dtype`, rounded half to even. Types: f32, f64, f16, bf16.
Tensor from_f32(DType dtype, Shape shape, std::span<const float> elements);
/// A tensor struct over `tensor`, which must outlive it; `strides` receives what it points to.
adze_tensor view_of(const Tensor& tensor, Shape& strides);
/// An axis as ONNX counts it, from the end when negative; nullopt when there is no such axis.
std::optional<std::size_t> axis_of(std::int64_t axis, std::size_t rank);
/// The shape of what a plugin handed over. Errors: INVALID_ARGUMENT (rank out of range, no shape).
Shape shape_of(const adze_tensor& tensor);
/// A copy of what a plugin handed over, as large as its own shape says: check that first where it
/// is known. Errors: INVALID_ARGUMENT (device, lanes, strides that are
/// not row-major, unknown type, negative size, NULL data).
Tensor copy_of(const adze_tensor& tensor);

}  // namespace adze::host
