#include "host/pipeline/toml_table.hpp"

#include <fmt/format.h>

#include <sstream>

#include "host/base/file.hpp"
#include "host/base/nearest.hpp"

namespace adze::host {
namespace {

std::string located(const std::filesystem::path& file, const toml::source_position& position) {
  // A table that only exists through its children has no place of its own.
  if (!position) return file.string();
  return fmt::format("{}:{}:{}", file.string(), position.line, position.column);
}

std::string type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

}  // namespace

toml::table parse_toml(std::string_view text, const std::filesystem::path& file) {
  try {
    return toml::parse(text, file.string());
  } catch (const toml::parse_error& error) {
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("{}: not valid TOML: {}", located(file, error.source().begin),
                            std::string(error.description())));
  }
}

toml::table parse_toml_file(const std::filesystem::path& file) {
  return parse_toml(read_text_file(file), file);
}

std::string TomlTable::where(const toml::node& node) const {
  return located(file_, node.source().begin);
}

std::string TomlTable::full(std::string_view key) const {
  return name_.empty() ? std::string(key) : fmt::format("{}.{}", name_, key);
}

void TomlTable::fail(const toml::node& node, const std::string& text, adze_status code) const {
  throw Error(code, fmt::format("{}: {}", where(node), text));
}

void TomlTable::fail_type(std::string_view key, const toml::node& node,
                          std::string_view wanted) const {
  fail(node, fmt::format("'{}' is {}, but must be {}", full(key), type_name(node), wanted));
}

void TomlTable::fail_missing(std::string_view key) const {
  fail(*table_, fmt::format("'{}' is missing; it is needed", full(key)));
}

const toml::node* TomlTable::find(std::string_view key) {
  known_.emplace(key);
  return table_->get(key);
}

std::optional<std::string> TomlTable::text(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (!node->is_string()) fail_type(key, *node, "a text");
  return node->as_string()->get();
}

std::optional<bool> TomlTable::flag(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (const auto* flag = node->as_boolean()) return flag->get();
  fail_type(key, *node, "true or false");
}

std::optional<double> TomlTable::number(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (!node->is_number()) fail_type(key, *node, "a number");
  return node->value<double>();
}

std::optional<std::int64_t> TomlTable::integer(std::string_view key, std::int64_t minimum) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (!node->is_integer()) fail_type(key, *node, "an integer");
  const std::int64_t value = node->as_integer()->get();
  if (value < minimum)
    fail(*node, fmt::format("'{}' is {}, but must be at least {}", full(key), value, minimum));
  return value;
}

std::optional<std::vector<double>> TomlTable::numbers(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (!node->is_array()) fail_type(key, *node, "an array of numbers");
  std::vector<double> values;
  for (const toml::node& element : *node->as_array()) {
    if (!element.is_number()) fail_type(key, element, "an array of numbers");
    values.push_back(*element.value<double>());
  }
  return values;
}

std::optional<std::vector<std::int64_t>> TomlTable::integers(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (!node->is_array()) fail_type(key, *node, "an array of integers");
  std::vector<std::int64_t> values;
  for (const toml::node& element : *node->as_array()) {
    if (!element.is_integer()) fail_type(key, element, "an array of integers");
    values.push_back(element.as_integer()->get());
  }
  return values;
}

std::optional<std::vector<std::string>> TomlTable::texts(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (!node->is_array()) fail_type(key, *node, "an array of texts");
  std::vector<std::string> values;
  for (const toml::node& element : *node->as_array()) {
    if (!element.is_string()) fail_type(key, element, "an array of texts");
    values.push_back(element.as_string()->get());
  }
  return values;
}

std::optional<TomlTable> TomlTable::table(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (!node->is_table()) fail_type(key, *node, fmt::format("a table: [{}]", full(key)));
  return TomlTable(*node->as_table(), file_, full(key));
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return {};
  const std::string wanted = fmt::format("a list of tables, each begun with [[{}]]", full(key));
  if (!node->is_array()) fail_type(key, *node, wanted);
  std::vector<TomlTable> found;
  for (const toml::node& element : *node->as_array()) {
    if (!element.is_table()) fail_type(key, element, wanted);
    found.emplace_back(*element.as_table(), file_, full(key));
  }
  return found;
}

std::optional<std::string> TomlTable::choice(std::string_view key,
                                             std::span<const std::string> choices) {
  std::optional<std::string> value = text(key);
  if (!value) return value;
  std::string all;
  for (const std::string& one : choices) {
    if (one == *value) return value;
    all += (all.empty() ? "" : ", ") + one;
  }
  fail(*table_->get(key), fmt::format("'{}' is '{}'; known are: {}", full(key), *value, all));
}

std::optional<std::filesystem::path> TomlTable::path(std::string_view key) {
  const std::optional<std::string> given = text(key);
  if (!given) return std::nullopt;
  const std::filesystem::path found =
      std::filesystem::absolute(file_.parent_path() / *given).lexically_normal();
  std::error_code ignored;
  if (!std::filesystem::exists(found, ignored))
    fail(*table_->get(key),
         fmt::format("'{}': there is no file '{}' (paths are relative to the folder of this file)",
                     full(key), found.string()),
         ADZE_NOT_FOUND);
  return found;
}

void TomlTable::refuse_other_keys() const {
  for (const auto& [key, node] : *table_) {
    if (known_.contains(key.str())) continue;
    const std::vector<std::string> candidates(known_.begin(), known_.end());
    const std::string meant = nearest(key.str(), candidates);
    std::string all;
    for (const std::string& one : candidates) all += (all.empty() ? "" : ", ") + one;
    throw Error(
        ADZE_INVALID_ARGUMENT,
        fmt::format(
            "{}: unknown key '{}'; {}", located(file_, key.source().begin), full(key.str()),
            meant.empty() ? "known are: " + all : fmt::format("did you mean '{}'?", meant)));
  }
}

}  // namespace adze::host
