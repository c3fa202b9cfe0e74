#include "host/onnx/tensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

using onnx::TensorProto;

struct External {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
};

std::uint64_t parse_number(const std::string& text, const std::string& what) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("{}: '{}' is no offset or length of external data", what, text));
  return number;
}

External external_of(const TensorProto& proto, const std::string& what) {
  External external;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") external.location = entry.value();
    if (entry.key() == "offset") external.offset = parse_number(entry.value(), what);
    if (entry.key() == "length") external.length = parse_number(entry.value(), what);
  }
  return external;
}

std::string read_external(const TensorProto& proto, std::size_t bytes,
                          const std::filesystem::path& folder, const std::string& what) {
  const External external = external_of(proto, what);
  const std::filesystem::path relative(external.location);
  if (folder.empty())
    throw Error(ADZE_INVALID_ARGUMENT, what +
                                           " has its data in another file, and this model came "
                                           "without a folder to look in");
  std::error_code error;
  const auto root = std::filesystem::canonical(folder, error);
  const auto path = error ? folder : std::filesystem::weakly_canonical(root / relative, error);
  const auto below = path.lexically_relative(root);
  if (external.location.empty() || relative.is_absolute() || error || below.empty() ||
      *below.begin() == ".." || *below.begin() == ".")
    throw Error(ADZE_PERMISSION_DENIED,
                fmt::format("{} has its data in '{}', which is not below the model's folder; put "
                            "the data beside the model",
                            what, external.location));
  const auto size = std::filesystem::file_size(path, error);
  if (error || !std::filesystem::is_regular_file(path))
    throw Error(ADZE_NOT_FOUND,
                fmt::format("{} has its data in '{}', which cannot be read: {}", what,
                            path.string(), error ? error.message() : "not a regular file"));
  if (external.length && *external.length != bytes)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("{} needs {} bytes, but says that its external data have {}", what,
                            bytes, *external.length));
  if (external.offset > size || bytes > size - external.offset)
    throw Error(ADZE_OUT_OF_RANGE,
                fmt::format("{} claims {} bytes at offset {} of '{}', which has {}", what, bytes,
                            external.offset, external.location, size));
  std::string data(bytes, '\0');
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(external.offset));
  if (!file.read(data.data(), static_cast<std::streamsize>(bytes)))
    throw Error(ADZE_DATA_LOSS, fmt::format("cannot read {} from '{}'", what, path.string()));
  return data;
}

template <class T, class Field>
Tensor from_field(DType dtype, const Shape& shape, const Field& field, const std::string& what) {
  if (field.size() != element_count(shape))
    throw Error(static_cast<std::uint64_t>(element_count(shape)) > kMaxModelBytes
                    ? ADZE_OUT_OF_RANGE
                    : ADZE_INVALID_ARGUMENT,
                fmt::format("{} has the shape {} and thus {} elements, but holds {}", what,
                            to_string(shape), element_count(shape), field.size()));
  Tensor tensor(dtype, shape);
  std::transform(field.begin(), field.end(), tensor.mutate<T>().begin(),
                 [](auto element) { return static_cast<T>(element); });
  return tensor;
}

Tensor from_fields(const TensorProto& proto, DType dtype, const Shape& shape,
                   const std::string& what) {
  switch (dtype) {
    case DType::f32:
      return from_field<float>(dtype, shape, proto.float_data(), what);
    case DType::f64:
      return from_field<double>(dtype, shape, proto.double_data(), what);
    case DType::i64:
      return from_field<std::int64_t>(dtype, shape, proto.int64_data(), what);
    case DType::u64:
      return from_field<std::uint64_t>(dtype, shape, proto.uint64_data(), what);
    case DType::u32:
      return from_field<std::uint32_t>(dtype, shape, proto.uint64_data(), what);
    case DType::i32:
      return from_field<std::int32_t>(dtype, shape, proto.int32_data(), what);
    case DType::i16:
      return from_field<std::int16_t>(dtype, shape, proto.int32_data(), what);
    case DType::i8:
      return from_field<std::int8_t>(dtype, shape, proto.int32_data(), what);
    case DType::u16:
    case DType::f16:
    case DType::bf16:
      return from_field<std::uint16_t>(dtype, shape, proto.int32_data(), what);
    case DType::u8:
    case DType::boolean:
      return from_field<std::uint8_t>(dtype, shape, proto.int32_data(), what);
    case DType::string:
      break;
  }
  throw Error(ADZE_INTERNAL, "tensor of strings");
}

constexpr std::pair<std::int32_t, DType> kTypes[] = {
    {TensorProto::FLOAT, DType::f32},    {TensorProto::DOUBLE, DType::f64},
    {TensorProto::FLOAT16, DType::f16},  {TensorProto::BFLOAT16, DType::bf16},
    {TensorProto::INT8, DType::i8},      {TensorProto::INT16, DType::i16},
    {TensorProto::INT32, DType::i32},    {TensorProto::INT64, DType::i64},
    {TensorProto::UINT8, DType::u8},     {TensorProto::UINT16, DType::u16},
    {TensorProto::UINT32, DType::u32},   {TensorProto::UINT64, DType::u64},
    {TensorProto::BOOL, DType::boolean}, {TensorProto::STRING, DType::string}};

}  // namespace

std::optional<DType> dtype_from_onnx(std::int32_t data_type) {
  for (const auto& [onnx_type, dtype] : kTypes)
    if (onnx_type == data_type) return dtype;
  return std::nullopt;
}

std::int32_t dtype_to_onnx(DType dtype) {
  for (const auto& [onnx_type, known] : kTypes)
    if (known == dtype) return onnx_type;
  throw Error(ADZE_INTERNAL, "element type without ONNX type");
}

std::string type_name(std::int32_t data_type) {
  const auto dtype = dtype_from_onnx(data_type);
  return dtype ? info(*dtype).name : fmt::format("type {}", data_type);
}

Tensor tensor_from_proto(const TensorProto& proto, const std::filesystem::path& external_data_dir,
                         const std::string& what) {
  const auto dtype = dtype_from_onnx(proto.data_type());
  if (proto.data_type() == TensorProto::UNDEFINED)
    throw Error(ADZE_INVALID_ARGUMENT, what + " does not say its element type");
  if (!dtype || *dtype == DType::string)
    throw Error(ADZE_UNIMPLEMENTED, fmt::format("{} has elements of {}, which are not supported",
                                                what, type_name(proto.data_type())));
  if (proto.has_segment()) throw Error(ADZE_UNIMPLEMENTED, what + " is only a segment of a tensor");
  const Shape shape(proto.dims().begin(), proto.dims().end());
  constexpr std::size_t kMaxAxes = 32;
  if (shape.size() > kMaxAxes)
    throw Error(ADZE_INVALID_ARGUMENT, fmt::format("{} has {} axes", what, shape.size()));
  std::uint64_t bytes = info(*dtype).bits / 8u;
  try {
    bytes *= static_cast<std::uint64_t>(element_count(shape));
  } catch (const Error& error) {
    throw Error(error.code, what + ": " + error.what());
  }
  if (proto.data_location() == TensorProto::EXTERNAL) {
    if (bytes > kMaxModelBytes)
      throw Error(ADZE_OUT_OF_RANGE,
                  fmt::format("{} claims {} bytes; the limit is 2 GiB", what, bytes));
    const std::string data = read_external(proto, bytes, external_data_dir, what);
    return {*dtype, shape, std::span<const char>(data)};
  }
  if (!proto.has_raw_data()) return from_fields(proto, *dtype, shape, what);
  if (proto.raw_data().size() != bytes)
    throw Error(
        bytes > kMaxModelBytes ? ADZE_OUT_OF_RANGE : ADZE_INVALID_ARGUMENT,
        fmt::format("{} has the shape {} of {} and thus claims {} bytes, but the file "
                    "holds {}",
                    what, to_string(shape), info(*dtype).name, bytes, proto.raw_data().size()));
  return {*dtype, shape, std::span<const char>(proto.raw_data())};
}

void tensor_to_proto(const Tensor& tensor, const std::string& name, TensorProto& proto) {
  proto.set_name(name);
  proto.set_data_type(dtype_to_onnx(tensor.dtype()));
  for (const std::int64_t size : tensor.shape()) proto.add_dims(size);
  proto.set_raw_data(tensor.bytes().data(), tensor.size_bytes());
}

}  // namespace adze::host
