// Every service of the host, over a small model and a made-up backend, for components that ask them
// for anything.
#pragma once

#include "host/abi/backend.hpp"
#include "host/base/error.hpp"
#include "host/calibrate/calibration.hpp"
#include "host/services/dataset_service.hpp"
#include "host/services/evaluate_service.hpp"
#include "host/services/latency_service.hpp"
#include "host/services/structure_service.hpp"
#include "tests/fuzz/graph.hpp"
#include "tests/fuzz/program.hpp"

namespace adze::fuzz {

using namespace host;

inline constexpr std::int64_t kSamples = 5;

class Samples : public host::Dataset {
 public:
  std::int64_t size() const override { return kSamples; }
  bool has_labels() const override { return true; }
  std::int64_t label(std::int64_t index) const override { return index % 3; }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    Tensor made(DType::f32, {static_cast<std::int64_t>(indices.size()), 2, 4, 4});
    auto elements = made.mutate<float>();
    for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<float>(i % 7) - 3;
    return {made};
  }
};

/// input [N, 2, 4, 4] -> Conv "conv" (weight 4x1x3x3, two groups) -> middle -> Flatten -> flat ->
/// Gemm "gemm" -> output [N, 3].
inline Graph model() {
  Graph made;
  made.values = {{.name = "input", .shape = Shape{1, 2, 4, 4}, .batch_axis = 0},
                 test::constant("conv.weight", {4, 1, 3, 3}, std::vector<float>(36, 0.25f)),
                 test::constant("conv.bias", {4}, {0, 0, 0, 0}),
                 {.name = "middle", .shape = Shape{1, 4, 2, 2}, .batch_axis = 0},
                 {.name = "flat", .shape = Shape{1, 16}, .batch_axis = 0},
                 test::constant("gemm.weight", {3, 16}, std::vector<float>(48, 0.5f)),
                 test::constant("gemm.bias", {3}, {0, 0, 0}),
                 {.name = "output", .shape = Shape{1, 3}, .batch_axis = 0}};
  made.nodes = {
      {.op = "Conv",
       .name = "conv",
       .op_version = 11,
       .inputs = {0, 1, 2},
       .outputs = {3},
       .attributes = {{"group", std::int64_t{2}},
                      {"kernel_shape", std::vector<std::int64_t>{3, 3}}}},
      {.op = "Flatten", .name = "flatten", .op_version = 13, .inputs = {3}, .outputs = {4}},
      {.op = "Gemm",
       .name = "gemm",
       .op_version = 13,
       .inputs = {4, 5, 6},
       .outputs = {7},
       .attributes = {{"transB", std::int64_t{1}}}}};
  made.inputs = {0};
  made.outputs = {7};
  made.relink();
  return made;
}

/// Stands for the backend that runs the model: right shapes, made-up numbers. What it was asked to
/// show is all that it keeps.
struct Executable {
  std::uint32_t batch;
  std::vector<std::uint32_t> values;
};

inline adze_status place(void*, adze_call*) noexcept { return ADZE_OK; }

inline adze_status estimate(void*, adze_call*, const adze_what_if* const*, std::uint64_t count,
                            double* out_latency_ms) noexcept {
  for (std::uint64_t i = 0; i < count; ++i) out_latency_ms[i] = program->real();
  return ADZE_OK;
}

inline adze_status compile(void*, adze_call* call, const adze_compile* options,
                           void** out_executable) noexcept {
  auto made = std::make_unique<Executable>();
  made->batch = options->batch;
  made->values.assign(call->graph->outputs, call->graph->outputs + call->graph->output_count);
  if (options->extra_output_count)
    made->values.insert(made->values.end(), options->extra_outputs,
                        options->extra_outputs + options->extra_output_count);
  *out_executable = made.release();
  return ADZE_OK;
}

inline adze_status run(void* self, adze_call* call, const adze_tensor* const*,
                       std::uint64_t) noexcept {
  const auto& executable = *static_cast<Executable*>(self);
  for (const std::uint32_t value : executable.values) {
    const adze_value& shown = *call->graph->values[value];
    Shape shape(shown.shape, shown.shape + shown.rank), strides;
    shape[0] = executable.batch;
    Tensor made(DType::f32, shape);
    auto elements = made.mutate<float>();
    for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<float>(i % 5) - 1;
    const adze_tensor view = view_of(made, strides);
    if (const adze_status status = call->report->output(call, value, &view)) return status;
  }
  return ADZE_OK;
}

inline void release(void* self) noexcept { delete static_cast<Executable*>(self); }

inline constexpr adze_backend kBackend = {
    sizeof(adze_backend), 0, place, estimate, compile, nullptr, run, nullptr, nullptr, release};

struct Services {
  static const Graph& graph() {
    static const bool no_output = quiet();
    static const Graph made = no_output ? model() : Graph{};
    return made;
  }

  Services() {
    asking.struct_size = running.struct_size = sizeof(adze_component);
    asking.id = "org.example.fuzzed";
    running.id = "org.example.runner";
    asking.doc = running.doc = "Asks for anything.";
    running.backend = &kBackend;
  }

  /// What the pruner asks for, or without one the quantizer.
  EditList run(const adze_pruner* pruner, const adze_quantizer* quantizer) {
    asking.pruner = pruner;
    asking.quantizer = pruner ? nullptr : quantizer;
    return run_edit_component({&asking, &plugin()}, {}, graph(), {0, 2}, {},
                              {&calibration, &dataset, &evaluation, &latency, &structure});
  }

  adze_component asking{}, running{};
  Samples samples;
  Component backend{&running, &plugin()};
  Calibration calibration{graph(), samples, {0, 1, 2, 3, 4}, backend, {}};
  DatasetService dataset{samples, {0, 1, 2}, {3, 4}, input_specs(graph())};
  EvaluateService evaluation{
      graph(), samples, "top1", [this](const Graph& edited, std::uint32_t batch) {
        return std::unique_ptr<Runner>(new BackendRunner(
            backend, Settings{}, edited, "fuzzed", CallOptions{}, CompileOptions{.batch = batch}));
      }};
  LatencyService latency{graph(), backend, {}};
  StructureService structure{graph(), {0, 2}, 2};
};

/// One run of a component that is a pruner or a quantizer, and does what `data` says.
inline int run_component(const std::uint8_t* data, std::size_t size, const adze_pruner& pruner,
                         const adze_quantizer& quantizer) {
  Program made(data, size);
  program = &made;
  Services services;
  try {
    services.run(made.one_in(2) ? &pruner : nullptr, &quantizer).commit();
  } catch (const PluginError&) {
  }
  return 0;
}

}  // namespace adze::fuzz
