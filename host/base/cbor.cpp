#include "host/base/cbor.hpp"

#include <nlohmann/json.hpp>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

/// Builds the value and stops at the first rule that is broken.
class Builder : public nlohmann::json_sax<json> {
 public:
  explicit Builder(std::size_t max_depth) : max_depth_(max_depth) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& value) override { return add(json::binary(std::move(value))); }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (open_.back()->contains(name)) return refuse("it has the key '" + name + "' twice");
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t at, const std::string&, const json::exception&) override {
    return refuse("malformed or cut off at byte " + std::to_string(at));
  }

  json result;
  std::string problem;

 private:
  bool refuse(const std::string& why) {
    if (problem.empty()) problem = why;
    return false;
  }
  json* place(json&& value) {
    if (open_.empty()) return &(result = std::move(value));
    json& parent = *open_.back();
    if (!parent.is_array()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }
  bool add(json&& value) {
    place(std::move(value));
    return true;
  }
  bool open(json&& container) {
    if (open_.size() >= max_depth_)
      return refuse("nested deeper than " + std::to_string(max_depth_) + " levels");
    // A parent's children do not move while one of them is open.
    open_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::size_t max_depth_;
  std::vector<json*> open_;
  std::string key_;
};

/// The library's reader recurses into strings of indefinite length without asking the handler, so
/// these and tags are turned away in a pass of their own. Heads follow each other without nesting
/// when only they are looked at. Returns what is wrong; empty: nothing.
std::string check_heads(std::span<const std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto head = static_cast<unsigned>(bytes[at]);
    const unsigned major = head >> 5, low = head & 31;
    if (low > 27) return "an item of indefinite length at byte " + std::to_string(at);
    if (major == 6) return "a tag at byte " + std::to_string(at);
    const std::size_t extra = low < 24 ? 0 : std::size_t{1} << (low - 24);
    if (bytes.size() - at - 1 < extra) return "cut off at byte " + std::to_string(at);
    std::uint64_t value = low;
    if (extra) value = 0;
    for (std::size_t i = 1; i <= extra; ++i)
      value = value << 8 | static_cast<std::uint64_t>(bytes[at + i]);
    at += 1 + extra;
    if (major != 2 && major != 3) continue;
    if (value > bytes.size() - at) return "a string longer than the message";
    at += static_cast<std::size_t>(value);
  }
  return {};
}

}  // namespace

json decode_cbor(std::span<const std::byte> bytes, const std::string& what,
                 const CborLimits& limits) {
  const auto fail = [&](const std::string& why) {
    throw Error(ADZE_DATA_LOSS, "cannot read " + what + ": " + why);
  };
  if (bytes.size() > limits.max_bytes)
    fail(std::to_string(bytes.size()) + " bytes, the most is " + std::to_string(limits.max_bytes));
  if (const std::string problem = check_heads(bytes); !problem.empty()) fail(problem);
  Builder builder(limits.max_depth);
  const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const bool ok =
      json::sax_parse(begin, begin + bytes.size(), &builder, json::input_format_t::cbor);
  if (!ok) fail(builder.problem.empty() ? "malformed" : builder.problem);
  return std::move(builder.result);
}

std::vector<std::byte> encode_cbor(const json& value) {
  const std::vector<std::uint8_t> bytes = json::to_cbor(value);
  const auto view = std::as_bytes(std::span(bytes));
  return {view.begin(), view.end()};
}

}  // namespace adze::host
