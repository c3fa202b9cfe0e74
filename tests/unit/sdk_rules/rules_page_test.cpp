// sdk/RULES.md and the table behind `adze plugin check` are one contract.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "host/base/file.hpp"
#include "host/check/rules.hpp"

namespace adze::host::check {
namespace {

/// First two cells of the rows "| L01 | exports ... |", without the rules of isolation.
std::vector<std::string> rows_of_page() {
  const std::filesystem::path source = std::getenv("ADZE_SOURCE_DIR");
  std::istringstream page(read_text_file(source / "sdk/RULES.md"));
  std::vector<std::string> rows;
  for (std::string line; std::getline(page, line);) {
    const bool is_rule = line.size() > 8 && line.starts_with("| ") && line.substr(5, 3) == " | " &&
                         line[2] != 'X' && std::isdigit(static_cast<unsigned char>(line[3]));
    if (is_rule) rows.push_back(line.substr(0, line.find(" |", 8)));
  }
  return rows;
}

TEST(RulesPage, names_every_rule_as_the_checker_does) {
  std::vector<std::string> expected;
  for (const Rule& rule : rules())
    expected.push_back(std::string("| ") + rule.id + " | " + rule.title +
                       (rule.severity == Severity::warning ? " *(warning)*" : ""));
  EXPECT_THAT(rows_of_page(), testing::ElementsAreArray(expected));
}

}  // namespace
}  // namespace adze::host::check
