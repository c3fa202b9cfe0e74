// adze.drpai_tvm against a stand-in of the toolchain: what it is told, and what comes back.
#include "hil/session/model_bundle.hpp"
#include "tests/unit/drpai_tvm/standin.hpp"

namespace adze::host {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

constexpr std::int64_t kCrop = 224;

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::string> words(const json& list) { return list.get<std::vector<std::string>>(); }

std::string after(const std::vector<std::string>& list, const std::string& word) {
  const auto found = std::find(list.begin(), list.end(), word);
  return found == list.end() || found + 1 == list.end() ? "(none)" : *(found + 1);
}

class DrpaiTvm : public testing::Test {
 protected:
  /// What is refused when the toolchain fails as `failure` says.
  Refusal failing(const std::string& failure, const Settings& more = {}) {
    toolchain_.write("fail", failure);
    return refusal_of([&] { toolchain_.compile(quantized(small_model(8)), more); });
  }
  void calibrated_as(const Graph& graph) {
    toolchain_.write("quantized.onnx", text_of(serialize_model(graph)));
  }
  StandIn toolchain_;
  const Pictures pictures_{kCrop, 0.0f};
};

TEST_F(DrpaiTvm, own_scales_go_through_the_entry_for_trained_ones) {
  const Graph graph = quantized(small_model(8));
  const auto runner = toolchain_.compile(graph);
  const json call = toolchain_.calls().at(0);
  const std::vector<std::string> argv = words(call["argv"]);
  EXPECT_EQ(argv[0], "compile_onnx_model_quant.py");
  EXPECT_THAT(argv, IsSupersetOf({"-a", "-m"}));
  EXPECT_EQ(after(argv, "-m"), "pytorch");
  EXPECT_EQ(after(argv, "-s"), "1,3,8,8");
  EXPECT_EQ(after(argv, "-i"), "x");
  EXPECT_EQ(after(argv, "-t"), (toolchain_.root() / "sdk").string());
  EXPECT_EQ(after(argv, "-d"), (toolchain_.root() / "translator").string());
  EXPECT_EQ(after(argv, "-c"), (toolchain_.root() / "quantizer").string());
  EXPECT_THAT(argv, testing::Not(Contains("--images")));
  EXPECT_EQ(call["environment"]["PRODUCT"], "V2H");
  EXPECT_EQ(call["environment"]["SPARSE_ENABLE"], "true");
  EXPECT_THAT(call["cwd"].get<std::string>(), testing::EndsWith("/tutorials"));
  EXPECT_NE(call["cwd"], (toolchain_.root() / "tutorials").string()) << "scripts are copied";

  const TemporaryDirectory folder;
  EXPECT_THAT(
      runner->artifacts(folder.path()),
      testing::ElementsAre("model/mera.plan", "model/preprocess/addr_map.txt",
                           "model/preprocess/aimac_desc.bin", "model/preprocess/drp_config.mem",
                           "model/preprocess/weight.bin", "model/sub_0000__CPU_DRP_TVM/deploy.so",
                           "model/sub_1_DRP_REENSAS/addr_map.txt",
                           "model/sub_1_DRP_REENSAS/deploy.so", "toolchain.json"));
  const json facts = json::parse(read_text_file(folder.path() / "toolchain.json"));
  EXPECT_EQ(facts["drpai_tvm"], "2.7.0");
  EXPECT_EQ(facts["scales"], "own");
  EXPECT_EQ(facts["memory_bytes"], 0x14b000 + 0x8e6908);
  EXPECT_EQ(facts["stages"].size(), 2u);
}

TEST_F(DrpaiTvm, bundles_name_the_toolchain_and_are_smoke_tested_with_the_emulation) {
  const auto target = load_target("rzv2h");
  const hil::ModelBundle made = hil::make_model_bundle(
      quantized(small_model(8)), {.backend = built_component("adze_drpai_tvm.so"),
                                  .settings = toolchain_.settings(),
                                  .call = {.target = target.get()},
                                  .board_type = "rzv2h",
                                  .model = "model.onnx"});
  EXPECT_FALSE(made.predicted_ms);
  const auto source = hil::memory_source(made.bytes);
  const hil::Bundle bundle(*source);
  const auto& provenance = bundle.manifest().provenance;
  EXPECT_EQ(provenance.at("toolchain_drpai_tvm"), "2.7.0");
  EXPECT_EQ(provenance.at("toolchain_scales"), "own");
  EXPECT_EQ(bundle.manifest().backend, "adze.drpai_tvm");
  EXPECT_EQ(bundle.manifest().smoke_outputs.size(), 1u);
  EXPECT_FALSE(bundle.read("artifacts/model/mera.plan").empty());
}

TEST_F(DrpaiTvm, own_scales_are_emulated_as_adze_drpai_does) {
  const Graph graph = quantized(small_model(8));
  const auto target = load_target("rzv2h");
  BackendRunner drpai(drpai_backend(), {}, graph, "drpai", {.target = target.get()}, {});
  std::vector<float> input(3 * 8 * 8);
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 23) * 0.1f - 1;
  const Tensor sample(DType::f32, {1, 3, 8, 8}, std::span<const float>(input));
  const auto ours = toolchain_.compile(graph)->run(std::span(&sample, 1));
  const auto theirs = drpai.run(std::span(&sample, 1));
  EXPECT_TRUE(std::ranges::equal(ours.at(0).tensor.bytes(), theirs.at(0).tensor.bytes()));
}

TEST_F(DrpaiTvm, the_calibrators_scales_are_read_back_and_emulated) {
  const Graph chosen = quantized(small_model(kCrop), 0.05f);
  calibrated_as(chosen);
  const auto runner = toolchain_.compile(small_model(kCrop), {}, &pictures_);
  const auto target = load_target("rzv2h");
  BackendRunner drpai(drpai_backend(), {}, chosen, "drpai", {.target = target.get()}, {});
  const Tensor sample = pictures_.batch(std::vector<std::int64_t>{2}).at(0);
  const auto ours = runner->run(std::span(&sample, 1)), theirs = drpai.run(std::span(&sample, 1));
  EXPECT_TRUE(std::ranges::equal(ours.at(0).tensor.bytes(), theirs.at(0).tensor.bytes()))
      << "the board computes with the calibrator's scales, so the emulation must";
  const TemporaryDirectory folder;
  runner->artifacts(folder.path());
  const json facts = json::parse(read_text_file(folder.path() / "toolchain.json"));
  EXPECT_EQ(facts["scales"], "vendor");
  EXPECT_EQ(facts["weights_with_scales"], 1);
}

TEST_F(DrpaiTvm, all_options_of_the_quantizer_are_in_one_opts) {
  calibrated_as(quantized(small_model(kCrop)));
  toolchain_.compile(small_model(kCrop),
                     {{"calibrate_method", std::string("Percentile")},
                      {"percentile", 99.9},
                      {"activation_zeropoint", true},
                      {"exclude_nodes", std::vector<std::string>{"conv", "head/relu"}},
                      {"sparse", false}},
                     &pictures_);
  const auto calls = toolchain_.calls();
  const json& quantizer = calls.back()["quantizer"];
  EXPECT_THAT(words(quantizer["opts"]),
              testing::ElementsAre("exclude_act_func_dir", "./exclude_operator", "percentile_value",
                                   "99.9", "activation_zeropoint", "True"));
  EXPECT_EQ(quantizer["calibrate_method"], "Percentile");
  EXPECT_EQ(quantizer["node_to_exclude"], "conv,head/relu");
  EXPECT_EQ(calls[0]["environment"]["SPARSE_ENABLE"], "false");
}

TEST_F(DrpaiTvm, calibration_images_are_what_the_sample_script_makes_samples_of) {
  calibrated_as(quantized(small_model(kCrop)));
  toolchain_.compile(small_model(kCrop), {}, &pictures_);
  const json recorded = toolchain_.calls().at(1);
  EXPECT_THAT(words(recorded["images"]),
              testing::ElementsAre("000000.png", "000001.png", "000002.png"));
  const std::string png = recorded["first"];
  EXPECT_EQ(png.substr(0, 16), "89504e470d0a1a0a");
  EXPECT_EQ(png.substr(32, 16), "0000010000000100") << "256 x 256, of which 224 are cropped";
}

TEST_F(DrpaiTvm, the_users_images_are_handed_over_as_they_are) {
  calibrated_as(quantized(small_model(8)));
  const auto folder = toolchain_.folder.path() / "images";
  std::filesystem::create_directories(folder);
  Refusal refusal = refusal_of([&] {
    toolchain_.compile(small_model(8), {{"calibration", folder.string()}});
  });
  EXPECT_EQ(refusal.code, ADZE_NOT_FOUND);
  EXPECT_THAT(refusal.text, HasSubstr("holds no images"));
  write_file(folder / "cat.JPG", "jpeg");
  toolchain_.compile(small_model(8), {{"calibration", folder.string()}});
  EXPECT_THAT(words(toolchain_.calls().at(1)["images"]), testing::ElementsAre("cat.JPG"));
}

TEST_F(DrpaiTvm, fp16_parts_have_no_quantizer) {
  toolchain_.compile(small_model(8), {{"quantizer", std::string("/nowhere")}}, nullptr, "rzv2l");
  const json call = toolchain_.calls().at(0);
  const std::vector<std::string> argv = words(call["argv"]);
  EXPECT_EQ(argv[0], "compile_onnx_model.py");
  EXPECT_THAT(argv, testing::Not(Contains("-c")));
  EXPECT_EQ(call["environment"]["PRODUCT"], "V2L");
  const Refusal refusal =
      refusal_of([&] { toolchain_.compile(quantized(small_model(8)), {}, nullptr, "rzv2l"); });
  EXPECT_THAT(refusal.text, HasSubstr("V2L computes in FP16"));
}

TEST_F(DrpaiTvm, older_layouts_are_taken_too) {
  toolchain_.write("fail", "mera1");
  const TemporaryDirectory folder;
  EXPECT_THAT(toolchain_.compile(quantized(small_model(8)))->artifacts(folder.path()),
              IsSupersetOf({"model/deploy.json", "model/deploy.params", "model/deploy.so"}));
}

TEST_F(DrpaiTvm, the_interpreters_results_are_compared_and_go_along) {
  const Graph graph = quantized(small_model(8));
  const std::vector<float> input(3 * 8 * 8, 0.5f);
  toolchain_.write("reference.bin", text_of({std::as_bytes(std::span(input)).begin(),
                                             std::as_bytes(std::span(input)).end()}));
  toolchain_.write("result.bin", std::string(2 * 4 * 8 * 8, '\0'));  // zeros as 16-bit floats
  const TemporaryDirectory folder;
  EXPECT_THAT(toolchain_.compile(graph)->artifacts(folder.path()),
              IsSupersetOf({"model/interpreter_out/input_0.bin",
                            "model/interpreter_out/ref_result_0_fp16.bin"}));
  const json facts = json::parse(read_text_file(folder.path() / "toolchain.json"));
  const json& compared = facts["emulated_against_interpreter"].at(0);
  EXPECT_GT(compared["max_abs"], 0.05);
  EXPECT_LT(compared["close_share"], 1);
  toolchain_.write("result.bin", std::string(11, 'x'));
  EXPECT_THAT(refusal_of([&] { toolchain_.compile(graph); }).text,
              HasSubstr("no list of 16-bit floats"));
}

TEST_F(DrpaiTvm, a_container_sees_its_own_environment_and_our_work_folder) {
  const std::string root = toolchain_.root().string();
  toolchain_.write("environment", "TVM_ROOT=" + root + "\nTRANSLATOR=" + root +
                                      "/translator\nQUANTIZER=" + root + "/quantizer\nSDK=" + root +
                                      "/sdk\n");
  const Settings in_container{{"container", std::string("drp-ai_tvm")},
                              {"container_program", root + "/docker"},
                              {"tvm_root", std::string()},
                              {"translator", std::string()},
                              {"quantizer", std::string()},
                              {"sdk", std::string()}};
  toolchain_.compile(quantized(small_model(8)), in_container);
  EXPECT_EQ(toolchain_.calls().at(0)["environment"]["PRODUCT"], "V2H");

  Settings missing = in_container;
  missing["container"] = std::string("other");
  const Refusal refusal =
      refusal_of([&] { toolchain_.compile(quantized(small_model(8)), missing); });
  EXPECT_THAT(refusal.text, HasSubstr("there is no such container image"));

  Settings hanging = in_container;
  hanging["time_limit_s"] = std::int64_t{2};
  EXPECT_EQ(failing("hang", hanging).code, ADZE_DEADLINE_EXCEEDED);
  EXPECT_TRUE(toolchain_.helper_is_gone()) << "the container still runs";
}

}  // namespace
}  // namespace adze::host
