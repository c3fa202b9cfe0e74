#include "host/plugin/descriptor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include "host/base/text.hpp"
#include "host/plugin/first_sizes.hpp"

namespace adze::host {
namespace {

constexpr std::uint32_t kLargestStruct = 1u << 16, kMostComponents = 1024;
constexpr std::uint64_t kMostParams = 4096;
constexpr std::size_t kMostChoices = 1024;

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

/// Gathers what is wrong; a check that cannot go on without what it looked at returns.
class Checker {
 public:
  explicit Checker(bool first_party) : first_party_(first_party) {}

  void check(const adze_plugin* plugin) {
    if (!plugin) return add("L04", "its entry function returned NULL");
    if (!plausible(*plugin))
      return add("D01", fmt::format("adze_plugin.struct_size is {}, which no version has",
                                    plugin->struct_size));
    if (plugin->required_minor > ADZE_ABI_MINOR)
      return add("D02", fmt::format("needs ABI 1.{}, this host offers 1.{}; update the host",
                                    plugin->required_minor, ADZE_ABI_MINOR));
    if (plugin->required_minor > plugin->abi_minor)
      add("D02", fmt::format("built with ABI 1.{} but says it needs 1.{}", plugin->abi_minor,
                             plugin->required_minor));
    if (!is_reverse_dns(plugin->id))
      add("D03", "the plugin's id is not in reverse DNS");
    else if (!first_party_ && std::string_view(plugin->id).starts_with("adze."))
      add("D03", fmt::format("id '{}': ids that begin with 'adze.' are for Adze's own plugins",
                             plugin->id));
    if (!is_semantic_version(plugin->version)) add("D04", "its version is not a semantic version");
    if (!said(plugin->vendor) || !said(plugin->license)) {
      add("D04", "no vendor or license");
    } else if (!is_printable_utf8(plugin->vendor) || !is_printable_utf8(plugin->license)) {
      add("D04", "its vendor or license is no UTF-8 text of one line");
    }
    if (plugin->component_count == 0 || plugin->component_count > kMostComponents ||
        !plugin->components)
      return add("D01", "it has no components");
    std::set<std::string_view> ids;
    for (std::uint32_t i = 0; i < plugin->component_count; ++i) {
      const adze_component* component = plugin->components[i];
      where_.clear();
      const bool readable = check_component(component);
      where_.clear();
      if (readable && said(component->id) && !ids.insert(component->id).second)
        add("D03", fmt::format("two components '{}'", component->id));
    }
  }

  std::vector<PluginFault> faults;

 private:
  void add(const char* rule, const std::string& text) { faults.push_back({rule, where_ + text}); }

  /// Whether the struct is as large as its fields need.
  bool check_component(const adze_component* component) {
    if (!component || !plausible(*component)) {
      add("D01", component ? "adze_component.struct_size is implausible" : "a component is NULL");
      return false;
    }
    check_contents(*component);
    return true;
  }

  void check_contents(const adze_component& component) {
    if (!is_reverse_dns(component.id)) return add("D03", "a component's id is not in reverse DNS");
    where_ = fmt::format("component '{}': ", component.id);
    if (!first_party_ && std::string_view(component.id).starts_with("adze."))
      add("D03", "ids that begin with 'adze.' are for Adze's own plugins");
    if (!said(component.doc) || !is_printable_utf8(component.doc)) add("D03", "no description");
    check_tables(component);
    check_params(component);
  }

  void check_tables(const adze_component& component) {
    const int tables = (component.pruner != nullptr) + (component.quantizer != nullptr) +
                       (component.backend != nullptr);
    if (tables != 1)
      return add("D05", fmt::format("{} of pruner, quantizer, backend are set, exactly one must be",
                                    tables));
    if (const auto* table = component.pruner) {
      if (check_size(*table, "adze_pruner") && !table->prune)
        add("D06", "the pruner table is incomplete");
    }
    if (const auto* table = component.quantizer) {
      if (check_size(*table, "adze_quantizer") && !table->quantize)
        add("D06", "the quantizer table is incomplete");
    }
    if (const auto* table = component.backend) {
      if (check_size(*table, "adze_backend") &&
          (!table->place || !table->compile || !table->run || !table->release))
        add("D06", "the backend table lacks place, compile, run or release");
    }
  }

  /// Whether the table may be read.
  template <class Table>
  bool check_size(const Table& table, const char* name) {
    if (plausible(table)) return true;
    add("D01", fmt::format("{}.struct_size is {}, which no version has", name, table.struct_size));
    return false;
  }

  void check_params(const adze_component& component) {
    if (component.param_count == 0) return;
    if (!component.params || component.param_count > kMostParams)
      return add("D01", "no parameter table");
    if (!plausible(*component.params)) return add("D01", "adze_param.struct_size is implausible");
    const std::string component_where = where_;
    std::set<std::string_view> names;
    for (std::uint64_t i = 0; i < component.param_count; ++i) {
      const adze_param& param = param_at(component, i);
      where_ = component_where;
      if (!is_snake_case(param.name)) {
        add("P01", "a parameter's name is not in snake_case");
        continue;
      }
      if (!names.insert(param.name).second)
        add("P01", fmt::format("two parameters '{}'", param.name));
      where_ += fmt::format("parameter '{}': ", param.name);
      check_param(param);
    }
  }

  void check_param(const adze_param& param) {
    const bool many = param.flags & (ADZE_PARAM_LIST | ADZE_PARAM_MAP);
    const bool number = param.type == ADZE_F64 || param.type == ADZE_I64;
    if (!said(param.doc) || !is_printable_utf8(param.doc)) add("P05", "no description");
    if (param.type < ADZE_F64 || param.type > ADZE_PATH) return add("P01", "unknown type");
    if ((param.flags & ADZE_PARAM_LIST) && (param.flags & ADZE_PARAM_MAP))
      add("P01", "both a list and a map");
    if (param.choices) check_choices(param, many);
    if (!number) return;
    if (!std::isfinite(param.min) || !std::isfinite(param.max) ||
        !std::isfinite(param.default_number) || param.min > param.max)
      return add("P02", "limits or default are not finite or not in order");
    const bool limited = param.min != 0 || param.max != 0;
    if (limited && !many && !(param.flags & ADZE_PARAM_REQUIRED) &&
        (param.default_number < param.min || param.default_number > param.max))
      add("P02", "the default is outside its limits");
  }

  void check_choices(const adze_param& param, bool many) {
    if (param.type != ADZE_TEXT) return add("P03", "only a text has choices");
    std::set<std::string_view> choices;
    for (const char* const* at = param.choices; *at; ++at) {
      if (choices.size() == kMostChoices) return add("P03", "its choices have no end");
      if (!choices.insert(*at).second) add("P03", fmt::format("choice '{}' stands twice", *at));
    }
    const char* initial = param.default_text ? param.default_text : "";
    if (!many && !(param.flags & ADZE_PARAM_REQUIRED) && !choices.contains(initial))
      add("P03", fmt::format("the default '{}' is none of its choices", initial));
  }

  bool first_party_;
  std::string where_;
};

}  // namespace

const adze_param& param_at(const adze_component& component, std::uint64_t index) {
  const auto* first = reinterpret_cast<const char*>(component.params);
  return *reinterpret_cast<const adze_param*>(first + index * component.params->struct_size);
}

std::vector<PluginFault> descriptor_faults(const adze_plugin* plugin, bool first_party) {
  Checker checker(first_party);
  checker.check(plugin);
  return std::move(checker.faults);
}

std::string descriptor_fault(const adze_plugin* plugin, bool first_party) {
  const auto faults = descriptor_faults(plugin, first_party);
  if (faults.empty()) return "";
  return to_string(faults.front());
}

}  // namespace adze::host
