// What it costs to run a component in a worker process instead of in the host's own: each figure
// once with a worker and once without. cpu_ms is what host and worker computed together, which a
// busy machine does not change.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "host/abi/call.hpp"
#include "host/base/file.hpp"
#include "host/isolate/proxy.hpp"
#include "host/plugin/descriptor_codec.hpp"

namespace {

using namespace adze::host;

/// The trivial pruner, in this process (0) or in a worker (1).
Component trivial(std::int64_t isolated) {
  static const LoadedPlugin here =
      load_plugin(installation_root() / "tests" / "plugins" / "trivial.so");
  static const Isolation isolation{.program = installation_root() / "bin" / "adze-worker",
                                   .tables = &worker_tables()};
  static const OwnedDescriptor descriptor(encode_descriptor(*here.plugin), worker_tables());
  static const LoadedPlugin there{here.path, descriptor.plugin(), &isolation};
  const LoadedPlugin& plugin = isolated ? there : here;
  return {plugin.plugin->components[0], &plugin};
}

/// A chain of Gemm-like nodes with `megabytes` of weights.
Graph graph_of(std::int64_t megabytes) {
  constexpr std::int64_t kNodes = 50, kWidth = 1000;
  const std::int64_t rows = megabytes * 1000 * 1000 / 4 / kWidth / kNodes;
  Graph graph;
  graph.values.push_back({.name = "x0", .shape = Shape{1, kWidth}});
  graph.inputs = {0};
  for (std::int64_t n = 0; n < kNodes; ++n) {
    Value weight{.name = "w" + std::to_string(n), .shape = Shape{rows, kWidth}};
    weight.constant = Tensor(DType::f32, {rows, kWidth});
    weight.constant->mutate<float>()[0] = 1;
    graph.values.push_back(std::move(weight));
    graph.values.push_back({.name = "x" + std::to_string(n + 1), .shape = Shape{1, kWidth}});
    const auto out = static_cast<std::uint32_t>(graph.values.size() - 1);
    graph.nodes.push_back({.op = "Gemm",
                           .name = "n" + std::to_string(n),
                           .op_version = 13,
                           .inputs = {out - 2, out - 1},
                           .outputs = {out}});
  }
  graph.outputs = {static_cast<std::uint32_t>(graph.values.size() - 1)};
  graph.relink();
  return graph;
}

/// Of this process and of the workers that ended.
double computed_ms() {
  double ms = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage used{};
    ::getrusage(who, &used);
    for (const timeval& time : {used.ru_utime, used.ru_stime})
      ms += static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
  }
  return ms;
}

void run(benchmark::State& state, const Graph& graph, const Settings& settings) {
  const Component component = trivial(state.range(0));
  std::vector<std::uint32_t> targets;
  for (std::uint32_t n = 0; n < graph.nodes.size(); ++n) targets.push_back(n);
  const double before = computed_ms();
  for (auto step : state)
    benchmark::DoNotOptimize(
        run_edit_component(component, settings, graph, targets, {}, {}).edits().size());
  state.counters["cpu_ms"] =
      benchmark::Counter(computed_ms() - before, benchmark::Counter::kAvgIterations);
}

void start_and_run(benchmark::State& state) { run(state, graph_of(1), {}); }

void view_of_100_mb(benchmark::State& state) { run(state, graph_of(100), {}); }

void masks_of_26_mb(benchmark::State& state) { run(state, graph_of(104), {{"masks", true}}); }

void ten_thousand_questions(benchmark::State& state) {
  run(state, graph_of(1), {{"round_trips", std::int64_t{10000}}});
}

BENCHMARK(start_and_run)
    ->ArgName("worker")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(view_of_100_mb)
    ->ArgName("worker")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(masks_of_26_mb)
    ->ArgName("worker")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(ten_thousand_questions)
    ->ArgName("worker")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
