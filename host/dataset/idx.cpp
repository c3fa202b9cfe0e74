#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>

#include "host/base/error.hpp"
#include "host/dataset/array_file.hpp"

namespace adze::host {
namespace {

// DEFLATE cannot shrink further than 1032:1, so no honest header claims more.
constexpr std::uint64_t kBestCompression = 1032;

std::optional<DType> idx_type(std::uint8_t code) {
  switch (code) {
    case 0x08:
      return DType::u8;
    case 0x09:
      return DType::i8;
    case 0x0b:
      return DType::i16;
    case 0x0c:
      return DType::i32;
    case 0x0d:
      return DType::f32;
    case 0x0e:
      return DType::f64;
    default:
      return std::nullopt;
  }
}

// zlib reads files that are not gzip as they are.
class Stream {
 public:
  explicit Stream(const std::filesystem::path& path)
      : path_(path), file_size_(size_of_file(path)), file_(gzopen(path.c_str(), "rbe")) {
    if (!file_) throw Error(ADZE_NOT_FOUND, fmt::format("cannot open '{}'", path.string()));
    gzbuffer(file_.get(), 1u << 17);
  }

  [[noreturn]] void broken(const std::string& why) const {
    throw Error(
        ADZE_DATA_LOSS,
        fmt::format("cannot read '{}' as IDX: {}; download or make it again", path_.string(), why));
  }

  /// The most bytes that can come out of the file.
  std::uint64_t capacity() const {
    return gzdirect(file_.get()) ? file_size_ : file_size_ * kBestCompression;
  }

  /// Appends up to `count` bytes; fewer at the end of the file.
  void read(std::vector<std::byte>& to, std::uint64_t count) {
    constexpr std::uint64_t kStep = 1u << 22;  // memory follows what was found, not what is claimed
    while (count > 0) {
      const std::size_t at = to.size();
      const auto step = static_cast<unsigned>(std::min(count, kStep));
      to.resize(at + step);
      const int got = gzread(file_.get(), to.data() + at, step);
      int code = Z_OK;
      const char* text = gzerror(file_.get(), &code);
      if (got < 0 || code == Z_BUF_ERROR)
        broken(code == Z_BUF_ERROR ? "the compressed data ends early"
                                   : fmt::format("the compressed data is damaged ({})", text));
      to.resize(at + static_cast<std::size_t>(got));
      if (got == 0) return;
      count -= static_cast<std::uint64_t>(got);
    }
  }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  std::filesystem::path path_;
  std::uint64_t file_size_;
  std::unique_ptr<gzFile_s, Close> file_;
};

}  // namespace

Tensor read_idx(const std::filesystem::path& path) {
  Stream stream(path);
  std::vector<std::byte> header;
  stream.read(header, 4);
  const auto byte = [&](std::size_t at) { return std::to_integer<std::uint8_t>(header[at]); };
  if (header.size() < 4) stream.broken("it is shorter than a header");
  if (byte(0) != 0 || byte(1) != 0)
    stream.broken(fmt::format("it begins with {:02x} {:02x}, not with 00 00", byte(0), byte(1)));
  const std::optional<DType> dtype = idx_type(byte(2));
  if (!dtype) stream.broken(fmt::format("it names the unknown element type {:#04x}", byte(2)));
  const std::size_t rank = byte(3);
  if (rank == 0 || rank > 8) stream.broken(fmt::format("it claims {} axes, not 1 to 8", rank));

  stream.read(header, 4 * rank);
  if (header.size() < 4 + 4 * rank) stream.broken("it ends inside the header");
  Shape shape;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    std::int64_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) size = size << 8 | byte(4 + 4 * axis + i);
    shape.push_back(size);
  }
  std::uint64_t wanted = 0;
  const std::size_t element_size = info(*dtype).bits / 8;
  try {
    wanted = static_cast<std::uint64_t>(element_count(shape)) * element_size;
  } catch (const Error&) {
    stream.broken(fmt::format("its header claims the shape {}", to_string(shape)));
  }
  const std::string claim = fmt::format("its header says {} of {}, {} bytes", to_string(shape),
                                        info(*dtype).name, wanted);
  if (wanted > stream.capacity()) stream.broken(claim + ", more than the file can hold");

  std::vector<std::byte> elements;
  stream.read(elements, wanted + 1);
  if (elements.size() < wanted)
    stream.broken(fmt::format("{}, but {} follow", claim, elements.size()));
  if (elements.size() > wanted) stream.broken(claim + ", but more follow");
  swap_bytes(elements, element_size);
  return {*dtype, std::move(shape), std::span<const std::byte>(elements)};
}

}  // namespace adze::host
