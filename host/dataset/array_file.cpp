#include "host/dataset/array_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::host {
namespace {

template <class T>
void widen(const Tensor& array, std::vector<std::int64_t>& to) {
  for (const T label : array.as<T>()) to.push_back(static_cast<std::int64_t>(label));
}

std::vector<std::int64_t> parse_text_labels(const std::string& text, const std::string& what) {
  std::vector<std::int64_t> labels;
  std::size_t line = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view word(text.data() + at, end - at);
    at = end + 1;
    ++line;
    while (!word.empty() && (word.back() == '\r' || word.back() == ' ')) word.remove_suffix(1);
    if (word.empty()) continue;
    std::int64_t label = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), label);
    if (error != std::errc() || stop != word.data() + word.size())
      throw Error(ADZE_DATA_LOSS,
                  fmt::format("cannot read labels from '{}': line {} is not a whole number; labels "
                              "come as IDX, npy, npz, or text with one number a line",
                              what, line));
    labels.push_back(label);
  }
  return labels;
}

}  // namespace

std::uint64_t size_of_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    throw Error(ADZE_NOT_FOUND,
                fmt::format("cannot read '{}': {}; give the path of a data file", path.string(),
                            std::filesystem::exists(path, error) ? "it is not a file"
                                                                 : "there is no such file"));
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error)
    throw Error(ADZE_NOT_FOUND,
                fmt::format("cannot read '{}': {}", path.string(), error.message()));
  return size;
}

std::optional<DType> dtype_named(std::string_view name) {
  for (int i = 0; i < static_cast<int>(DType::string); ++i)
    if (info(static_cast<DType>(i)).name == name) return static_cast<DType>(i);
  return std::nullopt;
}

void swap_bytes(std::span<std::byte> bytes, std::size_t element_size) {
  if (element_size < 2) return;
  for (std::size_t at = 0; at + element_size <= bytes.size(); at += element_size)
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                 bytes.begin() + static_cast<std::ptrdiff_t>(at + element_size));
}

Tensor read_raw(const std::filesystem::path& path, const Shape& sample, const std::string& dtype) {
  const std::optional<DType> type = dtype_named(dtype);
  if (!type)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("cannot read '{}': no element type is called '{}'; use float32, uint8, "
                            "int8, int16, int32, int64, ...",
                            path.string(), dtype));
  if (sample.empty())
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("cannot read '{}': raw data needs the shape of one sample, such as "
                            "shape = [3, 224, 224]",
                            path.string()));
  const auto sample_bytes =
      static_cast<std::uint64_t>(element_count(sample)) * (info(*type).bits / 8u);
  const std::uint64_t size = size_of_file(path);
  if (sample_bytes == 0 || size == 0 || size % sample_bytes != 0)
    throw Error(
        ADZE_DATA_LOSS,
        fmt::format("cannot read '{}': {} bytes are no whole number of samples {} of {} ({} "
                    "bytes each); check shape and dtype",
                    path.string(), size, to_string(sample), dtype, sample_bytes));
  const std::vector<std::byte> bytes = read_file(path);
  Shape shape{static_cast<std::int64_t>(bytes.size() / sample_bytes)};
  shape.insert(shape.end(), sample.begin(), sample.end());
  return {*type, std::move(shape), std::span<const std::byte>(bytes)};
}

std::vector<std::int64_t> labels_of(const Tensor& array, const std::string& what) {
  const Shape& shape = array.shape();
  if (shape.empty() || array.count() != shape[0])
    throw Error(ADZE_DATA_LOSS,
                fmt::format("cannot read labels from '{}': its array is {}, not one "
                            "number a sample",
                            what, to_string(shape)));
  std::vector<std::int64_t> labels;
  labels.reserve(static_cast<std::size_t>(array.count()));
  switch (array.dtype()) {
    case DType::u8:
      widen<std::uint8_t>(array, labels);
      break;
    case DType::i8:
      widen<std::int8_t>(array, labels);
      break;
    case DType::u16:
      widen<std::uint16_t>(array, labels);
      break;
    case DType::i16:
      widen<std::int16_t>(array, labels);
      break;
    case DType::u32:
      widen<std::uint32_t>(array, labels);
      break;
    case DType::i32:
      widen<std::int32_t>(array, labels);
      break;
    case DType::i64:
      widen<std::int64_t>(array, labels);
      break;
    case DType::u64:
      widen<std::uint64_t>(array, labels);
      break;
    default:
      throw Error(ADZE_DATA_LOSS,
                  fmt::format("cannot read labels from '{}': they are {}, not whole numbers", what,
                              info(array.dtype()).name));
  }
  return labels;
}

std::vector<std::int64_t> read_labels(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  if (extension == ".npy") return labels_of(read_npy(path), path.string());
  if (extension == ".npz") {
    const std::vector<std::string> names = npz_names(path);
    const bool named = std::ranges::find(names, "labels") != names.end();
    if (!named && names.size() != 1)
      throw Error(ADZE_DATA_LOSS,
                  fmt::format("cannot read labels from '{}': it holds {} arrays and "
                              "none is called 'labels'",
                              path.string(), names.size()));
    return labels_of(read_npz(path, named ? "labels" : names[0]), path.string());
  }
  if (extension == ".txt" || extension == ".csv")
    return parse_text_labels(read_text_file(path), path.string());
  return labels_of(read_idx(path), path.string());
}

}  // namespace adze::host
