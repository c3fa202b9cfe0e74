#include "host/report/report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "tests/unit/report/documents.hpp"

namespace adze::host {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

const json kNone = nullptr;

TEST(Report, shows_the_figures_of_both_documents) {
  const json metrics = test::metrics_document(), validation = test::validation_document();
  const std::string html = render_report({metrics, kNone, validation});
  if (const char* path = std::getenv("ADZE_REPORT_OUT")) write_file(path, html);
  EXPECT_THAT(html, HasSubstr("92.19 %"));
  EXPECT_THAT(html, HasSubstr("91.88 %"));
  EXPECT_THAT(html, HasSubstr("no DRP-AI kernel"));
  EXPECT_THAT(html, HasSubstr("n too small"));
  EXPECT_THAT(html, HasSubstr("stage 1: one layer was left dense"));
}

TEST(Report, draws_the_pieces_of_each_unit_and_what_is_handed_over) {
  json metrics = test::metrics_document();
  EXPECT_THAT(render_report({metrics, kNone, kNone}), HasSubstr("2 pieces in the order they run"));
  metrics["layers"][2]["piece"] = 1;
  metrics["layers"][1]["handed_over"] = 1;
  metrics["layers"].push_back(metrics["layers"][1]);
  metrics["layers"][3]["piece"] = 2;
  metrics["layers"][3]["handed_over"] = 0;
  metrics["rewrites"] = {{{"node", "conv3"},
                          {"op", "Conv"},
                          {"reason", "grouped"},
                          {"kind", "dense_convolution"},
                          {"text", "one dense convolution"}}};
  metrics["memory_bytes"] = {{"need", 45800000}, {"area", 536870912}, {"fits", true}};
  const std::string html = render_report({metrics, kNone, kNone});
  EXPECT_THAT(html, HasSubstr("3 pieces in the order they run"));
  EXPECT_THAT(html, HasSubstr("1 results are handed over"));
  EXPECT_THAT(html, HasSubstr("1 nodes, 0.05 ms, mean to mean"));
  EXPECT_THAT(html, HasSubstr("one dense convolution"));
  EXPECT_THAT(html, HasSubstr("45.8 MB"));
}

TEST(Report, says_that_a_simulated_board_is_simulated) {
  json validation = test::validation_document();
  EXPECT_THAT(render_report({kNone, kNone, validation}), HasSubstr("<b>simulated</b>"));
  validation["measured"]["conditions"]["simulated"] = false;
  EXPECT_THAT(render_report({kNone, kNone, validation}), Not(HasSubstr("<b>simulated</b>")));
}

TEST(Report, escapes_hostile_names) {
  json metrics = test::metrics_document();
  metrics["model"] = "<script>alert('x')</script>";
  metrics["layers"][1]["name"] = "\"><img src=x onerror=alert(1)>";
  metrics["warnings"] = {"<b>&"};
  const std::string html = render_report({metrics, kNone, kNone});
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, HasSubstr("&lt;b&gt;&amp;"));
}

TEST(Report, needs_nothing_from_the_network) {
  const json metrics = test::metrics_document(), validation = test::validation_document();
  const std::string html = render_report({metrics, kNone, validation});
  for (const char* outside : {"http://", "https://", "<script", "<link", "@import", "src="})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
}

TEST(Report, names_what_a_document_lacks) {
  json metrics = test::metrics_document();
  metrics.erase("layers");
  try {
    render_report({metrics, kNone, kNone});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_INVALID_ARGUMENT);
    EXPECT_THAT(error.what(), HasSubstr("layers"));
  }
}

}  // namespace
}  // namespace adze::host
