#include "host/report/comparison_report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/report/comparison.hpp"
#include "host/report/svg.hpp"

namespace adze::host {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

OutputComparison figures(const std::string& name, double max_rel) {
  OutputComparison made;
  made.name = name;
  made.elements = 100;
  made.max_abs = made.mismatch_share = max_rel;
  made.max_rel = max_rel;
  return made;
}

/// Thirty layers, every third one quantized; the runners part at layer 20.
json document() {
  LayerComparison comparison;
  for (int i = 0; i < 30; ++i) {
    const std::string name = "layer" + std::to_string(i);
    LayerResult layer{{name, "node" + std::to_string(i), "Conv", Shape{1, 8, 4, 4}, {}},
                      figures(name, i < 20 ? 1e-7 * i : 1e-3 * i),
                      i < 20};
    if (i % 3 == 0) layer.figures.steps = {i < 20 ? 1.0 : 3.0, i < 20 ? 1e-4 : 0.02, 0.001};
    comparison.layers.push_back(layer);
  }
  comparison.unobserved = {{"hidden", "node", "Relu", "fused away"}};
  json made = comparison_document({figures("logits", 0.03)}, 4, "DONE");
  made["a"] = "cpu:net.onnx";
  made["b"] = "onnxruntime:net.onnx";
  add_layers(made, comparison);
  return made;
}

TEST(ComparisonReport, shows_where_layers_part_in_two_pictures) {
  const std::string html = render_comparison(document());
  if (const char* path = std::getenv("ADZE_REPORT_OUT")) write_file(path, html);
  EXPECT_THAT(html, HasSubstr("parts at layer20 (Conv): 0.02"));
  EXPECT_THAT(html, HasSubstr("<td>layer20</td><td>Conv</td><td>parts here</td>"));
  EXPECT_THAT(html, HasSubstr("limit 0.0001"));
  EXPECT_THAT(html, HasSubstr("limit 0.001"));
  EXPECT_THAT(html, HasSubstr("fused away"));
  std::size_t pictures = 0;
  for (std::size_t at = 0; (at = html.find("<svg", at)) != std::string::npos; ++at) ++pictures;
  EXPECT_EQ(pictures, 2u);
}

TEST(ComparisonReport, needs_no_layers) {
  json outputs = document();
  for (const char* key : {"layers", "unobserved", "first_parting", "limits"}) outputs.erase(key);
  const std::string html = render_comparison(outputs);
  EXPECT_THAT(html, HasSubstr("logits"));
  EXPECT_THAT(html, Not(HasSubstr("<svg")));
}

TEST(ComparisonReport, escapes_hostile_names_and_names_what_lacks) {
  json hostile = document();
  hostile["a"] = "<script>x</script>";
  hostile["layers"][20]["name"] = "<img src=x>";
  const std::string html = render_comparison(hostile);
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  hostile.erase("limits");
  EXPECT_THROW(render_comparison(hostile), Error);
}

TEST(LayerChart, draws_a_dot_a_layer_and_what_is_0_on_the_floor) {
  const std::vector<LayerPoint> points = {
      {0, 0, true, "a"}, {1, 1e-5, true, "b"}, {2, 50, false, "c"}};
  const std::string svg = layer_chart("Layers", points, 3, 1e-4, 1e-9);
  EXPECT_THAT(svg, HasSubstr("cy=\"250.0\" r=\"2.6\" class=\"series0\"><title>a"));
  EXPECT_THAT(svg, HasSubstr("class=\"series1\"><title>c"));
  EXPECT_THAT(svg, HasSubstr("parts at c"));
  EXPECT_EQ(layer_chart("Layers", {}, 3, 1e-4, 1e-9), "");
}

}  // namespace
}  // namespace adze::host
