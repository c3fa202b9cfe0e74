// The ONNX project's own tests, as Debian ships them, through adze.cpu: how many pass, which do
// not, and why. A wrong result is a failure; a model that is refused is not.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "host/plugin/registry.hpp"
#include "tests/integration/onnx_backend/case.hpp"
#include "tests/needs.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;

const fs::path kTests = "/usr/share/libonnx-testdata/data";

/// How many of a group must pass: raise them when more do.
const std::map<std::string, std::size_t> kLeast = {
    {"node", 810}, {"pytorch-converted", 82}, {"pytorch-operator", 35}, {"simple", 7}};

struct Group {
  std::vector<std::pair<std::string, Verdict>> verdicts;
  std::size_t count(Outcome outcome) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        verdicts, [&](const auto& entry) { return entry.second.outcome == outcome; }));
  }
};

Component cpu() {
  static const LoadedPlugin plugin =
      load_plugin(fs::path(std::getenv("ADZE_BINARY_DIR")) / "lib/adze/plugins/adze_cpu.so");
  return {plugin.plugin->components[0], &plugin};
}

Group run_group(const fs::path& folder) {
  std::vector<fs::path> cases;
  for (const auto& entry : fs::directory_iterator(folder))
    if (fs::exists(entry.path() / "model.onnx")) cases.push_back(entry.path());
  std::ranges::sort(cases);
  Group group;
  for (const fs::path& test : cases)
    group.verdicts.emplace_back(test.filename().string(), run_case(cpu(), test));
  return group;
}

void list(const Group& group, Outcome outcome, const std::string& title) {
  for (const auto& [name, verdict] : group.verdicts)
    if (verdict.outcome == outcome) fmt::print("  {} {}: {}\n", title, name, verdict.reason);
}

TEST(OnnxBackend, passes_the_tests_of_the_onnx_project_or_refuses_them) {
  ADZE_NEEDS(fs::exists(kTests / "node"), "libonnx-testdata");
  std::map<std::string, Group> groups;
  for (const auto& [name, least] : kLeast) groups[name] = run_group(kTests / name);
  for (const auto& [name, group] : groups) {
    fmt::print("{}\n", name);
    list(group, Outcome::not_supported, "not supported");
    list(group, Outcome::wrong, "WRONG");
  }
  fmt::print("\n{:<20}{:>8}{:>8}{:>16}{:>8}\n", "group", "passed", "wrong", "not supported", "all");
  for (const auto& [name, group] : groups)
    fmt::print("{:<20}{:>8}{:>8}{:>16}{:>8}\n", name, group.count(Outcome::passed),
               group.count(Outcome::wrong), group.count(Outcome::not_supported),
               group.verdicts.size());
  std::fflush(stdout);
  for (const auto& [name, group] : groups) {
    EXPECT_EQ(group.count(Outcome::wrong), 0u) << name;
    EXPECT_GE(group.count(Outcome::passed), kLeast.at(name)) << name;
  }
}

TEST(OnnxBackend, sees_a_wrong_element) {
  const float right[] = {1, 2}, close[] = {1, 2.001f}, wrong[] = {1, 2.01f};
  const auto tensor = [](std::span<const float> elements) {
    return Tensor(DType::f32, {2}, elements);
  };
  EXPECT_FALSE(difference(tensor(close), tensor(right)));
  EXPECT_TRUE(difference(tensor(wrong), tensor(right)));
  EXPECT_TRUE(difference(tensor(right).reshaped({1, 2}), tensor(right)));
}

}  // namespace
}  // namespace adze::host
