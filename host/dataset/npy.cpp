#include <fmt/format.h>

#include <bit>
#include <charconv>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/dataset/array_file.hpp"

namespace adze::host {
namespace {

struct Description {
  std::string type;
  bool has_type = false, has_order = false, has_shape = false, fortran = false;
  Shape shape;
};

// The header is a Python dict such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& what) : text_(text), what_(what) {}

  [[noreturn]] void broken(const std::string& why, adze_status code = ADZE_DATA_LOSS) const {
    throw Error(code, fmt::format("cannot read '{}' as npy: {}", what_, why));
  }

  Description parse() {
    Description found;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr") {
        if (peek() == '[')
          broken("its elements are records; save one plain array a file", ADZE_INVALID_ARGUMENT);
        found.type = string();
        found.has_type = true;
      } else if (key == "fortran_order") {
        found.fortran = boolean();
        found.has_order = true;
      } else if (key == "shape") {
        found.shape = tuple();
        found.has_shape = true;
      } else {
        broken(fmt::format("its header has the unknown key '{}'", key));
      }
      if (!accept(',') && peek() != '}') broken("its header is not a dict");
    }
    if (!found.has_type || !found.has_order || !found.has_shape)
      broken("its header lacks descr, fortran_order or shape");
    return found;
  }

 private:
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) broken(fmt::format("its header lacks '{}' at byte {}", wanted, at_));
  }
  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') broken(fmt::format("its header lacks a name at {}", at_));
    const std::size_t begin = ++at_;
    const std::size_t end = text_.find(quote, begin);
    if (end == std::string_view::npos) broken("its header ends inside a name");
    at_ = end + 1;
    return std::string(text_.substr(begin, end - begin));
  }
  bool boolean() {
    peek();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return value;
    }
    broken("fortran_order is neither True nor False");
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      peek();
      std::int64_t size = 0;
      const auto [stop, error] =
          std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0) broken("its shape is not a list of sizes");
      at_ = static_cast<std::size_t>(stop - text_.data());
      accept('L');  // long integers of Python 2
      shape.push_back(size);
      if (shape.size() > 32) broken("its shape has more than 32 axes");
      if (!accept(',') && peek() != ')') broken("its shape is not a list of sizes");
    }
    return shape;
  }

  std::string_view text_;
  const std::string& what_;
  std::size_t at_ = 0;
};

std::optional<DType> npy_type(std::string_view type) {
  constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"f4", DType::f32}, {"f8", DType::f64}, {"f2", DType::f16}, {"i1", DType::i8},
      {"i2", DType::i16}, {"i4", DType::i32}, {"i8", DType::i64}, {"u1", DType::u8},
      {"u2", DType::u16}, {"u4", DType::u32}, {"u8", DType::u64}, {"b1", DType::boolean}};
  for (const auto& [name, dtype] : kTypes)
    if (type.substr(1) == name) return dtype;
  return std::nullopt;
}

}  // namespace

Tensor parse_npy(std::span<const std::byte> bytes, const std::string& what) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const HeaderParser complaints({}, what);
  if (!text.starts_with("\x93NUMPY"))
    complaints.broken("it does not begin with the magic bytes of npy");
  const auto byte = [&](std::size_t at) { return std::to_integer<std::size_t>(bytes[at]); };
  if (bytes.size() < 12) complaints.broken("it ends inside the header");
  const std::size_t major = byte(6);
  if (major < 1 || major > 3)
    complaints.broken(fmt::format("format {}.{} is not known; 1.0 to 3.0 are", major, byte(7)),
                      ADZE_INVALID_ARGUMENT);
  const std::size_t begin = major == 1 ? 10 : 12;
  const std::size_t length =
      byte(8) | byte(9) << 8 | (major == 1 ? 0 : byte(10) << 16 | byte(11) << 24);
  if (length > bytes.size() - begin) complaints.broken("it ends inside the header");

  HeaderParser parser(text.substr(begin, length), what);
  Description found = parser.parse();
  const std::optional<DType> dtype = found.type.size() >= 2 ? npy_type(found.type) : std::nullopt;
  const char order = found.type.empty() ? ' ' : found.type[0];
  if (!dtype || (order != '<' && order != '>' && order != '|' && order != '='))
    parser.broken(fmt::format("its element type '{}' is not a number; save it with "
                              ".astype('float32')",
                              found.type),
                  ADZE_INVALID_ARGUMENT);
  if (found.fortran && found.shape.size() > 1)
    parser.broken("it is in Fortran order; save numpy.ascontiguousarray(...) of it",
                  ADZE_INVALID_ARGUMENT);

  const std::size_t element_size = info(*dtype).bits / 8, left = bytes.size() - begin - length;
  std::uint64_t wanted = 0;
  try {
    wanted = static_cast<std::uint64_t>(element_count(found.shape)) * element_size;
  } catch (const Error&) {
    parser.broken(fmt::format("its header claims the shape {}", to_string(found.shape)));
  }
  if (wanted != left)
    parser.broken(fmt::format("its header says {} of {}, {} bytes, but {} follow",
                              to_string(found.shape), info(*dtype).name, wanted, left));
  std::vector<std::byte> swapped;
  std::span<const std::byte> elements = bytes.subspan(begin + length);
  if (order == '>') {
    swapped.assign(elements.begin(), elements.end());
    swap_bytes(swapped, element_size);
    elements = swapped;
  }
  return {*dtype, std::move(found.shape), elements};
}

Tensor read_npy(const std::filesystem::path& path) {
  size_of_file(path);
  return parse_npy(read_file(path), path.string());
}

}  // namespace adze::host
