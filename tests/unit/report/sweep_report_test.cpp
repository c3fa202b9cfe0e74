#include "host/report/sweep_report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "host/base/error.hpp"
#include "host/report/svg_curves.hpp"

namespace adze::host {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

json sweep_document() {
  return json::parse(R"({
    "model": "net<b>.onnx", "board_type": "rzv2h", "seed": 1, "stage": "adze.prune.reconstruct",
    "complete": true, "baseline": {"metric": "top1", "value": 0.9219, "backend": "adze.cpu"},
    "predicted_ms": 0.2064, "size_bytes": 760000,
    "layers": [{"name": "conv1", "weights": 144}, {"name": "conv2", "weights": 2304}],
    "targets": [
      {"sparsity": 0.7, "folder": "sparsity-0.7", "optimized": {"metric": "top1", "value": 0.921, "backend": "adze.cpu"},
       "drop": 0.09, "passed": true, "target_sparsity": 0.7, "all_sparsity": 0.69, "predicted_ms": 0.197, "size_bytes": 752000,
       "optimized_sha256": "", "sparsity_by_layer": {"conv1": 0.0, "conv2": 0.7}, "warnings": ["little <gain>"]},
      {"sparsity": 0.9, "folder": "sparsity-0.9", "optimized": {"metric": "top1", "value": 0.911, "backend": "adze.cpu"},
       "drop": 1.09, "passed": true, "target_sparsity": 0.9, "all_sparsity": 0.89, "predicted_ms": 0.1924, "size_bytes": 752000,
       "optimized_sha256": "", "sparsity_by_layer": {"conv1": 0.0, "conv2": 0.9}, "warnings": ["little <gain>"]}],
    "error_curves": [{"name": "conv2", "weights": 2304, "points": [{"sparsity": 0.5, "error": 0}, {"sparsity": 0.7, "error": 0.001}, {"sparsity": 0.9, "error": 0.05}]}]})");
}

TEST(SweepReport, shows_front_table_allocation_and_curves) {
  const std::string html = render_sweep(sweep_document());
  for (const char* text : {"92.10 %", "-1.09", "sparsity-0.9", "1.07x", "sparsest that loses",
                           "conv2", "relative error", "not verified on hardware"})
    EXPECT_THAT(html, HasSubstr(text));
  EXPECT_THAT(html, Not(HasSubstr("<b>.onnx")));
  // One warning, although both targets have it.
  const std::size_t first = html.find("little &lt;gain&gt;");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(html.find("little &lt;gain&gt;", first + 1), std::string::npos);
}

TEST(SweepReport, says_when_it_is_not_complete) {
  json sweep = sweep_document();
  EXPECT_THAT(render_sweep(sweep), Not(HasSubstr("Not complete")));
  sweep["complete"] = false;
  EXPECT_THAT(render_sweep(sweep), HasSubstr("Not complete"));
}

TEST(SweepReport, one_target_without_curves_is_a_page_too) {
  json sweep = sweep_document();
  sweep["targets"].erase(1);
  sweep["error_curves"] = json::array();
  EXPECT_THAT(render_sweep(sweep), Not(HasSubstr("What each layer loses")));
}

TEST(SweepReport, names_what_the_document_lacks) {
  json sweep = sweep_document();
  sweep.erase("layers");
  try {
    render_sweep(sweep);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_INVALID_ARGUMENT);
    EXPECT_THAT(error.what(), HasSubstr("layers"));
  }
}

TEST(LinePlot, equal_and_single_points_give_no_figure_that_is_none) {
  const PlotAxis x{.name = "x"}, y{.name = "y"}, log{.name = "y", .logarithmic = true};
  for (const double value : {0.0, 1.0, -3.0}) {
    const std::vector<Curve> curves = {{"a", {{2, value, "here"}}}, {"b", {{2, value, ""}}}};
    const std::string svg = line_plot("t", curves, x, y);
    EXPECT_THAT(svg, HasSubstr("here"));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
  const std::vector<Curve> zeros = {{"a", {{1, 0, ""}, {2, 0, ""}}}};
  EXPECT_EQ(line_plot("t", zeros, x, log), "");
}

TEST(LinePlot, of_many_curves_names_the_highest) {
  std::vector<Curve> curves;
  for (int c = 0; c < 30; ++c)
    curves.push_back({"curve" + std::to_string(c), {{0, 0, ""}, {1, 1.0 + c, ""}}});
  const std::string svg = line_plot("t", curves, {.name = "x"}, {.name = "y"});
  EXPECT_THAT(svg, HasSubstr(">curve29</text>"));
  EXPECT_THAT(svg, Not(HasSubstr(">curve0</text>")));
  EXPECT_THAT(svg, HasSubstr("<title>curve0</title>"));
}

}  // namespace
}  // namespace adze::host
