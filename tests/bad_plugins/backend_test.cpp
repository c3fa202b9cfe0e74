// Backends that report what they must not, or do not report what they must.
#include "host/abi/backend.hpp"

#include <gtest/gtest.h>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;

template <class Body>
void expect_fault(const char* function, const char* text, Body&& body) {
  try {
    body();
    FAIL() << "accepted";
  } catch (const PluginError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("bad_backend.so"), HasSubstr("org.example.bad.backend"),
                      HasSubstr(function), HasSubstr(text)));
  }
}

Settings with(const char* fault) { return {{"fault", std::string(fault)}}; }

BackendRunner compiled(const char* fault, const CompileOptions& options = {}) {
  return BackendRunner(test::component("bad_backend"), with(fault), test::two_gemms(), "bad", {},
                       options);
}

const std::vector<Tensor>& one_sample() {
  static const std::vector<float> elements = {1, 2};
  static const std::vector<Tensor> inputs = {
      Tensor(DType::f32, {1, 2}, std::span<const float>(elements))};
  return inputs;
}

struct Fault {
  const char* name;
  const char* text;
};
void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

class BadRun : public testing::TestWithParam<Fault> {};
TEST_P(BadRun, is_refused_by_name) {
  BackendRunner runner = compiled(GetParam().name);
  expect_fault("run: ", GetParam().text, [&] { runner.run(one_sample()); });
}
INSTANTIATE_TEST_SUITE_P(
    Outputs, BadRun,
    testing::Values(Fault{"twice", "'output' was reported twice"},
                    Fault{"ignores_status", "'output' was reported twice"},
                    Fault{"never", "output 'output' was never reported"},
                    Fault{"wrong_type", "'output' is of float32, reported as int32"},
                    Fault{"wrong_rank", "'output' is 1x2, reported as 1"},
                    Fault{"huge_output", "'output' is 1x2, reported as 1073741824x2"},
                    Fault{"bad_stride", "strides are not row-major"},
                    Fault{"no_such_value", "value 100000 is no output"},
                    Fault{"not_asked_for", "value 0 is no output"}),
    [](const auto& fault) { return std::string(fault.param.name); });

class BadPlacement : public testing::TestWithParam<Fault> {};
TEST_P(BadPlacement, is_refused_by_name) {
  expect_fault("place: ", GetParam().text, [] {
    place(test::component("bad_backend"), with(GetParam().name), test::two_gemms(), {});
  });
}
INSTANTIATE_TEST_SUITE_P(Verdicts, BadPlacement,
                         testing::Values(Fault{"place_twice", "node 'first' was placed twice"},
                                         Fault{"place_never", "node 'first' was never placed"},
                                         Fault{"no_reason", "needs a reason"},
                                         Fault{"bad_verdict", "unknown verdict 77"},
                                         Fault{"output_from_place", "is not for this call"}),
                         [](const auto& fault) { return std::string(fault.param.name); });

class BadEstimate : public testing::TestWithParam<const char*> {};
TEST_P(BadEstimate, is_refused_by_name) {
  expect_fault("estimate: ", "the answer to question 0 is", [] {
    const WhatIf whole;
    estimate(test::component("bad_backend"), with(GetParam()), test::two_gemms(), {}, {&whole, 1});
  });
}
INSTANTIATE_TEST_SUITE_P(Answers, BadEstimate, testing::Values("estimate_nan", "estimate_never"));

TEST(BadCompile, success_without_an_executable_is_refused) {
  expect_fault("compile: ", "made no executable", [] { compiled("no_executable"); });
}

TEST(BadCompile, an_unavailable_extra_output_is_named_with_its_reason) {
  expect_fault("compile: ", "'hidden' (it is fused away)",
               [] { compiled("unavailable", {.batch = 1, .extra_outputs = {"hidden"}}); });
}

TEST(BadProfile, rows_about_unknown_nodes_or_times_are_refused) {
  expect_fault("profile: ", "no node 100000", [] { compiled("profile_node").profile(); });
  expect_fault("profile: ", "latency_ms is nan", [] { compiled("profile_nan").profile(); });
}

TEST(BadArtifacts, files_outside_the_work_folder_are_refused) {
  const TemporaryDirectory folder;
  expect_fault("artifacts: ", "no plain path below work_dir",
               [&] { compiled("outside").artifacts(folder.path()); });
  expect_fault("artifacts: ", "no file below work_dir",
               [&] { compiled("no_file").artifacts(folder.path()); });
}

TEST(BadBackend, the_measure_itself_runs) {
  EXPECT_THAT(compiled("none").run(one_sample()).front().tensor.as<float>(),
              testing::ElementsAre(1, 2));
}

}  // namespace
}  // namespace adze::host
