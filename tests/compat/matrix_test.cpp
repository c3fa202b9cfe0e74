// Old and new plugins in an old and a new host. This file is compiled twice: against today's
// headers, with today's host, and against the draft of ABI 1.1, with the same host's sources.
#include <adze/pruner.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "host/abi/call.hpp"
#include "host/base/error.hpp"
#include "tests/bad_plugins/graphs.hpp"
#include "tests/needs.hpp"

namespace adze::host {
namespace {

constexpr int kHostMinor = ADZE_ABI_NEWEST_MINOR;

/// What happens when this host loads the plugin and prunes a weight of 1, 2, 3, 4, 5, 6.
std::string outcome(const std::string& name) {
  LoadedPlugin plugin;
  try {
    plugin = load_plugin(test::test_plugin(name));
  } catch (const PluginError& error) {
    const std::string_view text = error.what();
    return std::string(text.substr(text.find(": ") + 2));
  }
  const Component component{plugin.plugin->components[0], &plugin};
  const Graph graph = test::two_gemms();
  Call call(component, {}, {});
  const View view(graph, {0});
  EditList edits(graph, {0});
  call.show(view);
  call.accept(edits);
  std::string says;
#if ADZE_TARGET_MINOR >= 1
  // The host's tables end where 1.0 ends; the draft's function is added here.
  adze_host host = *call.get()->host;
  EXPECT_EQ(host.struct_size, sizeof host);
  host.memory_budget = [](adze_call*) noexcept -> std::uint64_t { return 1 << 20; };
  call.get()->host = &host;
  says = ADZE_HAS(component.component, adze_component, working_set_bytes)
             ? fmt::format("; needs {} bytes", component.component->working_set_bytes)
             : "; does not say what it needs";
#endif
  call.check(component.component->pruner->prune(nullptr, call.get()), "prune");
  return fmt::format("{}{}", fmt::join(edits.commit().values[1].constant->as<float>(), " "), says);
}

struct Case {
  const char *plugin, *described, *in_1_0, *in_1_1;
};
void PrintTo(const Case& each, std::ostream* out) { *out << each.plugin; }

class Matrix : public testing::TestWithParam<Case> {};

TEST_P(Matrix, does_what_both_sides_know) {
  const auto& [plugin, described, in_1_0, in_1_1] = GetParam();
  ADZE_NEEDS(std::filesystem::exists(test::test_plugin(plugin)), "rustc or another compiler");
  const std::string found = outcome(plugin);
  std::printf("| %-28s | host 1.%d | %s\n", described, kHostMinor, found.c_str());
  EXPECT_EQ(found, kHostMinor == 0 ? in_1_0 : in_1_1);
}

INSTANTIATE_TEST_SUITE_P(
    Plugins, Matrix,
    testing::Values(
        Case{"old_gcc", "C built with 1.0", "0 0 3 4 5 6",
             "0 0 3 4 5 6; does not say what it needs"},
        // It prunes the second weight where the host offers memory_budget, else the first.
        Case{"newer_needs_1_0", "C built with 1.1, needs 1.0", "0 2 3 4 5 6",
             "1 0 3 4 5 6; needs 4096 bytes"},
        Case{"newer_needs_1_1", "C built with 1.1, needs 1.1",
             "needs ABI 1.1, this host offers 1.0; update the host (D02)",
             "1 0 3 4 5 6; needs 4096 bytes"},
        Case{"old_rust", "Rust built with 1.0", "0 2 3 4 5 6",
             "0 2 3 4 5 6; does not say what it needs"}),
    [](const auto& each) { return std::string(each.param.plugin); });

}  // namespace
}  // namespace adze::host
