#include "plugins/qat/node_facts.hpp"

#include <cstring>

namespace qat {

const adze_property* NodeFacts::find(std::string_view name) const {
  for (std::uint64_t i = 0; i < node_.attribute_count; ++i)
    if (name == node_.attributes[i]->name) return node_.attributes[i];
  return nullptr;
}

std::int64_t NodeFacts::integer(std::string_view name, std::int64_t absent) const {
  const adze_property* found = find(name);
  return found && found->i64 && found->count ? found->i64[0] : absent;
}

double NodeFacts::number(std::string_view name, double absent) const {
  const adze_property* found = find(name);
  return found && found->f64 && found->count ? found->f64[0] : absent;
}

std::string_view NodeFacts::text(std::string_view name, std::string_view absent) const {
  const adze_property* found = find(name);
  return found && found->text && found->count ? found->text[0] : absent;
}

std::vector<std::int64_t> NodeFacts::integers(std::string_view name) const {
  const adze_property* found = find(name);
  if (!found || !found->i64) return {};
  return {found->i64, found->i64 + found->count};
}

bool NodeFacts::has_input(std::uint32_t index) const {
  return index < node_.input_count && node_.inputs[index] != ADZE_NONE;
}

const adze_value& NodeFacts::input(std::uint32_t index) const {
  if (!has_input(index)) refuse("input " + std::to_string(index) + " is missing");
  return *graph_.values[node_.inputs[index]];
}

std::optional<std::vector<std::int64_t>> NodeFacts::constant_integers(std::uint32_t index) const {
  if (!has_input(index) || !input(index).constant) return std::nullopt;
  const adze_tensor& tensor = *input(index).constant;
  const auto count = static_cast<std::size_t>(adze::element_count(tensor));
  const char* at = static_cast<const char*>(tensor.data) + tensor.byte_offset;
  std::vector<std::int64_t> found(count);
  if (tensor.code == ADZE_INT && tensor.bits == 64) {
    std::memcpy(found.data(), at, count * sizeof(std::int64_t));
  } else if (tensor.code == ADZE_INT && tensor.bits == 32) {
    std::vector<std::int32_t> narrow(count);
    std::memcpy(narrow.data(), at, count * sizeof(std::int32_t));
    found.assign(narrow.begin(), narrow.end());
  } else {
    return std::nullopt;
  }
  return found;
}

std::optional<std::vector<double>> NodeFacts::constant_numbers(std::uint32_t index) const {
  if (!has_input(index) || !input(index).constant) return std::nullopt;
  const auto elements = adze::f32(input(index).constant);
  return std::vector<double>(elements.begin(), elements.end());
}

std::optional<std::vector<std::int64_t>> NodeFacts::axes(std::uint32_t index) const {
  if (find("axes")) return integers("axes");
  return constant_integers(index);
}

void NodeFacts::refuse(const std::string& why) const {
  const std::string domain = *node_.domain ? std::string(node_.domain) + "." : "";
  throw adze::Error(ADZE_UNIMPLEMENTED, "cannot train through node '" + std::string(node_.name) +
                                            "' (" + domain + node_.op + "): " + why);
}

}  // namespace qat
