#include "plugins/onnxruntime/wire.hpp"

#include <adze/adze.hpp>

namespace adze::ort {
namespace {

enum WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

[[noreturn]] void broken() {
  throw Error(ADZE_DATA_LOSS, "the model's bytes are no protobuf message");
}

void append_varint(std::vector<std::uint8_t>& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<std::uint8_t>(value | 0x80));
  to.push_back(static_cast<std::uint8_t>(value));
}

void append_key(std::vector<std::uint8_t>& to, std::uint32_t field, WireType type) {
  append_varint(to, (std::uint64_t{field} << 3) | type);
}

}  // namespace

std::uint64_t FieldReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t byte = take(1)[0];
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  broken();
}

std::span<const std::uint8_t> FieldReader::take(std::uint64_t size) {
  if (size > left_.size()) broken();
  const auto taken = left_.first(static_cast<std::size_t>(size));
  left_ = left_.subspan(static_cast<std::size_t>(size));
  return taken;
}

bool FieldReader::next(Field& field) {
  if (left_.empty()) return false;
  const std::uint64_t key = varint();
  field = {.number = static_cast<std::uint32_t>(key >> 3), .value = 0, .bytes = {}};
  switch (key & 7) {
    case kVarint:
      field.value = varint();
      return true;
    case kFixed64:
      field.bytes = take(8);
      return true;
    case kBytes:
      field.bytes = take(varint());
      return true;
    case kFixed32:
      field.bytes = take(4);
      return true;
    default:
      broken();
  }
}

void append_number(std::vector<std::uint8_t>& to, std::uint32_t field, std::uint64_t value) {
  append_key(to, field, kVarint);
  append_varint(to, value);
}

void append_bytes(std::vector<std::uint8_t>& to, std::uint32_t field,
                  std::span<const std::uint8_t> bytes) {
  append_key(to, field, kBytes);
  append_varint(to, bytes.size());
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void append_text(std::vector<std::uint8_t>& to, std::uint32_t field, std::string_view text) {
  append_bytes(to, field, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

}  // namespace adze::ort
