#include "host/base/tensor.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <mutex>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

constexpr std::array<DTypeInfo, 14> kInfos = {{{"float32", ADZE_FLOAT, 32},
                                               {"float64", ADZE_FLOAT, 64},
                                               {"float16", ADZE_FLOAT, 16},
                                               {"bfloat16", ADZE_BFLOAT, 16},
                                               {"int8", ADZE_INT, 8},
                                               {"int16", ADZE_INT, 16},
                                               {"int32", ADZE_INT, 32},
                                               {"int64", ADZE_INT, 64},
                                               {"uint8", ADZE_UINT, 8},
                                               {"uint16", ADZE_UINT, 16},
                                               {"uint32", ADZE_UINT, 32},
                                               {"uint64", ADZE_UINT, 64},
                                               {"bool", ADZE_BOOL, 8},
                                               {"string", ADZE_OPAQUE, 8}}};

[[noreturn]] void refuse(const char* why) {
  throw Error(ADZE_INVALID_ARGUMENT, std::string("bad tensor: ") + why);
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16, exponent = (half >> 10) & 31u;
  std::uint32_t mantissa = half & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

std::uint16_t float_to_half(float value) {  // round half to even
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude >= 0x47800000u)
    return static_cast<std::uint16_t>(sign | (magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u));
  if (magnitude < 0x38800000u) {  // subnormal half: scaled so that the float unit rounds for us
    const float scaled = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(scaled) - 0x3f000000u));
  }
  const std::uint32_t rounded = magnitude + 0xc8000fffu + ((magnitude >> 13) & 1u);
  return static_cast<std::uint16_t>(sign | (rounded >> 13));
}

std::uint16_t float_to_bfloat(float value) {  // round half to even
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

template <class T>
void fill(std::byte* to, std::size_t bytes, T value) {
  for (std::size_t at = 0; at + sizeof value <= bytes; at += sizeof value)
    std::memcpy(to + at, &value, sizeof value);
}

void fill(DType dtype, std::byte* to, std::size_t bytes, double value) {
  switch (dtype) {
    case DType::f32:
      return fill(to, bytes, static_cast<float>(value));
    case DType::f64:
      return fill(to, bytes, value);
    case DType::f16:
      return fill(to, bytes, float_to_half(static_cast<float>(value)));
    case DType::bf16:
      return fill(to, bytes, float_to_bfloat(static_cast<float>(value)));
    case DType::i8:
      return fill(to, bytes, static_cast<std::int8_t>(value));
    case DType::i16:
      return fill(to, bytes, static_cast<std::int16_t>(value));
    case DType::i32:
      return fill(to, bytes, static_cast<std::int32_t>(value));
    case DType::i64:
      return fill(to, bytes, static_cast<std::int64_t>(value));
    case DType::u8:
      return fill(to, bytes, static_cast<std::uint8_t>(value));
    case DType::u16:
      return fill(to, bytes, static_cast<std::uint16_t>(value));
    case DType::u32:
      return fill(to, bytes, static_cast<std::uint32_t>(value));
    case DType::u64:
      return fill(to, bytes, static_cast<std::uint64_t>(value));
    case DType::boolean:
      return fill(to, bytes, static_cast<std::uint8_t>(value != 0));
    case DType::string:
      break;
  }
  throw Error(ADZE_INTERNAL, "a tensor of strings cannot be uniform");
}

/// Frees the elements of a tensor, together with what was attached to them.
struct Release {
  std::size_t mapped_bytes = 0;  ///< 0: from the heap
  std::shared_ptr<const void> attached = nullptr;
  void operator()(const std::byte* elements) const {
    if (mapped_bytes)
      munmap(const_cast<std::byte*>(elements), mapped_bytes);
    else
      delete[] elements;
  }
};

// One block of the value in a memfd, mapped again and again over one address range.
std::shared_ptr<const std::byte> map_uniform(DType dtype, std::size_t bytes, double value) {
  // Writing a block costs time, each mapping of it counts against the process's limit of 65530.
  constexpr std::size_t kSmallest = std::size_t{1} << 16, kLargest = std::size_t{1} << 21;
  const std::size_t block_bytes =
      std::clamp(bytes / 16 / kSmallest * kSmallest, kSmallest, kLargest);
  const std::size_t reserved = (bytes + block_bytes - 1) / block_bytes * block_bytes;
  const auto fail = [](const char* call) -> void {
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                std::string("cannot map a uniform tensor: ") + call + ": " + std::strerror(errno));
  };
  const int fd = memfd_create("adze-uniform", MFD_CLOEXEC);
  if (fd < 0) fail("memfd_create");
  std::vector<std::byte> block(block_bytes);
  fill(dtype, block.data(), block.size(), value);
  const bool written = write(fd, block.data(), block.size()) == static_cast<ssize_t>(block_bytes);
  void* base = written ? mmap(nullptr, reserved, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                       : MAP_FAILED;
  bool mapped = base != MAP_FAILED;
  for (std::size_t at = 0; mapped && at < reserved; at += block_bytes)
    mapped = mmap(static_cast<std::byte*>(base) + at, block_bytes, PROT_READ,
                  MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED;
  const int error = errno;
  close(fd);
  if (!mapped) {
    if (base != MAP_FAILED) munmap(base, reserved);
    errno = error;
    fail("mmap");
  }
  return {static_cast<const std::byte*>(base), Release{.mapped_bytes = reserved}};
}

std::shared_ptr<std::byte> allocate(std::size_t bytes) {
  return {new std::byte[bytes](), Release{}};
}

}  // namespace

const DTypeInfo& info(DType dtype) { return kInfos[static_cast<std::size_t>(dtype)]; }

DType dtype_of(std::uint8_t code, std::uint8_t bits) {
  for (std::size_t i = 0; i < kInfos.size(); ++i)
    if (kInfos[i].code == code && kInfos[i].bits == bits) return static_cast<DType>(i);
  throw Error(ADZE_INVALID_ARGUMENT, "no element type has code " + std::to_string(code) + " and " +
                                         std::to_string(bits) + " bits");
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(count, size, &count) ||
        count > std::numeric_limits<std::int64_t>::max() / 8)
      throw Error(ADZE_OUT_OF_RANGE, "no tensor can have the shape " + to_string(shape));
  }
  return count;
}

std::string to_string(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (const std::int64_t size : shape)
    text += (text.empty() ? "" : "x") + (size < 0 ? std::string("?") : std::to_string(size));
  return text;
}

Tensor::Tensor(DType dtype, Shape shape)
    : dtype_(dtype),
      shape_(std::move(shape)),
      count_(element_count(shape_)),
      size_bytes_(static_cast<std::size_t>(count_) * info(dtype).bits / 8) {
  data_ = allocate(size_bytes_);
}

Tensor Tensor::uniform(DType dtype, Shape shape, double value) {
  constexpr std::size_t kWorthMapping = std::size_t{1} << 16;
  Tensor made;
  made.dtype_ = dtype;
  made.shape_ = std::move(shape);
  made.count_ = element_count(made.shape_);
  made.size_bytes_ = static_cast<std::size_t>(made.count_) * info(dtype).bits / 8;
  made.uniform_ = true;
  if (made.size_bytes_ >= kWorthMapping) {
    made.data_ = map_uniform(dtype, made.size_bytes_, value);
  } else {
    const auto owned = allocate(made.size_bytes_);
    fill(dtype, owned.get(), made.size_bytes_, value);
    made.data_ = owned;
  }
  return made;
}

struct Tensor::Deferred {
  Integers from;
  std::once_flag once;
  std::shared_ptr<const std::byte> elements;
};

Tensor Tensor::dequantized(Integers integers) {
  Tensor made;
  made.shape_ = integers.stored.shape_;
  made.count_ = integers.stored.count_;
  made.size_bytes_ = static_cast<std::size_t>(made.count_) * sizeof(float);
  made.deferred_ = std::make_shared<Deferred>();
  made.deferred_->from = std::move(integers);
  return made;
}

const Integers* Tensor::integers() const { return deferred_ ? &deferred_->from : nullptr; }

const std::shared_ptr<const std::byte>& Tensor::computed() const {
  std::call_once(deferred_->once, [&] {
    const Integers& from = deferred_->from;
    const auto made = allocate(size_bytes_);
    auto* floats = reinterpret_cast<float*>(made.get());
    std::size_t inner = 1;
    for (std::size_t axis = from.stored.shape_.size();
         from.axis >= 0 && axis-- > static_cast<std::size_t>(from.axis) + 1;)
      inner *= static_cast<std::size_t>(from.stored.shape_[axis]);
    const auto widen = [&](auto elements) {
      for (std::size_t i = 0; i < elements.size(); ++i) {
        const std::size_t at = from.axis < 0 ? 0 : i / inner % from.scale.size();
        const double zero_point = from.zero_point.empty() ? 0 : from.zero_point[at];
        floats[i] = static_cast<float>((static_cast<double>(elements[i]) - zero_point) *
                                       static_cast<double>(from.scale[at]));
      }
    };
    if (from.stored.dtype() == DType::i8)
      widen(from.stored.as<std::int8_t>());
    else
      widen(from.stored.as<std::uint8_t>());
    deferred_->elements = made;
  });
  return deferred_->elements;
}

Tensor Tensor::reshaped(Shape shape) const {
  if (element_count(shape) != count_)
    throw Error(ADZE_INVALID_ARGUMENT,
                "cannot show " + to_string(shape_) + " as " + to_string(shape));
  Tensor shown = *this;
  shown.shape_ = std::move(shape);
  return shown;
}

std::shared_ptr<const void> Tensor::attachment() const {
  const Release* release = std::get_deleter<Release>(data());
  return release ? release->attached : nullptr;
}

void Tensor::attach(std::shared_ptr<const void> made) const {
  if (Release* release = std::get_deleter<Release>(data())) release->attached = std::move(made);
}

void Tensor::copy_in(std::span<const std::byte> bytes) {
  if (bytes.size() != size_bytes_)
    throw Error(ADZE_INVALID_ARGUMENT,
                "a tensor " + to_string(shape_) + " of " + info(dtype_).name + " has " +
                    std::to_string(size_bytes_) + " bytes, not " + std::to_string(bytes.size()));
  if (!bytes.empty()) std::memcpy(const_cast<std::byte*>(data_.get()), bytes.data(), bytes.size());
}

void Tensor::check_element_size(std::size_t size) const {
  if (size * 8 != info(dtype_).bits)
    throw Error(ADZE_INTERNAL, std::string("a tensor of ") + info(dtype_).name +
                                   " was read as elements of " + std::to_string(size) + " bytes");
}

void Tensor::make_unique() {
  if (deferred_) {
    data_ = computed();
    deferred_.reset();
  }
  if (data_.use_count() == 1 && !uniform_) {
    attach(nullptr);
    return;
  }
  const auto copy = allocate(size_bytes_);
  if (size_bytes_) std::memcpy(copy.get(), data_.get(), size_bytes_);
  data_ = copy;
  uniform_ = false;
}

std::vector<float> to_f32(const Tensor& tensor) {
  std::vector<float> out;
  out.reserve(static_cast<std::size_t>(tensor.count()));
  const auto widen = [&]<class T>(std::span<const T> in) {
    for (const T v : in) out.push_back(static_cast<float>(v));
  };
  switch (tensor.dtype()) {
    case DType::f32:
      widen(tensor.as<float>());
      break;
    case DType::f64:
      widen(tensor.as<double>());
      break;
    case DType::f16:
      for (const std::uint16_t v : tensor.as<std::uint16_t>()) out.push_back(half_to_float(v));
      break;
    case DType::bf16:
      for (const std::uint16_t v : tensor.as<std::uint16_t>())
        out.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(v) << 16));
      break;
    case DType::i8:
      widen(tensor.as<std::int8_t>());
      break;
    case DType::i16:
      widen(tensor.as<std::int16_t>());
      break;
    case DType::i32:
      widen(tensor.as<std::int32_t>());
      break;
    case DType::i64:
      widen(tensor.as<std::int64_t>());
      break;
    case DType::u8:
    case DType::boolean:
      widen(tensor.as<std::uint8_t>());
      break;
    case DType::u16:
      widen(tensor.as<std::uint16_t>());
      break;
    case DType::u32:
      widen(tensor.as<std::uint32_t>());
      break;
    case DType::u64:
      widen(tensor.as<std::uint64_t>());
      break;
    case DType::string:
      throw Error(ADZE_INVALID_ARGUMENT, "strings are no numbers");
  }
  return out;
}

Tensor from_f32(DType dtype, Shape shape, std::span<const float> elements) {
  Tensor made(dtype, std::move(shape));
  if (static_cast<std::size_t>(made.count()) != elements.size())
    throw Error(ADZE_INVALID_ARGUMENT, "a tensor " + to_string(made.shape()) + " does not have " +
                                           std::to_string(elements.size()) + " elements");
  switch (dtype) {
    case DType::f32:
      std::ranges::copy(elements, made.mutate<float>().begin());
      return made;
    case DType::f64:
      std::ranges::copy(elements, made.mutate<double>().begin());
      return made;
    case DType::f16:
      std::ranges::transform(elements, made.mutate<std::uint16_t>().begin(), float_to_half);
      return made;
    case DType::bf16:
      std::ranges::transform(elements, made.mutate<std::uint16_t>().begin(), float_to_bfloat);
      return made;
    default:
      throw Error(ADZE_INVALID_ARGUMENT,
                  std::string("float elements cannot be stored as ") + info(dtype).name);
  }
}

adze_tensor view_of(const Tensor& tensor, Shape& strides) {
  strides.resize(tensor.shape().size());
  std::int64_t stride = 1;
  for (std::size_t axis = strides.size(); axis-- > 0; stride *= tensor.shape()[axis])
    strides[axis] = stride;
  const DTypeInfo& type = info(tensor.dtype());
  return {.data = tensor.dtype() == DType::string ? nullptr : tensor.bytes().data(),
          .device_type = 1,
          .device_id = 0,
          .ndim = static_cast<std::int32_t>(tensor.shape().size()),
          .code = type.code,
          .bits = type.bits,
          .lanes = 1,
          .shape = tensor.shape().data(),
          .strides = strides.data(),
          .byte_offset = 0};
}

Shape shape_of(const adze_tensor& tensor) {
  if (tensor.ndim < 0 || tensor.ndim > 32) refuse("ndim out of range");
  if (tensor.ndim > 0 && !tensor.shape) refuse("no shape");
  return {tensor.shape, tensor.shape + tensor.ndim};
}

Tensor copy_of(const adze_tensor& tensor) {
  if (tensor.device_type != 1 || tensor.lanes != 1)
    refuse("not in CPU memory, or lanes other than 1");
  const Shape shape = shape_of(tensor);
  const std::int64_t count = element_count(shape);
  if (tensor.strides && count > 0) {
    std::int64_t stride = 1;
    for (std::size_t axis = shape.size(); axis-- > 0; stride *= shape[axis])
      if (shape[axis] > 1 && tensor.strides[axis] != stride) refuse("strides are not row-major");
  }
  if (count > 0 && !tensor.data) refuse("no data");
  const DType dtype = dtype_of(tensor.code, tensor.bits);
  const auto* data = static_cast<const std::byte*>(tensor.data) + tensor.byte_offset;
  return {dtype, shape,
          std::span<const std::byte>(data, static_cast<std::size_t>(count) * tensor.bits / 8)};
}

std::optional<std::size_t> axis_of(std::int64_t axis, std::size_t rank) {
  if (axis < 0) axis += static_cast<std::int64_t>(rank);
  if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) return std::nullopt;
  return static_cast<std::size_t>(axis);
}

}  // namespace adze::host
