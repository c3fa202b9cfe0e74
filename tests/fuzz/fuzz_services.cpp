// A component that asks every service for anything, between any edits.
#include <cmath>
#include <cstdlib>

#include "host/abi/backend.hpp"
#include "host/base/error.hpp"
#include "host/calibrate/calibration.hpp"
#include "host/services/dataset_service.hpp"
#include "host/services/evaluate_service.hpp"
#include "host/services/latency_service.hpp"
#include "host/services/structure_service.hpp"
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

adze_status estimate(void*, adze_call*, const adze_what_if* const*, std::uint64_t count,
                     double* out_latency_ms) noexcept {
  for (std::uint64_t i = 0; i < count; ++i) out_latency_ms[i] = program->real();
  return ADZE_OK;
}

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

void release(void* self) noexcept { delete static_cast<Executable*>(self); }

constexpr adze_backend kBackend = {
    sizeof(adze_backend), 0, place, estimate, compile, nullptr, run, nullptr, nullptr, release};

template <class Table>
const Table& service(adze_call* call, const char* id) {
  const void* table = call->host->get_extension(call, id);
  if (!table) adze::fuzz::finding("a service is gone");
  return *static_cast<const Table*>(table);
}

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
  const auto& calibration = service<adze_calibration>(call, ADZE_CALIBRATION);
  // More than there are only where the host refuses by the number alone.
  const std::uint64_t huge[] = {1ull << 17, 1ull << 40, ~std::uint64_t{0}};
  const std::uint64_t claimed =
      program->one_in(16) ? program->input.PickValueInArray(huge) : program->below(9);
  auto** out = program->array<const adze_stat*>(std::min<std::uint64_t>(claimed, 8));
  if (program->one_in(32)) out = nullptr;
  if (calibration.collect(call, requests(*call->graph, claimed), claimed, out) != ADZE_OK) {
    calibration.release(call, nullptr);
    return;
  }
  for (std::uint64_t i = 0; i < claimed; ++i) {
    if (!(out[i]->low <= out[i]->high)) adze::fuzz::finding("a range that is none");
    if (program->one_in(2)) calibration.release(call, out[i]);
  }
}

void ask_latency(adze_call* call) {
  const auto& latency = service<adze_latency>(call, ADZE_LATENCY);
  const std::uint64_t huge[] = {1ull << 33, ~std::uint64_t{0}};
  const std::uint64_t claimed =
      program->one_in(16) ? program->input.PickValueInArray(huge) : program->below(9);
  const std::uint32_t sizes[] = {sizeof(adze_what_if) + 8, 16, 0};
  const std::uint32_t size =
      program->one_in(8) ? program->input.PickValueInArray(sizes) : sizeof(adze_what_if);
  const std::uint64_t there = std::clamp<std::uint64_t>(claimed, 1, 8);
  auto* all = static_cast<char*>(program->block(std::max<std::uint64_t>(4, size * there)));
  for (std::uint64_t i = 0; i < there; ++i) {
    const adze_what_if made = {size, program->index(call->graph->node_count), program->real(),
                               program->below(8), program->below(8)};
    std::memcpy(all + i * size, &made, std::min<std::size_t>(sizeof made, std::max(4u, size)));
  }
  auto* out = program->array<double>(there);
  if (latency.ask(call, program->one_in(32) ? nullptr : reinterpret_cast<adze_what_if*>(all),
                  claimed, program->one_in(32) ? nullptr : out) != ADZE_OK)
    return;
  for (std::uint64_t i = 0; i < claimed; ++i)
    if (!std::isfinite(out[i]) || out[i] < 0) adze::fuzz::finding("a latency that is none");
}

void take_batch(adze_call* call) {
  const auto& dataset = service<adze_dataset>(call, ADZE_DATASET);
  const adze_batch* batch = nullptr;
  const auto any = [](std::uint32_t end) {
    return program->one_in(8) ? program->number<std::uint64_t>() : program->below(end);
  };
  const adze_status status =
      dataset.batch(call, static_cast<std::uint32_t>(any(2)), static_cast<std::uint32_t>(any(6)),
                    any(3), any(4), program->one_in(32) ? nullptr : &batch);
  if (status != ADZE_OK || !batch) return;
  if (batch->sample_count == 0 || batch->sample_count > kSamples || batch->input_count != 1)
    adze::fuzz::finding("a batch of the wrong size");
  const auto* last =
      static_cast<const float*>(batch->inputs[0]->data) + batch->sample_count * 32 - 1;
  if (!std::isfinite(*last)) adze::fuzz::finding("a sample that is none");
}

void score(adze_call* call) {
  double made = 0;
  const auto kind = program->one_in(8) ? program->number<std::uint32_t>() : 1 + program->below(2);
  if (service<adze_evaluate>(call, ADZE_EVALUATE)
              .score(call, kind, program->number<std::uint32_t>() % 8,
                     program->one_in(32) ? nullptr : &made) == ADZE_OK &&
      !std::isfinite(made))
    adze::fuzz::finding("a score that is none");
}

void look_at_groups(adze_call* call) {
  std::uint64_t count = 0;
  const adze_group* const* groups = nullptr;
  if (service<adze_structure>(call, ADZE_STRUCTURE)
          .groups(call, program->one_in(32) ? nullptr : &count, &groups) != ADZE_OK)
    return;
  for (std::uint64_t g = 0; g < count; ++g) {
    std::vector<std::uint32_t> leaving;
    for (std::uint32_t c = 0; c < groups[g]->channel_count; ++c)
      if (program->one_in(4)) leaving.push_back(c);
    call->edit->remove_channels(call, static_cast<std::uint32_t>(g), program->copied(leaving),
                                leaving.size());
  }
}

adze_status ask(void*, adze_call* call) noexcept {
  while (program->goes_on()) switch (program->below(8)) {
      case 0:
      case 1:
        collect(call);
        break;
      case 2:
        ask_latency(call);
        break;
      case 3:
        take_batch(call);
        break;
      case 4:
        score(call);
        break;
      case 5:
        look_at_groups(call);
        break;
      default:
        program->call_edit(call);
    }
  return ADZE_OK;
}

constexpr adze_quantizer kQuantizer = {sizeof(adze_quantizer), 0, ask};
constexpr adze_pruner kPruner = {sizeof(adze_pruner), 0, ask};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = adze::fuzz::quiet();
  static const Graph graph = model();
  static const Samples samples;
  static_cast<void>(quiet);
  Program made(data, size);
  program = &made;
  adze_component asking{}, running{};
  asking.struct_size = running.struct_size = sizeof(adze_component);
  asking.id = "org.example.fuzzed";
  running.id = "org.example.runner";
  asking.doc = running.doc = "Asks for anything.";
  if (made.one_in(2))
    asking.pruner = &kPruner;
  else
    asking.quantizer = &kQuantizer;
  running.backend = &kBackend;
  const Component backend{&running, &adze::fuzz::plugin()};
  const auto compile = [&](const Graph& graph, std::uint32_t batch) -> std::unique_ptr<Runner> {
    return std::make_unique<BackendRunner>(backend, Settings{}, graph, "fuzzed", CallOptions{},
                                           CompileOptions{.batch = batch});
  };
  static const std::vector<InputSpec> inputs = input_specs(graph);
  try {
    Calibration calibration(graph, samples, {0, 1, 2, 3, 4}, backend, {});
    DatasetService dataset(samples, {0, 1, 2}, {3, 4}, inputs);
    EvaluateService evaluation(graph, samples, "top1", compile);
    LatencyService latency(graph, backend, {});
    StructureService structure(graph, {0, 2}, 2);
    const EditList edits =
        run_edit_component({&asking, &adze::fuzz::plugin()}, {}, graph, {0, 2}, {},
                           {&calibration, &dataset, &evaluation, &latency, &structure});
    edits.commit();
  } catch (const PluginError&) {
  }
  return 0;
}
