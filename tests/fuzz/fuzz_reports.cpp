// A backend that reports anything, at any time, from every function it has.
#include <cmath>
#include <cstdlib>

#include "host/abi/backend.hpp"
#include "host/abi/executable.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "tests/fuzz/graph.hpp"
#include "tests/fuzz/program.hpp"

namespace {

using namespace adze::host;
using adze::fuzz::Program;
using adze::fuzz::program;

std::string work_dir;

/// What compile() may have left behind: two files, and a way out that must not be taken.
struct WorkFolder {
  TemporaryDirectory place;
  WorkFolder() {
    std::filesystem::create_directory(place.path() / "folder");
    write_file(place.path() / "made.bin", "made");
    write_file(place.path() / "folder" / "made.bin", "made");
    std::filesystem::create_symlink("/etc/passwd", place.path() / "link");
  }
};

const char* path() {
  const char* odd[] = {
      "made.bin",        "./made.bin", "../made.bin", "/etc/passwd",        "",         ".", "..",
      "folder/made.bin", "folder",     "link",        "folder/../made.bin", "made.bin/"};
  return program->one_in(2) ? program->input.PickValueInArray(odd) : program->text();
}

const adze_profile_row* row(std::uint32_t node_count) {
  if (program->one_in(32)) return nullptr;
  adze_profile_row made{};
  made.source =
      program->one_in(8) ? program->number<std::uint32_t>() : std::uint32_t{ADZE_MEASURED};
  made.node_count = program->count(program->below(4));
  auto* nodes = program->array<std::uint32_t>(made.node_count);
  if (made.node_count <= node_count)
    for (std::uint64_t i = 0; i < made.node_count; ++i) nodes[i] = program->index(node_count);
  made.nodes = program->one_in(16) ? nullptr : nodes;
  made.engine = program->text();
  made.latency_ms = program->real();
  made.bytes = program->number<std::uint64_t>();
  return program->sized(made);
}

/// What an output should look like; a size that depends on the data is never a lie, so it is small.
const adze_tensor* output(const adze_graph& graph, std::uint32_t value) {
  if (value >= graph.value_count) return program->tensor(ADZE_FLOAT, 32, {1, 2});
  const adze_value& shown = *graph.values[value];
  std::vector<std::int64_t> shape = {1, 3};
  if (shown.rank >= 0) shape.assign(shown.shape, shown.shape + shown.rank);
  const bool open = shown.rank < 0 || std::ranges::count(shape, -1) > 0;
  for (std::int64_t& size : shape)
    if (size < 0) size = program->below(5);
  if (!open) return program->tensor(shown.code, shown.bits, shape);
  std::int64_t elements = 1;
  for (const std::int64_t size : shape) elements *= size;
  adze_tensor* made = program->array<adze_tensor>(1);
  *made = {program->filled<float>(static_cast<std::uint64_t>(elements)),
           1,
           0,
           static_cast<std::int32_t>(shape.size()),
           ADZE_FLOAT,
           32,
           1,
           program->copied(shape),
           nullptr,
           0};
  return made;
}

void report_once(adze_call* call) {
  const adze_graph& graph = *call->graph;
  switch (program->below(6)) {
    case 0:
      call->report->placement(call, program->index(graph.node_count), program->below(5),
                              program->text(), program->text());
      return;
    case 1:
      call->report->unavailable(call, program->index(graph.value_count), program->text());
      return;
    case 2: {
      const std::uint32_t value = program->one_in(2) && graph.output_count
                                      ? graph.outputs[program->below(graph.output_count)]
                                      : program->index(graph.value_count);
      call->report->output(call, value, output(graph, value));
      return;
    }
    case 3:
      call->report->profile(call, row(graph.node_count));
      return;
    case 4:
      call->report->artifact(call, path());
      return;
    default:
      program->call_host(call);
  }
}

adze_status report(adze_call* call) {
  for (std::uint32_t left = program->below(12); left > 0 && program->goes_on(); --left)
    report_once(call);
  return program->one_in(16) ? program->number<std::int32_t>() : ADZE_OK;
}

adze_status place(void*, adze_call* call) noexcept {
  if (program->one_in(2))
    for (std::uint32_t n = 0; n < call->graph->node_count; ++n)
      call->report->placement(call, n, ADZE_PLACED, "CPU", nullptr);
  return report(call);
}

adze_status estimate(void*, adze_call* call, const adze_what_if* const*, std::uint64_t count,
                     double* out_latency_ms) noexcept {
  for (std::uint64_t i = 0; i < count; ++i)
    if (!program->one_in(8)) out_latency_ms[i] = program->real();
  return report(call);
}

adze_status compile(void*, adze_call* call, const adze_compile*, void** out_executable) noexcept {
  if (!program->one_in(16)) *out_executable = &work_dir;
  return report(call);
}

adze_status load(void*, adze_call* call, const char*, void** out_executable) noexcept {
  if (!program->one_in(16)) *out_executable = &work_dir;
  return report(call);
}

adze_status run(void*, adze_call* call, const adze_tensor* const*, std::uint64_t) noexcept {
  if (program->one_in(2))
    for (std::uint32_t o = 0; o < call->graph->output_count; ++o)
      call->report->output(call, call->graph->outputs[o],
                           output(*call->graph, call->graph->outputs[o]));
  return report(call);
}

adze_status later(void*, adze_call* call) noexcept { return report(call); }

constexpr adze_backend kBackend = {
    sizeof(adze_backend), 0, place, estimate, compile, load, run, later, later,
    [](void*) noexcept {}};

adze_component component() {
  adze_component made{};
  made.struct_size = sizeof made;
  made.id = "org.example.fuzzed";
  made.doc = "Reports anything.";
  made.backend = &kBackend;
  return made;
}

void run_all(const Component& backend, const Graph& graph) {
  const std::vector<float> elements = {1, 2};
  const std::vector<Tensor> inputs = {Tensor(DType::f32, {1, 2}, std::span<const float>(elements))};
  Executable executable(backend, {}, graph, {"first", "last", "third", "fourth"}, {}, 1);
  if (program->one_in(4))
    executable.load(work_dir);
  else
    executable.compile(work_dir, {3}, {});
  for (int again = 0; again < 2; ++again) {
    for (const NamedTensor& made : executable.run(inputs))
      if (made.name == "output" && made.tensor.shape() != Shape{1, 2}) std::abort();
    for (const ProfileRow& each : executable.profile())
      if (!std::isfinite(each.latency_ms) || each.latency_ms < 0) std::abort();
  }
  for (const std::string& file : executable.artifacts())
    if (file != "made.bin" && file != "folder/made.bin") std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = adze::fuzz::quiet();
  static const Graph graph = adze::fuzz::graph();
  static const WorkFolder folder;
  static_cast<void>(quiet);
  work_dir = folder.place.path();
  Program made(data, size);
  program = &made;
  const adze_component fuzzed = component();
  const Component backend{&fuzzed, &adze::fuzz::plugin()};
  try {
    switch (made.below(3)) {
      case 0:
        if (adze::host::place(backend, {}, graph, {}).size() != graph.nodes.size()) std::abort();
        break;
      case 1: {
        const WhatIf questions[] = {{}, {.node = 1, .sparsity = 0.5}};
        for (const double answer : adze::host::estimate(backend, {}, graph, {}, questions))
          if (!std::isfinite(answer) || answer < 0) std::abort();
        break;
      }
      default:
        run_all(backend, graph);
    }
  } catch (const PluginError&) {
  } catch (const Error& error) {
    // Results without a batch axis that differ from run to run are the user's to see.
    if (error.code == ADZE_INTERNAL) adze::fuzz::finding(error.what());
  }
  return 0;
}
