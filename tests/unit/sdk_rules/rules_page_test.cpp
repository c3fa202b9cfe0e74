// sdk/RULES.md and the table behind `adze plugin check` are one contract.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/check/rules.hpp"

namespace adze::host::check {
namespace {

std::filesystem::path source() { return std::getenv("ADZE_SOURCE_DIR"); }

/// Of code.
std::string without_marks(std::string text) {
  std::erase(text, '`');
  return text;
}

/// The cells of "| L01 | exports ... | ... |".
std::vector<std::string> cells_of(const std::string& given) {
  const std::string line = without_marks(given);
  std::vector<std::string> cells;
  for (std::size_t at = 2, end; (end = line.find(" |", at)) != std::string::npos; at = end + 3)
    cells.push_back(line.substr(at, end - at));
  return cells;
}

bool is_rule(const std::string& line) {
  return line.size() > 8 && line.starts_with("| ") && line.substr(5, 3) == " | " &&
         std::isdigit(static_cast<unsigned char>(line[3]));
}

/// Rules of the page, those of group X or all others: cells 0, 1 and, where there is one, 3.
std::vector<std::string> rows_of_page(bool of_runs) {
  std::istringstream page(read_text_file(source() / "sdk/RULES.md"));
  std::vector<std::string> rows;
  for (std::string line; std::getline(page, line);) {
    if (!is_rule(line) || (line[2] == 'X') != of_runs) continue;
    const std::vector<std::string> cells = cells_of(line);
    rows.push_back(cells[0] + " " + cells[1] + (of_runs ? "" : ": " + cells.at(3)));
  }
  return rows;
}

TEST(RulesPage, says_every_rule_and_what_to_do_as_the_checker_does) {
  std::vector<std::string> expected;
  for (const Rule& rule : rules())
    expected.push_back(without_marks(std::string(rule.id) + " " + rule.title +
                                     (rule.severity == Severity::warning ? " *(warning)*" : "") +
                                     ": " + rule.advice));
  EXPECT_THAT(rows_of_page(false), testing::ElementsAreArray(expected));
}

TEST(RulesPage, says_what_ends_a_run_as_the_checker_does) {
  std::vector<std::string> expected;
  for (const RunRule& rule : run_rules())
    expected.push_back(std::string(rule.id) + " " + rule.title);
  EXPECT_THAT(rows_of_page(true), testing::ElementsAreArray(expected));
}

TEST(RulesPage, every_rule_that_the_headers_name_exists) {
  std::set<std::string> known;
  for (const Rule& rule : rules()) known.insert(rule.id);
  for (const RunRule& rule : run_rules()) known.insert(rule.id);
  int named = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(source() / "sdk/include")) {
    if (!entry.is_regular_file()) continue;
    const std::string text = read_text_file(entry.path());
    static const std::regex kRule("\\b[LDPCHGRTSFX][0-9][0-9]\\b");
    for (std::sregex_iterator at(text.begin(), text.end(), kRule), end; at != end; ++at, ++named) {
      if (at->str() == "C11") continue;  // the language
      EXPECT_TRUE(known.contains(at->str())) << at->str() << " in " << entry.path();
    }
  }
  EXPECT_GT(named, 20);
}

std::string refusal(const std::vector<std::string>& wanted) {
  try {
    select_rules(wanted);
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_INVALID_ARGUMENT);
    return error.what();
  }
  return "";
}

TEST(SelectRules, spaces_case_and_order_do_not_matter) {
  const std::vector<std::string> given = {" d01", "L", " "}, plain = {"L", "D01"};
  EXPECT_EQ(select_rules(given), select_rules(plain));
  EXPECT_EQ(select_rules(plain).size(), 11u);
  EXPECT_THAT(refusal({" ", ""}), testing::HasSubstr("no rule is named"));
}

TEST(SelectRules, rules_of_runs_are_no_rules_of_the_check) {
  for (const char* id : {"X01", "x08", "X"})
    EXPECT_THAT(refusal({id}), testing::HasSubstr("what ended a plugin's process")) << id;
  EXPECT_THAT(refusal({"X09"}), testing::HasSubstr("no rule 'X09'"));
}

}  // namespace
}  // namespace adze::host::check
