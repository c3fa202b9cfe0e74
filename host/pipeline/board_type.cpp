#include "host/pipeline/board_type.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/nearest.hpp"
#include "host/pipeline/board_type_check.hpp"
#include "host/pipeline/toml_table.hpp"

namespace adze::host {
namespace {

void flatten(TomlTable table, const std::string& prefix, Facts& facts) {
  for (const auto& [name, node] : table.raw()) {
    const std::string key(name.str()), full = prefix + key;
    if (const auto* flag = node.as_boolean()) {
      facts[full] = flag->get();
    } else if (const auto* integer = node.as_integer()) {
      facts[full] = integer->get();
    } else if (const auto* number = node.as_floating_point()) {
      facts[full] = number->get();
    } else if (const auto* text = node.as_string()) {
      facts[full] = text->get();
    } else if (node.is_table()) {
      flatten(*table.table(key), full + ".", facts);
    } else if (const auto* array = node.as_array(); array && !array->empty()) {
      if (array->front().is_table()) {
        const std::vector<TomlTable> tables = table.tables(key);
        for (std::size_t i = 0; i < tables.size(); ++i)
          flatten(tables[i], fmt::format("{}.{}.", full, i), facts);
      } else if (array->front().is_string()) {
        facts[full] = *table.texts(key);
      } else {
        facts[full] = *table.numbers(key);
      }
    } else if (array) {
      facts[full] = std::vector<std::string>();
    } else {
      table.fail(node, fmt::format("'{}' is a date or time, which cannot be a fact", full));
    }
  }
}

/// "2.4.1" as 2, 4, 1.
std::vector<int> version_numbers(const std::string& version) {
  std::vector<int> numbers;
  bool digits = false;
  for (const char c : version + ".") {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c != '.' || !digits))
      throw Error(ADZE_INVALID_ARGUMENT, fmt::format("'{}' is no version of the toolchain; write "
                                                     "it like 2.4",
                                                     version));
    if (digit && !digits) numbers.push_back(0);
    if (digit) numbers.back() = std::min(numbers.back(), 100000) * 10 + (c - '0');
    digits = digit;
  }
  return numbers;
}

}  // namespace

std::filesystem::path board_type_folder() { return installation_root() / "share/adze/boards"; }

std::vector<std::string> board_types(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(folder, missing))
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

void require_board_type(const std::string& board_type, const std::filesystem::path& folder) {
  const std::vector<std::string> known = board_types(folder);
  if (known.empty())
    throw Error(ADZE_NOT_FOUND,
                fmt::format("no board type '{}': there is none in '{}'; is Adze installed?",
                            board_type, folder.string()));
  if (std::find(known.begin(), known.end(), board_type) == known.end())
    throw Error(ADZE_NOT_FOUND,
                fmt::format("no board type '{}' among {}{}", board_type, fmt::join(known, ", "),
                            did_you_mean(board_type, known)));
}

Facts load_facts(const std::string& board_type, const std::filesystem::path& folder) {
  require_board_type(board_type, folder);
  const std::filesystem::path file = folder / (board_type + ".toml");
  const toml::table parsed = parse_toml_file(file);
  Facts facts;
  flatten(TomlTable(parsed, file, ""), "", facts);
  return facts;
}

Facts at_toolchain(Facts facts, const std::string& version) {
  const std::vector<int> wanted = version_numbers(version);
  // The newest first, so that what changed earlier wins.
  for (std::size_t i = 0;; ++i) {
    const std::string prefix = fmt::format("toolchain.older.{}.", i);
    const auto before = facts.find(prefix + "before");
    if (before == facts.end()) return facts;
    if (wanted >= version_numbers(std::get<std::string>(before->second))) continue;
    const Facts known = facts;
    for (const auto& [name, fact] : known)
      if (const std::string key = name.starts_with(prefix) ? name.substr(prefix.size()) : "";
          !key.empty() && key != "before" && key != "source")
        facts["placement." + key] = fact;
  }
}

std::unique_ptr<Target> load_target(const std::string& board_type) {
  const Facts facts = load_facts(board_type);
  check_board_type(facts, (board_type_folder() / (board_type + ".toml")).string());
  return std::make_unique<Target>(board_type, facts);
}

double interval_factor(const Facts& facts, const std::string& board_type) {
  const auto found = facts.find("cost.interval_factor");
  if (found == facts.end())
    throw Error(ADZE_INVALID_ARGUMENT,
                "board type '" + board_type + "' has no [cost], so nothing can be predicted");
  const auto* whole = std::get_if<std::int64_t>(&found->second);
  return whole ? static_cast<double>(*whole) : std::get<double>(found->second);
}

}  // namespace adze::host
