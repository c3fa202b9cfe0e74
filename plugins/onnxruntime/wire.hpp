// Protobuf's wire format: fields of a message, one after the other.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace adze::ort {

/// Either a number or bytes (a text, a message, a packed list), by what the field is.
struct Field {
  std::uint32_t number = 0;
  std::uint64_t value = 0;
  std::span<const std::uint8_t> bytes;
  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

class FieldReader {
 public:
  explicit FieldReader(std::span<const std::uint8_t> message) : left_(message) {}
  /// False at the end. Errors: DATA_LOSS.
  bool next(Field& field);

 private:
  std::uint64_t varint();
  std::span<const std::uint8_t> take(std::uint64_t size);

  std::span<const std::uint8_t> left_;
};

void append_number(std::vector<std::uint8_t>& to, std::uint32_t field, std::uint64_t value);
void append_bytes(std::vector<std::uint8_t>& to, std::uint32_t field,
                  std::span<const std::uint8_t> bytes);
void append_text(std::vector<std::uint8_t>& to, std::uint32_t field, std::string_view text);

}  // namespace adze::ort
