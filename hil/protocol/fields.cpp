#include "hil/protocol/fields.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "host/base/error.hpp"

namespace adze::hil {

using host::DType;
using host::Error;
using nlohmann::json;

std::uint64_t size_bytes(const TensorSpec& spec) {
  if (spec.dtype == DType::string)
    throw Error(ADZE_INVALID_ARGUMENT, "the tensor '" + spec.name + "' holds strings");
  return static_cast<std::uint64_t>(host::element_count(spec.shape)) * info(spec.dtype).bits / 8;
}

DType dtype_by_name(const std::string& name) {
  for (int i = 0; i < static_cast<int>(DType::string); ++i)
    if (name == info(static_cast<DType>(i)).name) return static_cast<DType>(i);
  throw Error(ADZE_INVALID_ARGUMENT, "'" + name + "' is no element type");
}

Fields::Fields(const json& map, std::string what) : map_(&map), what_(std::move(what)) {
  if (!map.is_object()) fail("is not a map");
}

void Fields::fail(const std::string& why) const {
  throw Error(ADZE_DATA_LOSS, "cannot understand " + what_ + ": " + why);
}

bool Fields::has(const char* key) const { return map_->contains(key); }

const json& Fields::at(const char* key) const {
  const auto found = map_->find(key);
  if (found == map_->end()) fail(std::string("'") + key + "' is missing");
  return *found;
}

std::string Fields::text(const char* key, std::size_t max_bytes) const {
  const json& value = at(key);
  if (!value.is_string()) fail(std::string("'") + key + "' is not a text");
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > max_bytes)
    fail(std::string("'") + key + "' is longer than " + std::to_string(max_bytes) + " bytes");
  return text;
}

std::int64_t Fields::integer(const char* key, std::int64_t min, std::int64_t max) const {
  const json& value = at(key);
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() && value.get<std::uint64_t>() >> 63))
    fail(std::string("'") + key + "' is not a whole number");
  const auto number = value.get<std::int64_t>();
  if (number < min || number > max)
    fail(std::string("'") + key + "' is " + std::to_string(number) + ", not within " +
         std::to_string(min) + " to " + std::to_string(max));
  return number;
}

std::uint64_t Fields::unsigned_integer(const char* key) const {
  const json& value = at(key);
  if (!value.is_number_unsigned()) fail(std::string("'") + key + "' is not a whole number >= 0");
  return value.get<std::uint64_t>();
}

double Fields::real(const char* key) const {
  const json& value = at(key);
  if (!value.is_number()) fail(std::string("'") + key + "' is not a number");
  const double number = value.get<double>();
  if (!std::isfinite(number)) fail(std::string("'") + key + "' is not finite");
  return number;
}

bool Fields::flag(const char* key) const {
  const json& value = at(key);
  if (!value.is_boolean()) fail(std::string("'") + key + "' is neither true nor false");
  return value.get<bool>();
}

std::vector<Fields> Fields::list(const char* key, std::size_t max_count) const {
  const json& value = at(key);
  if (!value.is_array() || value.size() > max_count)
    fail(std::string("'") + key + "' is not a list of at most " + std::to_string(max_count));
  std::vector<Fields> fields;
  for (const json& element : value) fields.emplace_back(element, what_ + ": " + key);
  return fields;
}

std::vector<double> Fields::reals(const char* key, std::size_t max_count) const {
  const json& value = at(key);
  if (!value.is_array() || value.size() > max_count)
    fail(std::string("'") + key + "' is not a list of at most " + std::to_string(max_count));
  std::vector<double> numbers;
  for (const json& element : value) {
    if (!element.is_number()) fail(std::string("'") + key + "' holds something but numbers");
    numbers.push_back(element.get<double>());
  }
  return numbers;
}

std::vector<std::string> Fields::texts(const char* key, std::size_t max_count) const {
  const json& value = at(key);
  if (!value.is_array() || value.size() > max_count)
    fail(std::string("'") + key + "' is not a list of at most " + std::to_string(max_count));
  std::vector<std::string> texts;
  for (const json& element : value) {
    if (!element.is_string()) fail(std::string("'") + key + "' holds something but texts");
    texts.push_back(element.get<std::string>());
  }
  return texts;
}

Fields Fields::map(const char* key) const { return {at(key), what_ + ": " + key}; }

std::map<std::string, std::string> Fields::text_map(const char* key) const {
  const json& value = at(key);
  if (!value.is_object()) fail(std::string("'") + key + "' is not a map");
  std::map<std::string, std::string> pairs;
  for (const auto& [name, text] : value.items()) {
    if (!text.is_string()) fail(std::string("'") + key + "' holds something but texts");
    pairs[name] = text.get<std::string>();
  }
  return pairs;
}

std::map<std::string, double> Fields::real_map(const char* key) const {
  const Fields map(at(key), what_ + ": " + key);
  std::map<std::string, double> pairs;
  for (const auto& entry : at(key).items()) pairs[entry.key()] = map.real(entry.key().c_str());
  return pairs;
}

TensorSpec Fields::tensor() const {
  TensorSpec spec{.name = text("name"), .shape = {}};
  const json& sizes = at("shape");
  if (!sizes.is_array() || sizes.size() > 16) fail("'shape' is not a list of at most 16 sizes");
  for (const json& size : sizes) {
    if (!size.is_number_unsigned() || size.get<std::uint64_t>() > (1u << 30))
      fail("'shape' holds something but sizes");
    spec.shape.push_back(size.get<std::int64_t>());
  }
  spec.batch_axis = static_cast<std::int32_t>(
      integer("batch_axis", -1, static_cast<std::int64_t>(spec.shape.size()) - 1));
  try {
    spec.dtype = dtype_by_name(text("dtype"));
    size_bytes(spec);
  } catch (const Error& error) {
    fail("tensor '" + spec.name + "': " + error.what());
  }
  return spec;
}

std::vector<TensorSpec> Fields::tensors(const char* key) const {
  std::vector<TensorSpec> specs;
  for (const Fields& fields : list(key, 256)) specs.push_back(fields.tensor());
  return specs;
}

json to_json(const TensorSpec& spec) {
  json sizes = json::array();
  for (const std::int64_t size : spec.shape) sizes.push_back(static_cast<std::uint64_t>(size));
  return {{"name", spec.name},
          {"dtype", info(spec.dtype).name},
          {"shape", sizes},
          {"batch_axis", spec.batch_axis}};
}

json to_json(const std::vector<TensorSpec>& specs) {
  json list = json::array();
  for (const TensorSpec& spec : specs) list.push_back(to_json(spec));
  return list;
}

}  // namespace adze::hil
