// Each rule of the contract against the plugin that breaks it: it must fail exactly there.
#include "host/check/rules.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/plugin/elf_scan.hpp"
#include "tests/bad_plugins/graphs.hpp"
#include "tests/integration/process.hpp"

namespace adze::host {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

/// Random cases find other rules' faults too, by design: one harmless case, but for F01's own.
const char* fuzz_seconds(const std::string& rule) { return rule == "F01" ? "5" : "0"; }

json checked(const std::filesystem::path& plugin, const char* seconds,
             const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"--json",        "plugin",    "check",
                                        plugin.string(), "--seconds", seconds};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const auto outcome = ::adze::test::adze(arguments);
  if (outcome.out.empty()) throw std::runtime_error(outcome.err);
  json document = json::parse(outcome.out);
  document["exit_code"] = outcome.exit_code;
  return document;
}

struct Found {
  std::string ids, detail;
};

/// The rules that did not pass and were not skipped.
Found broken(const json& document, const std::string& expected) {
  Found found;
  for (const json& rule : document["rules"]) {
    if (rule["outcome"] == "passed" || rule["outcome"] == "skipped") continue;
    found.ids += (found.ids.empty() ? "" : " ") + rule["id"].get<std::string>();
    if (rule["id"] == expected || found.detail.empty()) found.detail = rule["detail"];
  }
  return found;
}

/// bad_C05.so, bad_C05_process.so: the ways in which the rule is broken.
std::vector<std::string> bad_plugins(const std::string& rule) {
  std::vector<std::string> names;
  const auto folder = test::test_plugin("").parent_path();
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().stem().string(), wanted = "bad_" + rule;
    if (name == wanted || name.starts_with(wanted + "_")) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

TEST(Rules, each_is_broken_by_its_bad_plugins_and_by_no_other) {
  fmt::print("{:<5} {:<16} {:<8} {}\n", "rule", "bad plugin", "broken", "what was found");
  for (const check::Rule& rule : check::rules()) {
    const std::string id = rule.id;
    EXPECT_THAT(bad_plugins(id), testing::Contains("bad_" + id));
    for (const std::string& plugin : bad_plugins(id)) {
      const json document = checked(test::test_plugin(plugin), fuzz_seconds(id),
                                    {"--deadline", plugin == "bad_P04_hang" ? "2" : "20"});
      const Found found = broken(document, id);
      fmt::print("{:<5} {:<16} {:<8} {}\n", id, plugin, found.ids,
                 found.detail.substr(0, found.detail.find('\n')));
      EXPECT_EQ(found.ids, id) << plugin << document.dump(1);
      const bool warns = rule.severity == check::Severity::warning;
      EXPECT_EQ(document["exit_code"], warns ? 0 : 1) << plugin;
      EXPECT_EQ(document[warns ? "warnings" : "failed"], 1) << plugin;
    }
  }
}

TEST(Rules, are_numbered_without_gaps_and_say_what_to_do) {
  std::map<char, int> last;
  for (const check::Rule& rule : check::rules()) {
    EXPECT_EQ(rule.id, fmt::format("{}{:02}", rule.id[0], ++last[rule.id[0]]));
    EXPECT_NE(std::ranges::find(check::groups(), rule.id[0], &check::Group::letter),
              check::groups().end());
    EXPECT_FALSE(std::string_view(rule.title).empty() || std::string_view(rule.advice).empty());
  }
  EXPECT_EQ(check::rules().size(), 49u);
}

double seconds_of_children() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

TEST(FirstPartyPlugins, keep_every_rule_in_less_than_thirty_seconds) {
  const char* build = std::getenv("ADZE_BINARY_DIR");
  const auto folder = std::filesystem::path(build ? build : ".") / "lib" / "adze" / "plugins";
  for (const char* name :
       {"adze_magnitude", "adze_reconstruct", "adze_ptq", "adze_cpu", "adze_drpai"}) {
    const bool plain = own_sanitizer().empty();  // sanitizers take their time
    const double before = seconds_of_children();
    const json document = checked(folder / (std::string(name) + ".so"), plain ? "3" : "0");
    // Of the processor: other tests run at the same time.
    const double seconds = seconds_of_children() - before;
    fmt::print("{:<16} {} passed, {:.1f} s\n", name, document["passed"].get<int>(), seconds);
    EXPECT_EQ(document["failed"], 0) << document.dump(1);
    EXPECT_THAT(broken(document, "L06").ids, AnyOf("", "L06")) << "slow disks load slowly";
    EXPECT_LT(seconds, plain ? 30 : 300) << name;
  }
}

std::string detail_of(const json& document, const std::string& id) {
  for (const json& rule : document["rules"])
    if (rule["id"] == id) return rule["detail"];
  return "there is no rule " + id;
}

::adze::test::Outcome check(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"plugin", "check"});
  return ::adze::test::adze(arguments);
}

TEST(PluginCheck, a_crash_is_explained_with_signal_last_words_and_what_was_tried) {
  const json document = checked(test::test_plugin("bad_R04"), "0");
  EXPECT_THAT(detail_of(document, "R04"),
              AllOf(HasSubstr("killed by signal 11"), HasSubstr("wrote to what it was shown"),
                    HasSubstr("cannot be written")));
}

TEST(PluginCheck, the_call_that_crashed_is_named) {
  const std::string plugin = test::test_plugin("bad_P04_defaults").string();
  const json alone = checked(plugin, "0", {"--only", "H01"});
  EXPECT_THAT(detail_of(alone, "H01"),
              AllOf(HasSubstr("signal 6"), HasSubstr("[in prune() of org.example.bad]")));
  EXPECT_THAT(detail_of(checked(test::test_plugin("bad_C04"), "0"), "C04"),
              HasSubstr("[in prune() of org.example.bad, while get_extension() answered NULL"));
}

TEST(PluginCheck, a_component_that_never_works_is_one_thing_to_mend) {
  const json document = checked(test::test_plugin("bad_P04_defaults"), "0");
  for (const char* id : {"C01", "H06", "G01", "R03", "T02", "S01", "F01"})
    EXPECT_EQ(detail_of(document, id), "not looked at before P04 is mended");
  EXPECT_EQ(detail_of(document, "P05"), "");
  EXPECT_EQ(document["failed"], 1);
}

TEST(PluginCheck, what_a_compiler_brings_is_no_static_constructor) {
  const json document = checked(test::test_plugin("bad_good_cpu"), "0", {"--only", "L10"});
  EXPECT_EQ(document["passed"], 1) << detail_of(document, "L10");
  EXPECT_THAT(detail_of(checked(test::test_plugin("bad_L10_static"), "0"), "L10"),
              HasSubstr("1 of its functions runs"));
}

TEST(PluginCheck, only_takes_a_list_as_people_write_it) {
  const std::string plugin = test::test_plugin("bad_good").string();
  EXPECT_THAT(check({plugin, "--only", "l01, D01"}).out, HasSubstr("\n2 passed,"));
  EXPECT_THAT(check({"--only", "L01,D01", plugin}).out, HasSubstr("\n2 passed,"));
  const auto of_runs = check({plugin, "--only", "X01"});
  EXPECT_EQ(of_runs.exit_code, 2);
  EXPECT_THAT(of_runs.err, HasSubstr("what ended a plugin's process"));
}

TEST(PluginCheck, text_says_what_to_do) {
  const auto outcome = check({test::test_plugin("bad_L03").string(), "--only", "L"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("failed   L03"), HasSubstr("'helper'"),
                                 HasSubstr("What to do: "), HasSubstr(" 1 failed,")));
}

TEST(PluginCheck, a_missing_file_and_an_unknown_rule_are_errors_of_use) {
  EXPECT_EQ(check({"/nowhere/plugin.so"}).exit_code, 2);
  const auto unknown = check({test::test_plugin("bad_good").string(), "--only", "L3"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, AllOf(HasSubstr("no rule 'L3'"), HasSubstr("did you mean 'L03'")));
  const auto component =
      check({test::test_plugin("bad_good").string(), "--component", "org.example.goof"});
  EXPECT_EQ(component.exit_code, 2);
  EXPECT_THAT(component.err, HasSubstr("did you mean 'org.example.good'"));
}

TEST(PluginCheck, a_random_case_can_be_repeated_by_its_seed) {
  const std::string plugin = test::test_plugin("bad_F01").string();
  const std::string found = detail_of(checked(plugin, "5"), "F01");
  const std::string word = "--reproduce ";
  ASSERT_THAT(found, HasSubstr(word));
  const std::string seed =
      std::to_string(std::stoull(found.substr(found.find(word) + word.size())));
  const auto again = check({plugin, "--reproduce", seed});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.out, AllOf(HasSubstr("seed " + seed), HasSubstr("rounds = "),
                               HasSubstr("input image"), HasSubstr("killed by signal 6")));
  EXPECT_EQ(check({plugin, "--reproduce", seed, "--only", "F"}).out, again.out);
  const auto contradiction = check({plugin, "--reproduce", seed, "--only", "L,F"});
  EXPECT_EQ(contradiction.exit_code, 2);
  EXPECT_THAT(contradiction.err, HasSubstr("leave out --only"));
}

TEST(PluginCheck, in_process_gives_the_same_verdict) {
  const std::string plugin = test::test_plugin("bad_R01").string();
  const auto outcome = check({plugin, "--in-process", "--only", "R"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("failed   R01"));
}

}  // namespace
}  // namespace adze::host
