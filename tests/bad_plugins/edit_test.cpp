// Pruners and quantizers that load well and then misbehave: each is named, none changes the graph.
#include <gtest/gtest.h>

#include "host/abi/call.hpp"
#include "host/base/error.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct BadEdit {
  std::size_t component;
  const char* name;
  const char* text;
};

void PrintTo(const BadEdit& fault, std::ostream* out) { *out << fault.name; }

class BadEdits : public testing::TestWithParam<BadEdit> {};

TEST_P(BadEdits, fail_by_name_and_leave_the_graph_as_it_was) {
  Graph graph = test::two_gemms();
  graph.values[1].keep = {1, 1, 1, 1, 1, 0};  // pruned by an earlier stage
  graph.values[1].constant->mutate<float>()[5] = 0;
  const Component component = test::component("bad_edits", GetParam().component);
  const char* function = GetParam().component == 0 ? "prune: " : "quantize: ";
  try {
    run_edit_component(component, {{"fault", std::string(GetParam().name)}}, graph, {0}, {}, {});
    FAIL() << "accepted";
  } catch (const PluginError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("bad_edits.so"), HasSubstr(component.component->id),
                                    HasSubstr(function), HasSubstr(GetParam().text)));
  }
  EXPECT_EQ(graph.values[1].keep, (std::vector<std::uint8_t>{1, 1, 1, 1, 1, 0}));
  EXPECT_THAT(graph.values[1].constant->as<float>(), testing::ElementsAre(1, 2, 3, 4, 5, 0));
  EXPECT_FALSE(graph.values[1].quant);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, BadEdits,
    testing::Values(BadEdit{0, "silent", "without a reason (R01)"},
                    BadEdit{0, "no_such_status", "[unknown]"},
                    BadEdit{0, "cancelled", "[cancelled]"},
                    BadEdit{0, "short_mask", "'first.weight' has 6 elements, the mask 5"},
                    BadEdit{0, "nan", "element 5 is nan"},
                    BadEdit{0, "not_target", "'last.weight' belongs to node 'last'"},
                    BadEdit{0, "no_constant", "'input' is no constant"},
                    BadEdit{0, "revives", "element 5 was pruned by an earlier stage"},
                    BadEdit{0, "wrong_shape", "'first.weight' is 3x2 of float32"},
                    BadEdit{0, "huge_shape", "the new contents are 1073741824x2 of float32"},
                    BadEdit{0, "quantizes", "set_quant is for a quantizer"},
                    BadEdit{0, "channels", "3 of its 3 channels; one must stay"},
                    BadEdit{0, "bad_rewind", "1000 is no mark"},
                    BadEdit{1, "zero_scale", "scale 0 is not a finite number above 0"},
                    BadEdit{1, "many_scales", "2147483648 scales for the whole tensor"},
                    BadEdit{1, "wrong_count", "2 scales for the whole tensor"},
                    BadEdit{1, "no_scale", "no scale"},
                    BadEdit{1, "bad_zero", "zero point 500 is outside -128..127"},
                    BadEdit{1, "bad_axis", "has no axis 9"},
                    BadEdit{1, "bad_flags", "unknown flags"},
                    BadEdit{1, "bias", "'first.bias' is a bias"},
                    BadEdit{1, "masks", "set_mask is for a pruner"}),
    [](const auto& fault) { return std::string(fault.param.name); });

TEST(EditComponent, a_refusal_that_was_ignored_leaves_the_edits_before_it) {
  const Graph graph = test::two_gemms();
  const EditList edits =
      run_edit_component(test::component("bad_edits"), {{"fault", std::string("ignores_refusal")}},
                         graph, {0}, {}, {});
  EXPECT_EQ(edits.edits().size(), 1u);
}

TEST(EditComponent, a_need_that_nobody_serves_is_found_before_the_component_runs) {
  const Graph graph = test::two_gemms();
  try {
    run_edit_component(test::component("bad_edits", 2), {}, graph, {0}, {}, {});
    FAIL() << "it ran";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::usage);
    EXPECT_THAT(error.what(), HasSubstr("org.example.nobody-offers-this/1"));
  }
}

TEST(EditComponent, the_measure_itself_prunes_one_weight) {
  const Graph graph = test::two_gemms();
  const EditList edits = run_edit_component(test::component("bad_edits"), {}, graph, {0}, {}, {});
  const Graph pruned = edits.commit();
  EXPECT_THAT(pruned.values[1].constant->as<float>(), testing::ElementsAre(0, 2, 3, 4, 5, 6));
}

}  // namespace
}  // namespace adze::host
