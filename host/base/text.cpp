#include "host/base/text.hpp"

#include <sodium.h>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

/// Bytes of the character that `text` begins with; 0 when it cannot be printed.
std::size_t printable_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (lead < 0x20 || lead == 0x7F || (lead >= 0x80 && lead < 0xC2) || lead > 0xF4) return 0;
  // U+0080 to U+009F are control characters too.
  if (lead == 0xC2 && text.size() > 1 && static_cast<unsigned char>(text[1]) < 0xA0) return 0;
  if (length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
  return length;
}

}  // namespace

bool is_printable_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = printable_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string one_line(std::string_view text, std::size_t most_bytes) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  std::string line;
  while (!text.empty()) {
    if (line.size() >= most_bytes) return line + "...";
    const std::size_t length = printable_length(text);
    if (length)
      line += text.substr(0, length);
    else if (text[0] == '\n')
      line += " / ";
    else
      line += text[0] == '\t' ? ' ' : '?';
    text.remove_prefix(length ? length : 1);
  }
  return line;
}

std::string base64(std::span<const std::byte> bytes) {
  constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;
  std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), kVariant);
  text.pop_back();  // the end of a C string
  return text;
}

std::vector<std::byte> from_base64(std::string_view text) {
  std::vector<std::byte> bytes(text.size() / 4 * 3 + 1);  // never none: libsodium wants a place
  std::size_t size = 0;
  const char* end = nullptr;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                        text.size(), nullptr, &size, &end, sodium_base64_VARIANT_ORIGINAL) ||
      end != text.data() + text.size())
    throw Error(ADZE_DATA_LOSS, "this is no base64");
  bytes.resize(size);
  return bytes;
}

}  // namespace adze::host
