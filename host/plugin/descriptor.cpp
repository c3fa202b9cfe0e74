#include "host/plugin/descriptor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "host/plugin/first_sizes.hpp"

namespace adze::host {
namespace {

constexpr std::uint32_t kLargestStruct = 1u << 16, kMostComponents = 1024;
constexpr std::uint64_t kMostParams = 4096;

template <class T>
bool plausible(const T& given) {
  return reaches_first_size(given) && given.struct_size <= kLargestStruct &&
         given.struct_size % 8 == 0;
}

bool said(const char* text) { return text && *text; }

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/// "org.example.magnitude": two parts or more, of lower case letters, digits, '-' and '_'.
bool is_reverse_dns(const char* id) {
  if (!said(id)) return false;
  char before = '.';
  bool dotted = false;
  for (const char* at = id; *at; ++at) {
    if (*at == '.' && before == '.') return false;
    if (*at != '.' && *at != '-' && *at != '_' && !is_lower_or_digit(*at)) return false;
    dotted = dotted || *at == '.';
    before = *at;
  }
  return dotted && before != '.';
}

bool is_semantic_version(const char* text) {
  if (!said(text)) return false;
  const char* at = text;
  for (int part = 0; part < 3; ++part) {
    if (part > 0 && *at++ != '.') return false;
    const char* digits = at;
    while (*at >= '0' && *at <= '9') ++at;
    if (at == digits) return false;
  }
  return *at == 0 || *at == '-' || *at == '+';
}

bool is_snake_case(const char* name) {
  if (!said(name) || !(*name >= 'a' && *name <= 'z')) return false;
  return std::ranges::all_of(std::string_view(name),
                             [](char c) { return c == '_' || is_lower_or_digit(c); });
}

std::string param_fault(const adze_param& param) {
  const bool many = param.flags & (ADZE_PARAM_LIST | ADZE_PARAM_MAP);
  const bool number = param.type == ADZE_F64 || param.type == ADZE_I64;
  if (!is_snake_case(param.name)) return "a parameter's name is not in snake_case (P01)";
  const auto fault = [&](std::string_view why) {
    return fmt::format("parameter '{}': {}", param.name, why);
  };
  if (!said(param.doc)) return fault("no description (P05)");
  if (param.type < ADZE_F64 || param.type > ADZE_PATH) return fault("unknown type (P01)");
  if ((param.flags & ADZE_PARAM_LIST) && (param.flags & ADZE_PARAM_MAP))
    return fault("both a list and a map (P01)");
  if (!number) return "";
  if (!std::isfinite(param.min) || !std::isfinite(param.max) ||
      !std::isfinite(param.default_number) || param.min > param.max)
    return fault("limits or default are not finite or not in order (P02)");
  const bool limited = param.min != 0 || param.max != 0;
  if (limited && !many && !(param.flags & ADZE_PARAM_REQUIRED) &&
      (param.default_number < param.min || param.default_number > param.max))
    return fault("the default is outside its limits (P02)");
  return "";
}

std::string params_fault(const adze_component& component) {
  if (component.param_count == 0) return "";
  if (!component.params || component.param_count > kMostParams) return "no parameter table (D01)";
  if (!plausible(*component.params)) return "adze_param.struct_size is implausible (D01)";
  std::set<std::string_view> names;
  for (std::uint64_t i = 0; i < component.param_count; ++i) {
    const adze_param& param = param_at(component, i);
    if (std::string fault = param_fault(param); !fault.empty()) return fault;
    if (!names.insert(param.name).second)
      return fmt::format("two parameters '{}' (P01)", param.name);
  }
  return "";
}

std::string tables_fault(const adze_component& component) {
  const int tables = (component.pruner != nullptr) + (component.quantizer != nullptr) +
                     (component.backend != nullptr);
  if (tables != 1)
    return fmt::format("{} of pruner, quantizer, backend are set, exactly one must be (D05)",
                       tables);
  if (const auto* table = component.pruner)
    if (!plausible(*table) || !table->prune) return "the pruner table is incomplete (D06)";
  if (const auto* table = component.quantizer)
    if (!plausible(*table) || !table->quantize) return "the quantizer table is incomplete (D06)";
  if (const auto* table = component.backend)
    if (!plausible(*table) || !table->place || !table->compile || !table->run || !table->release)
      return "the backend table lacks place, compile, run or release (D06)";
  return "";
}

std::string component_fault(const adze_component* component, bool first_party) {
  if (!component) return "a component is NULL (D01)";
  if (!plausible(*component)) return "adze_component.struct_size is implausible (D01)";
  if (!is_reverse_dns(component->id)) return "a component's id is not in reverse DNS (D03)";
  const auto named = [&](const std::string& why) {
    return why.empty() ? why : fmt::format("component '{}': {}", component->id, why);
  };
  if (!first_party && std::string_view(component->id).starts_with("adze."))
    return named("ids that begin with 'adze.' are for Adze's own plugins (D03)");
  if (!said(component->doc)) return named("no description (D03)");
  if (std::string fault = tables_fault(*component); !fault.empty()) return named(fault);
  return named(params_fault(*component));
}

}  // namespace

const adze_param& param_at(const adze_component& component, std::uint64_t index) {
  const auto* first = reinterpret_cast<const char*>(component.params);
  return *reinterpret_cast<const adze_param*>(first + index * component.params->struct_size);
}

std::string descriptor_fault(const adze_plugin* plugin, bool first_party) {
  if (!plugin) return "its entry function returned NULL (L04)";
  if (!plausible(*plugin))
    return fmt::format("adze_plugin.struct_size is {}, which no version has (D01)",
                       plugin->struct_size);
  if (plugin->required_minor > ADZE_ABI_MINOR)
    return fmt::format("needs ABI 1.{}, this host offers 1.{}; update the host",
                       plugin->required_minor, ADZE_ABI_MINOR);
  if (plugin->required_minor > plugin->abi_minor)
    return fmt::format("built with ABI 1.{} but says it needs 1.{} (D02)", plugin->abi_minor,
                       plugin->required_minor);
  if (!is_reverse_dns(plugin->id)) return "the plugin's id is not in reverse DNS (D03)";
  if (!first_party && std::string_view(plugin->id).starts_with("adze."))
    return fmt::format("id '{}': ids that begin with 'adze.' are for Adze's own plugins (D03)",
                       plugin->id);
  if (!is_semantic_version(plugin->version)) return "its version is not a semantic version (D04)";
  if (!said(plugin->vendor) || !said(plugin->license)) return "no vendor or license (D04)";
  if (plugin->component_count == 0 || plugin->component_count > kMostComponents ||
      !plugin->components)
    return "it has no components (D01)";
  std::set<std::string_view> ids;
  for (std::uint32_t i = 0; i < plugin->component_count; ++i) {
    const adze_component* component = plugin->components[i];
    if (std::string fault = component_fault(component, first_party); !fault.empty()) return fault;
    if (!ids.insert(component->id).second)
      return fmt::format("two components '{}' (D03)", component->id);
  }
  return "";
}

}  // namespace adze::host
