#include "host/abi/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <string_view>

#include "host/base/error.hpp"
#include "host/base/nearest.hpp"
#include "host/base/small.hpp"
#include "host/plugin/descriptor.hpp"

namespace adze::host {
namespace {

const char* type_name(std::uint32_t type) {
  switch (type) {
    case ADZE_F64:
      return "number";
    case ADZE_I64:
      return "whole number";
    case ADZE_FLAG:
      return "true or false";
    case ADZE_PATH:
      return "path";
    default:
      return "text";
  }
}

std::string shape_name(const adze_param& param) {
  const std::string type = type_name(param.type);
  if (param.flags & ADZE_PARAM_MAP) return "a table of name = " + type;
  return (param.flags & ADZE_PARAM_LIST ? "a list of: " : "a ") + type;
}

/// One value being checked against its parameter.
class Check {
 public:
  Check(const adze_component& component, const adze_param& param)
      : component_(component), param_(param) {}

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("{}: parameter '{}': {}", component_.id, param_.name, why));
  }
  [[noreturn]] void wrong_type() const { refuse("must be " + shape_name(param_)); }

  double number(double value) const {
    if (!std::isfinite(value)) refuse(fmt::format("{} is no finite number", value));
    const bool limited = param_.min != 0 || param_.max != 0;
    if (limited && (value < param_.min || value > param_.max))
      refuse(fmt::format("{} is outside {}..{}", value, param_.min, param_.max));
    return value;
  }
  std::int64_t whole(std::int64_t value) const {
    number(static_cast<double>(value));
    return value;
  }
  std::int64_t whole(double value) const {
    number(value);
    if (value != std::floor(value) || std::abs(value) > 9007199254740992.0)
      refuse(fmt::format("{} is no whole number", value));
    return static_cast<std::int64_t>(value);
  }
  const std::string& text(const std::string& value) const {
    if (value.find('\0') != std::string::npos) refuse("text with a zero byte in it");
    if (param_.choices) choice(value);
    if (param_.type == ADZE_PATH) path(value);
    return value;
  }

 private:
  void choice(const std::string& value) const {
    std::vector<std::string> choices;
    for (const char* const* at = param_.choices; *at; ++at) {
      if (value == *at) return;
      choices.emplace_back(*at);
    }
    refuse(fmt::format("'{}' is none of {}{}", value, fmt::join(choices, ", "),
                       did_you_mean(value, choices)));
  }
  void path(const std::string& value) const {
    std::error_code error;
    if (!std::filesystem::path(value).is_absolute()) refuse("'" + value + "' is no absolute path");
    if (!std::filesystem::exists(value, error)) refuse("'" + value + "' does not exist");
  }

  const adze_component& component_;
  const adze_param& param_;
};

void check_keys(const adze_component& component, const Settings& settings) {
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < component.param_count; ++i)
    names.emplace_back(param_at(component, i).name);
  for (const auto& [key, ignored] : settings)
    if (std::ranges::find(names, key) == names.end())
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("{} has no parameter '{}'{}", component.id, key,
                              names.empty() ? "; it has none at all" : did_you_mean(key, names)));
}

/// The values of one parameter, checked: in one of the three lists, by its type.
struct Values {
  std::vector<double> f64;
  std::vector<std::int64_t> i64;
  std::vector<std::string> texts, keys;
};

void take(const Check& check, const adze_param& param, Values& values, double number) {
  if (param.type == ADZE_F64)
    values.f64.push_back(check.number(number));
  else if (param.type == ADZE_I64)
    values.i64.push_back(check.whole(number));
  else
    check.wrong_type();
}

void take(const Check& check, const adze_param& param, Values& values, const std::string& text) {
  if (param.type != ADZE_TEXT && param.type != ADZE_PATH) check.wrong_type();
  values.texts.push_back(check.text(text));
}

Values values_of(const Check& check, const adze_param& param, const Setting& setting) {
  const bool map = param.flags & ADZE_PARAM_MAP, list = param.flags & ADZE_PARAM_LIST;
  Values values;
  const auto take_list = [&](const auto& elements) {
    if (!list && !(map && elements.empty())) check.wrong_type();
    for (const auto& element : elements) take(check, param, values, element);
  };
  const auto take_map = [&](const auto& entries) {
    if (!map) check.wrong_type();
    for (const auto& [key, element] : entries) {
      values.keys.push_back(key);
      take(check, param, values, element);
    }
  };
  if (map && setting.index() < 4) check.wrong_type();  // a lone value is a list of one, but no map
  std::visit(Match{[&](bool flag) {
                     if (param.type != ADZE_FLAG) check.wrong_type();
                     values.i64.push_back(flag);
                   },
                   [&](std::int64_t number) {
                     if (param.type == ADZE_I64)
                       values.i64.push_back(check.whole(number));
                     else
                       take(check, param, values, static_cast<double>(number));
                   },
                   [&](double number) { take(check, param, values, number); },
                   [&](const std::string& text) { take(check, param, values, text); },
                   [&](const std::vector<double>& numbers) { take_list(numbers); },
                   [&](const std::vector<std::string>& texts) { take_list(texts); },
                   [&](const std::map<std::string, double>& numbers) { take_map(numbers); },
                   [&](const std::map<std::string, std::string>& texts) { take_map(texts); }},
             setting);
  return values;
}

Values default_of(const Check& check, const adze_param& param) {
  if (param.flags & ADZE_PARAM_REQUIRED) check.refuse("is required: " + std::string(param.doc));
  Values values;
  if (param.flags & (ADZE_PARAM_LIST | ADZE_PARAM_MAP)) return values;
  if (param.type == ADZE_F64)
    values.f64.push_back(param.default_number);
  else if (param.type == ADZE_I64 || param.type == ADZE_FLAG)
    values.i64.push_back(std::llround(param.default_number));
  else
    values.texts.emplace_back(param.default_text ? param.default_text : "");
  return values;
}

double parsed_number(const Check& check, std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) check.wrong_type();
  return number;
}

}  // namespace

Arguments::Arguments(const adze_component& component, const Settings& settings) {
  check_keys(component, settings);
  for (std::uint64_t i = 0; i < component.param_count; ++i) {
    const adze_param& param = param_at(component, i);
    const Check check(component, param);
    const auto given = settings.find(param.name);
    Values values =
        given == settings.end() ? default_of(check, param) : values_of(check, param, given->second);
    const std::size_t count = values.f64.size() + values.i64.size() + values.texts.size();
    const auto hold = [&](const std::vector<std::string>& texts,
                          std::deque<std::vector<const char*>>& pointers) {
      auto& held = pointers.emplace_back();
      for (const std::string& text : texts) held.push_back(strings_.emplace_back(text).c_str());
      return data_or_null(held);
    };
    adze_property property{};
    property.struct_size = sizeof property;
    property.type = param.type;
    property.count = count;
    property.name = param.name;
    property.f64 = data_or_null(f64_.emplace_back(std::move(values.f64)));
    property.i64 = data_or_null(i64_.emplace_back(std::move(values.i64)));
    property.text = hold(values.texts, texts_);
    property.keys = hold(values.keys, keys_);
    pointers_.push_back(&properties_.emplace_back(property));
  }
}

Setting parse_setting(const adze_component& component, const std::string& name,
                      const std::string& text) {
  check_keys(component, {{name, text}});
  std::uint64_t index = 0;
  while (param_at(component, index).name != name) ++index;
  const adze_param& param = param_at(component, index);
  const Check check(component, param);
  const bool number = param.type == ADZE_F64 || param.type == ADZE_I64;
  if (!(param.flags & (ADZE_PARAM_LIST | ADZE_PARAM_MAP))) {
    if (param.type == ADZE_FLAG) {
      if (text != "true" && text != "false") check.wrong_type();
      return text == "true";
    }
    if (!number) return text;
    const double value = parsed_number(check, text);
    if (param.type == ADZE_F64) return value;
    return check.whole(value);
  }
  std::vector<std::string> parts;
  for (std::size_t at = 0; !text.empty() && at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (param.flags & ADZE_PARAM_LIST) {
    if (!number) return parts;
    std::vector<double> numbers;
    for (const std::string& part : parts) numbers.push_back(parsed_number(check, part));
    return numbers;
  }
  std::map<std::string, double> numbers;
  std::map<std::string, std::string> texts;
  for (const std::string& part : parts) {
    const std::size_t colon = part.rfind(':');
    if (colon == std::string::npos) check.refuse("'" + part + "' is not of the form name:value");
    const std::string key = part.substr(0, colon), value = part.substr(colon + 1);
    if (number)
      numbers[key] = parsed_number(check, value);
    else
      texts[key] = value;
  }
  if (number) return numbers;
  return texts;
}

Settings parse_settings(const adze_component& component, const std::vector<std::string>& texts) {
  Settings settings;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
      throw Error(ADZE_INVALID_ARGUMENT, "--set wants NAME=VALUE, not '" + text + "'");
    const std::string name = text.substr(0, equals);
    settings[name] = parse_setting(component, name, text.substr(equals + 1));
  }
  return settings;
}

}  // namespace adze::host
