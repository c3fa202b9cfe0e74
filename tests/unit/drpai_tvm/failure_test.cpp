// A toolchain that is missing, too old, fails, hangs, or leaves something odd; models it does not
// take.
#include <cmath>

#include "plugins/drpai_tvm/layout.hpp"
#include "plugins/drpai_tvm/toolchain.hpp"
#include "tests/unit/drpai_tvm/standin.hpp"

namespace adze::host {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class DrpaiTvmFails : public testing::Test {
 protected:
  void expect(adze_status code, const std::string& text, const Settings& more = {},
              const Graph& graph = quantized(small_model(8)), const Dataset* samples = nullptr,
              const std::string& board_type = "rzv2h") {
    const Refusal refusal =
        refusal_of([&] { toolchain_.compile(graph, more, samples, board_type); });
    EXPECT_EQ(refusal.code, code) << refusal.text;
    EXPECT_THAT(refusal.text, HasSubstr(text));
  }
  StandIn toolchain_;
};

TEST_F(DrpaiTvmFails, when_it_is_missing_with_what_to_set) {
  for (const char* name : {"TVM_ROOT", "TRANSLATOR", "QUANTIZER", "SDK"}) ::unsetenv(name);
  expect(ADZE_UNAVAILABLE, "set TVM_ROOT in the environment", {{"tvm_root", std::string()}});
  expect(ADZE_UNAVAILABLE, "the parameter 'quantizer'", {{"quantizer", std::string()}});
  expect(ADZE_NOT_FOUND, "TRANSLATOR names '/nowhere'", {{"translator", std::string("/nowhere")}});
  expect(ADZE_NOT_FOUND, "has no tutorials/compile_onnx_model_quant.py",
         {{"tvm_root", (toolchain_.root() / "sdk").string()}});
  expect(ADZE_NOT_FOUND, "", {{"python", std::string("/nowhere/python3")}});
  expect(ADZE_FAILED_PRECONDITION, "is no Python 3", {{"python", std::string("/bin/echo")}});
}

TEST_F(DrpaiTvmFails, when_its_version_is_not_supported_or_unknown) {
  toolchain_.write("VERSION", "v1.0.4\n");
  expect(ADZE_FAILED_PRECONDITION, "DRP-AI TVM 1.0.4 is not supported");
  toolchain_.write("VERSION", "3.0.0");
  expect(ADZE_FAILED_PRECONDITION, "DRP-AI TVM 3.0.0 is not supported");
  toolchain_.write("VERSION", "main");
  expect(ADZE_FAILED_PRECONDITION, "set 'version', such as 2.7.0");
  toolchain_.compile(quantized(small_model(8)), {{"version", std::string("2.5")}});
}

TEST_F(DrpaiTvmFails, with_its_known_texts_in_our_words) {
  const struct {
    const char *failure, *text, *quoted;
    adze_status code;
  } cases[] = {
      {"no_tvm", "Python packages are not found", "No module named 'tvm'",
       ADZE_FAILED_PRECONDITION},
      {"operator", "an operator that the toolchain does not take", "Frobnicate",
       ADZE_UNIMPLEMENTED},
      {"versions", "do not fit together", "expected 1.04", ADZE_FAILED_PRECONDITION},
      {"opset", "the model's opset", "ai.onnx", ADZE_UNIMPLEMENTED},
      {"space", "the disk is full", "Errno 28", ADZE_RESOURCE_EXHAUSTED},
      {"permission", "may not read or write", "/opt/drp", ADZE_PERMISSION_DENIED},
      {"file", "misses a file", "translator/run.sh", ADZE_NOT_FOUND},
      {"memory", "memory of this machine", "bad_alloc", ADZE_RESOURCE_EXHAUSTED},
      {"shape", "recorder_resize", "cannot reshape", ADZE_INVALID_ARGUMENT},
      {"unknown", "exit code 1", "nobody has seen", ADZE_ABORTED},
      {"half", "exit code 17", "subgraph 2 of 3", ADZE_ABORTED},
      {"killed", "memory ran out", "", ADZE_RESOURCE_EXHAUSTED},
      {"crash", "signal", "Segmentation fault", ADZE_ABORTED},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.failure);
    toolchain_.write("fail", each.failure);
    const Refusal refusal = refusal_of([&] { toolchain_.compile(quantized(small_model(8))); });
    EXPECT_EQ(refusal.code, each.code) << refusal.text;
    EXPECT_THAT(refusal.text, AllOf(HasSubstr(each.text), HasSubstr(each.quoted)));
  }
}

TEST_F(DrpaiTvmFails, when_it_hangs_and_is_killed_with_all_it_started) {
  for (const char* failure : {"hang", "hang_stubborn"}) {
    toolchain_.write("fail", failure);
    expect(ADZE_DEADLINE_EXCEEDED, "did not finish compiling for V2H within 1 s",
           {{"time_limit_s", std::int64_t{1}}});
    EXPECT_TRUE(toolchain_.helper_is_gone()) << failure;
  }
}

TEST_F(DrpaiTvmFails, when_the_user_stops_it) {
  toolchain_.write("fail", "hang");
  const auto helper = toolchain_.root() / "helper.pid";
  const Refusal refusal = refusal_of([&] {
    toolchain_.compile(quantized(small_model(8)), {}, nullptr, "rzv2h",
                       [&](double, const std::string&) { return exists(helper); });
  });
  EXPECT_EQ(refusal.code, ADZE_CANCELLED) << refusal.text;
  EXPECT_TRUE(toolchain_.helper_is_gone());
}

TEST_F(DrpaiTvmFails, when_it_leaves_something_odd) {
  const std::pair<const char*, const char*> cases[] = {
      {"silent", "left neither 'mera.plan' nor 'deploy.json'"},
      {"empty_plan", "'mera.plan', which is empty"},
      {"cut_plan", "cut off or no JSON"},
      {"folder", "which is missing"},
      {"odd_map", "where a hexadecimal number must be"},
      {"link", "left a link"}};
  for (const auto& [failure, text] : cases) {
    SCOPED_TRACE(failure);
    toolchain_.write("fail", failure);
    expect(ADZE_DATA_LOSS, text);
  }
}

TEST_F(DrpaiTvmFails, when_the_model_needs_more_memory_than_the_board_has) {
  toolchain_.write("fail", "large");
  expect(ADZE_RESOURCE_EXHAUSTED, "needs 770 MiB of DRP-AI memory, the board has 512 MiB");
  toolchain_.compile(quantized(small_model(8)), {{"memory_area_mib", std::int64_t{2048}}});
}

TEST_F(DrpaiTvmFails, when_the_scales_are_not_what_was_said) {
  const Pictures pictures(224, 0.0f);
  expect(ADZE_FAILED_PRECONDITION, "quantized and pruned (53 % of its weights are zero)", {},
         quantized(small_model(8, 0.5)));
  expect(ADZE_FAILED_PRECONDITION, "scales = own, but the model has none",
         {{"scales", std::string("own")}}, small_model(8));
  expect(ADZE_FAILED_PRECONDITION, "takes the FP32 model", {{"scales", std::string("vendor")}});
  expect(ADZE_UNAVAILABLE, "needs samples", {}, small_model(8));
  expect(ADZE_DATA_LOSS, "left no model_quantization.onnx", {}, small_model(224), &pictures);
  toolchain_.write("quantized.onnx", "no model");
  expect(ADZE_DATA_LOSS, "", {}, small_model(224), &pictures);
}

TEST_F(DrpaiTvmFails, when_the_sample_script_cannot_make_such_samples) {
  const Pictures small(8, 0.0f), loud(224, 40.0f);
  expect(ADZE_FAILED_PRECONDITION, "crops images to 224x224, the model takes 8x8", {},
         small_model(8), &small);
  expect(ADZE_FAILED_PRECONDITION, "do not fit into an 8-bit image", {}, small_model(224), &loud);
  expect(ADZE_INVALID_ARGUMENT, "mean has 2 values", {{"mean", std::vector<double>{0.1, 0.2}}},
         small_model(224), &loud);
}

TEST_F(DrpaiTvmFails, when_the_model_is_not_one_that_it_takes) {
  Graph newer = quantized(small_model(8));
  newer.opset = 15;
  expect(ADZE_FAILED_PRECONDITION, "in opset 13, this one has opset 15", {}, newer);
  expect(ADZE_INVALID_ARGUMENT, "product is V2L, but the board type is rzv2h",
         {{"product", std::string("V2L")}});
  expect(ADZE_INVALID_ARGUMENT, "cannot be handed to the toolchain",
         {{"exclude_nodes", std::vector<std::string>{"a; rm -rf b"}}});
}

TEST(DrpaiTvmVersion, is_read_from_tags) {
  using drpai_tvm::parse_version;
  using drpai_tvm::Version;
  EXPECT_EQ(parse_version("v2.7.0-3-gabc123"), (Version{2, 7, 0}));
  EXPECT_EQ(parse_version("2.5"), (Version{2, 5, 0}));
  EXPECT_FALSE(parse_version("a557552"));
  EXPECT_FALSE(parse_version("main"));
  EXPECT_FALSE(parse_version(""));
}

TEST(DrpaiTvmComparison, never_calls_a_missing_number_close) {
  const auto found = drpai_tvm::compare({1, std::nanf("")}, {1, 1});
  EXPECT_TRUE(std::isnan(found.max_abs));
  EXPECT_EQ(found.close_share, 0.5);
  EXPECT_THROW(drpai_tvm::compare({1}, {1, 2}), adze::Error);
}

}  // namespace
}  // namespace adze::host
