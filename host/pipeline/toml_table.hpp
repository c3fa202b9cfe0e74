// One table of a TOML file being read: typed keys, every error with file:line:column, and keys that
// nobody asked for refused.
#pragma once

#include <toml++/toml.h>

#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/error.hpp"

namespace adze::host {

/// Errors: INVALID_ARGUMENT "file:line:column: why" for a syntax error; those of reading the file.
toml::table parse_toml(std::string_view text, const std::filesystem::path& file);
toml::table parse_toml_file(const std::filesystem::path& file);

class TomlTable {
 public:
  /// `name`: as in the file, "data.preprocess"; empty for the root. `table` must outlive this.
  TomlTable(const toml::table& table, std::filesystem::path file, std::string name)
      : table_(&table), file_(std::move(file)), name_(std::move(name)) {}

  /// Absent keys are nullopt; a key of another type is an error.
  std::optional<std::string> text(std::string_view key);
  std::optional<bool> flag(std::string_view key);
  std::optional<double> number(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t minimum);
  std::optional<std::vector<double>> numbers(std::string_view key);
  std::optional<std::vector<std::int64_t>> integers(std::string_view key);
  std::optional<std::vector<std::string>> texts(std::string_view key);
  std::optional<TomlTable> table(std::string_view key);
  std::vector<TomlTable> tables(std::string_view key);  ///< [[key]]; empty when absent
  /// A text that must be one of `choices`.
  std::optional<std::string> choice(std::string_view key, std::span<const std::string> choices);
  /// A file or folder that must exist, relative to the folder of this TOML file; absolute then.
  std::optional<std::filesystem::path> path(std::string_view key);

  /// Errors: `key` is missing from this table.
  template <class T>
  T required(std::string_view key, std::optional<T> value) const {
    if (!value) fail_missing(key);
    return *std::move(value);
  }

  /// Errors: the first key that was never asked for, with the nearest one that was.
  void refuse_other_keys() const;

  const toml::table& raw() const { return *table_; }
  const std::filesystem::path& file() const { return file_; }
  std::string where() const { return where(*table_); }
  std::string where(const toml::node& node) const;
  [[noreturn]] void fail(const toml::node& node, const std::string& text,
                         adze_status code = ADZE_INVALID_ARGUMENT) const;

 private:
  const toml::node* find(std::string_view key);
  [[noreturn]] void fail_type(std::string_view key, const toml::node& node,
                              std::string_view wanted) const;
  [[noreturn]] void fail_missing(std::string_view key) const;
  std::string full(std::string_view key) const;

  const toml::table* table_;
  std::filesystem::path file_;
  std::string name_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace adze::host
