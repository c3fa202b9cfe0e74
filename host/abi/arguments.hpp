// The arguments of one call: what the recipe says, checked against the component's own schema.
#pragma once

#include <adze/plugin.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace adze::host {

/// One value of a recipe's stage table, or of --set name=value.
using Setting = std::variant<bool, std::int64_t, double, std::string, std::vector<double>,
                             std::vector<std::string>, std::map<std::string, double>,
                             std::map<std::string, std::string>>;
using Settings = std::map<std::string, Setting>;

/// Properties in the order of the component's parameters; defaults filled in. Paths must be
/// absolute already.
class Arguments {
 public:
  /// Errors: INVALID_ARGUMENT naming component, parameter, what is wrong, and for an unknown key
  /// the nearest one.
  Arguments(const adze_component& component, const Settings& settings);
  Arguments(Arguments&&) = default;
  const adze_property* const* data() const { return pointers_.data(); }

 private:
  std::deque<adze_property> properties_;
  std::deque<std::vector<double>> f64_;
  std::deque<std::vector<std::int64_t>> i64_;
  std::deque<std::vector<const char*>> texts_, keys_;
  std::deque<std::string> strings_;
  std::vector<const adze_property*> pointers_;
};

/// What `--set name=text` means by the component's schema: true or false, a number, a text; lists
/// are "a,b", maps "name:value,name:value". Errors: INVALID_ARGUMENT as for Arguments.
Setting parse_setting(const adze_component& component, const std::string& name,
                      const std::string& text);
/// The same of all "name=value" of a command line. Errors: also for one without "=".
Settings parse_settings(const adze_component& component, const std::vector<std::string>& texts);

}  // namespace adze::host
