// A quantizer that asks for any statistics, between any edits.
#include <cmath>
#include <cstdlib>

#include "host/base/error.hpp"
#include "host/calibrate/calibration.hpp"
#include "tests/fuzz/graph.hpp"
#include "tests/fuzz/program.hpp"

namespace {

using namespace adze::host;
using adze::fuzz::Program;
using adze::fuzz::program;

constexpr std::int64_t kSamples = 5;

class Samples : public Dataset {
 public:
  std::int64_t size() const override { return kSamples; }
  bool has_labels() const override { return false; }
  std::int64_t label(std::int64_t) const override { throw Error(ADZE_FAILED_PRECONDITION, "none"); }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    Tensor made(DType::f32, {static_cast<std::int64_t>(indices.size()), 2, 4, 4});
    auto elements = made.mutate<float>();
    for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<float>(i % 7) - 3;
    return {made};
  }
};

/// input [N, 2, 4, 4] -> Conv "conv" (weight 4x1x3x3, two groups) -> middle -> Flatten -> flat ->
/// Gemm "gemm" -> output [N, 3].
Graph model() {
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

adze_status place(void*, adze_call*) noexcept { return ADZE_OK; }

adze_status compile(void*, adze_call* call, const adze_compile* options,
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

adze_status run(void* self, adze_call* call, const adze_tensor* const*, std::uint64_t) noexcept {
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

constexpr adze_backend kBackend = {
    sizeof(adze_backend),
    0,
    place,
    nullptr,
    compile,
    nullptr,
    run,
    nullptr,
    nullptr,
    [](void* self) noexcept { delete static_cast<Executable*>(self); }};

const adze_stat_request* requests(const adze_graph& graph, std::uint64_t claimed) {
  if (program->one_in(32)) return nullptr;
  const std::uint32_t sizes[] = {sizeof(adze_stat_request), sizeof(adze_stat_request) + 16, 40, 0,
                                 8};
  const std::uint32_t size =
      program->one_in(8) ? program->input.PickValueInArray(sizes) : sizeof(adze_stat_request);
  const std::uint64_t there = std::min<std::uint64_t>(claimed, 8);
  auto* all = static_cast<char*>(
      program->block(std::max<std::uint64_t>(4, size * std::max<std::uint64_t>(1, there))));
  for (std::uint64_t i = 0; i < std::max<std::uint64_t>(1, there); ++i) {
    adze_stat_request made{};
    made.struct_size = size;
    made.kind = program->one_in(16) ? program->number<std::uint32_t>() : 1 + program->below(5);
    made.node = program->index(graph.node_count);
    made.value = program->index(graph.value_count);
    made.state = program->one_in(16) ? program->number<std::uint32_t>() : program->below(2);
    made.value_state = program->one_in(16) ? program->number<std::uint32_t>() : program->below(2);
    made.first = program->count(program->below(kSamples));
    made.count = program->count(program->below(kSamples));
    made.bins = program->one_in(16) ? program->number<std::uint64_t>() : program->below(64);
    if (made.bins > 4096 && made.bins <= 1u << 24) made.bins = 4096;  // allowed, but slow
    std::memcpy(all + i * size, &made, std::min<std::size_t>(sizeof made, std::max(4u, size)));
  }
  return reinterpret_cast<const adze_stat_request*>(all);
}

void collect(adze_call* call) {
  const auto* service =
      static_cast<const adze_calibration*>(call->host->get_extension(call, ADZE_CALIBRATION));
  if (!service || service->sample_count != kSamples) std::abort();
  // More than there are only where the host refuses by the number alone.
  const std::uint64_t huge[] = {1ull << 17, 1ull << 40, ~std::uint64_t{0}};
  const std::uint64_t claimed =
      program->one_in(16) ? program->input.PickValueInArray(huge) : program->below(9);
  auto** out = program->array<const adze_stat*>(std::min<std::uint64_t>(claimed, 8));
  if (program->one_in(32)) out = nullptr;
  if (service->collect(call, requests(*call->graph, claimed), claimed, out) != ADZE_OK) {
    service->release(call, nullptr);
    return;
  }
  for (std::uint64_t i = 0; i < claimed; ++i) {
    const adze_stat& stat = *out[i];
    if (!(stat.low <= stat.high)) std::abort();
    if (stat.data.data && stat.data.bits == 64)
      for (std::uint64_t e = 0,
                         end = stat.data.ndim ? static_cast<std::uint64_t>(stat.data.shape[0]) : 0;
           e < end; ++e)
        if (!std::isfinite(static_cast<const double*>(stat.data.data)[e])) std::abort();
    if (program->one_in(2)) service->release(call, &stat);
  }
}

adze_status quantize(void*, adze_call* call) noexcept {
  while (program->goes_on()) {
    if (program->one_in(2))
      program->call_edit(call);
    else
      collect(call);
  }
  return ADZE_OK;
}

constexpr adze_quantizer kQuantizer = {sizeof(adze_quantizer), 0, quantize};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = adze::fuzz::quiet();
  static const Graph graph = model();
  static const Samples samples;
  static_cast<void>(quiet);
  adze_component quantizer{}, backend{};
  quantizer.struct_size = backend.struct_size = sizeof(adze_component);
  quantizer.id = "org.example.fuzzed";
  backend.id = "org.example.runner";
  quantizer.doc = backend.doc = "Asks for anything.";
  quantizer.quantizer = &kQuantizer;
  backend.backend = &kBackend;
  Program made(data, size);
  program = &made;
  try {
    Calibration calibration(graph, samples, {0, 1, 2, 3, 4}, {&backend, &adze::fuzz::plugin()}, {});
    run_edit_component({&quantizer, &adze::fuzz::plugin()}, {}, graph, {0, 2}, {}, {&calibration});
  } catch (const PluginError&) {
  }
  return 0;
}
