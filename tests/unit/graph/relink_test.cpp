#include "graph_builder.hpp"
#include "host/base/error.hpp"

namespace adze::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

void expect_refused(Graph graph, const testing::Matcher<std::string>& text) {
  try {
    graph.relink();
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_INVALID_ARGUMENT);
    EXPECT_THAT(std::string(error.what()), text);
  }
}

TEST(Relink, sorts_no_more_than_needed) {
  GraphBuilder b;
  const auto x = b.input("x", {1});
  const auto a = b.value("a", {1}), c = b.value("c", {1}), d = b.value("d", {1});
  b.node("Late", {a}, {c}, "late");
  b.node("Other", {x}, {d}, "other");
  b.node("Early", {x}, {a}, "early");
  b.graph.outputs = {c, d};
  b.graph.relink();
  EXPECT_THAT(operators(b.graph), ElementsAre("Other", "Early", "Late"));
}

TEST(Relink, drops_values_that_nothing_uses_and_renumbers) {
  GraphBuilder b;
  b.value("unused", {1});
  const auto y = b.value("y", {1});
  const auto w = b.floats("w", {1}, {1});
  const auto x = b.input("x", {1});
  b.node("Add", {x, w}, {y}, "add");
  b.graph.outputs = {y};
  b.graph.relink();
  ASSERT_EQ(b.graph.values.size(), 3u);
  EXPECT_EQ(b.graph.values[0].name, "x");
  EXPECT_EQ(b.graph.values[1].name, "w");
  EXPECT_EQ(b.graph.values[2].name, "y");
  EXPECT_THAT(b.graph.nodes[0].inputs, ElementsAre(0, 1));
  EXPECT_EQ(b.graph.values[2].producer, 0u);
  EXPECT_EQ(b.graph.values[0].producer, kNone);
  EXPECT_THAT(b.graph.outputs, ElementsAre(2));
}

TEST(Relink, lists_each_consumer_once) {
  GraphBuilder b;
  const auto x = b.input("x", {1}), y = b.value("y", {1}), z = b.value("z", {1});
  b.node("Add", {x, x}, {y});
  b.node("Mul", {y, x}, {z});
  b.graph.outputs = {z};
  b.graph.relink();
  EXPECT_THAT(value_named(b.graph, "x").consumers, ElementsAre(0, 1));
}

TEST(Relink, twice_changes_nothing) {
  GraphBuilder b;
  const auto x = b.input("x", {1}), y = b.value("y", {1});
  b.node("Clip", {x, kNone, b.floats("max", {}, {6})}, {y});
  b.graph.outputs = {y};
  b.graph.relink();
  EXPECT_EQ(b.graph.nodes[0].inputs[1], kNone);
  const auto before = b.graph.nodes[0].inputs;
  b.graph.relink();
  EXPECT_EQ(b.graph.nodes[0].inputs, before);
}

TEST(Relink, names_the_nodes_of_a_cycle) {
  GraphBuilder b;
  const auto x = b.input("x", {1}), y = b.value("y", {1}), z = b.value("z", {1});
  b.node("Add", {x, z}, {y}, "add");
  b.node("Relu", {y}, {z}, "relu");
  b.graph.outputs = {z};
  expect_refused(b.graph,
                 testing::AllOf(HasSubstr("cycle"), HasSubstr("'add'"), HasSubstr("'relu'")));
}

TEST(Relink, refuses_values_made_twice_or_never) {
  GraphBuilder twice;
  const auto x = twice.input("x", {1}), y = twice.value("y", {1});
  twice.node("Relu", {x}, {y}, "one");
  twice.node("Tanh", {x}, {y}, "two");
  expect_refused(twice.graph, testing::AllOf(HasSubstr("'one'"), HasSubstr("'two'")));

  GraphBuilder never;
  const auto z = never.value("z", {1}), v = never.value("v", {1});
  never.node("Relu", {z}, {v}, "relu");
  expect_refused(never.graph, testing::AllOf(HasSubstr("'relu'"), HasSubstr("'z'")));

  GraphBuilder output;
  output.graph.outputs = {output.value("lost", {1})};
  expect_refused(output.graph, HasSubstr("'lost'"));
}

TEST(Graph, finds_by_name) {
  GraphBuilder b;
  b.input("x", {1});
  b.node("Relu", {0}, {b.value("y", {1})}, "relu");
  EXPECT_EQ(b.graph.find_value("y"), 1u);
  EXPECT_EQ(b.graph.find_value("z"), kNone);
  EXPECT_EQ(b.graph.find_node("relu"), 0u);
  EXPECT_EQ(b.graph.find_node("y"), kNone);
}

TEST(Graph, attribute_of_another_type_names_node_and_attribute) {
  Node node;
  node.name = "pool";
  node.attributes["pads"] = std::string("none");
  EXPECT_EQ(attribute_or<std::int64_t>(node, "group", 3), 3);
  EXPECT_EQ(attribute_or<std::string>(node, "pads", ""), "none");
  try {
    attribute_or<std::vector<std::int64_t>>(node, "pads", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("'pool'"), HasSubstr("'pads'")));
  }
}

TEST(Graph, weight_is_input_one_of_layers_when_constant) {
  GraphBuilder b;
  const auto x = b.input("x", {1, 2}), w = b.floats("w", {2, 2}, {1, 2, 3, 4});
  const auto y = b.value("y", {1, 2}), z = b.value("z", {1, 2});
  b.node("MatMul", {x, w}, {y});
  b.node("Add", {y, w}, {z});
  EXPECT_EQ(weight_of(b.graph, b.graph.nodes[0]), w);
  EXPECT_EQ(weight_of(b.graph, b.graph.nodes[1]), kNone);
  b.graph.values[w].constant.reset();
  EXPECT_EQ(weight_of(b.graph, b.graph.nodes[0]), kNone);
}

}  // namespace
}  // namespace adze::host
