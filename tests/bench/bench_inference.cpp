// Inference speed of adze.cpu and adze.drpai on the fixture models, beside ONNX Runtime's when
// ADZE_ONNXRUNTIME names its library. Repetitions are interleaved and medians reported, so that
// another load on the machine strikes all alike.
//
//   adze_bench_inference [--threads=N] [Google Benchmark's options] [model.onnx ...]
//
// A model that is quantized already is timed as it is, any other in floats and quantized.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "host/base/file.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"
#include "tests/bench/quantize_by_range.hpp"
#include "tests/onnxruntime/ort.hpp"

namespace {

using namespace adze::host;
using adze::testing::OrtSession;

struct Setup {
  Registry registry;
  TemporaryDirectory folder;
  std::uint32_t threads = 1;
};

bool is_quantized(const Graph& graph) {
  return std::any_of(graph.values.begin(), graph.values.end(),
                     [](const Value& value) { return value.quant.has_value(); });
}

void time_runner(benchmark::State& state, Runner& runner, const std::vector<Tensor>& inputs) {
  runner.run(inputs);
  for (auto _ : state) benchmark::DoNotOptimize(runner.run(inputs));
  state.SetItemsProcessed(state.iterations() * inputs.front().shape()[0]);
}

void time_ort(benchmark::State& state, OrtSession& session, const std::vector<Tensor>& inputs) {
  std::vector<OrtSession::Tensor> given;
  for (const Tensor& input : inputs) given.push_back({input.shape(), to_f32(input)});
  session.run(given);
  for (auto _ : state) benchmark::DoNotOptimize(session.run(given));
  state.SetItemsProcessed(state.iterations() * inputs.front().shape()[0]);
}

void add(const std::string& name, std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(body))
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

/// "resnet/int8/batch64/adze", ".../plain", ".../onnxruntime".
void add_model(Setup& setup, const std::string& name, const Graph& graph) {
  const bool quantized = is_quantized(graph);
  const std::string component = quantized ? "adze.drpai" : "adze.cpu";
  const std::filesystem::path file =
      setup.folder.path() / (name + (quantized ? "_q" : "") + ".onnx");
  save_model(graph, file);
  std::shared_ptr<OrtSession> peer;
  if (const auto library = adze::testing::ort_library())
    peer = std::make_shared<OrtSession>(*library, file, static_cast<int>(setup.threads));

  for (const std::uint32_t batch : {1u, 64u}) {
    const std::string prefix =
        fmt::format("{}/{}/batch{}/", name, quantized ? "int8" : "fp32", batch);
    const auto inputs = adze::testing::random_inputs(graph, batch, 2);
    CallOptions call;
    call.threads = setup.threads;
    for (const std::string path : {"fast", "plain"}) {
      if (path == "plain" && !quantized) continue;
      const auto runner = std::make_shared<BackendRunner>(
          setup.registry.find(component), Settings{{"path", path}}, graph, name, call,
          CompileOptions{.batch = batch, .extra_outputs = {}});
      add(prefix + (path == "fast" ? "adze" : path),
          [=](benchmark::State& state) { time_runner(state, *runner, inputs); });
    }
    if (peer)
      add(prefix + "onnxruntime", [=](benchmark::State& state) { time_ort(state, *peer, inputs); });
  }
}

/// Keeps the medians, to print ratios behind the usual table.
class Reporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs)
      if (run.aggregate_name == "median")
        medians_[run.run_name.function_name] = run.GetAdjustedRealTime();
    ConsoleReporter::ReportRuns(runs);
  }

  void print_ratios() const {
    const std::string own = "adze", peer = "onnxruntime";
    for (const auto& [name, median] : medians_) {
      if (!name.ends_with(own)) continue;
      const std::string prefix = name.substr(0, name.size() - own.size());
      if (const auto other = medians_.find(prefix + peer); other != medians_.end())
        fmt::print("{}: onnxruntime / adze = {:.2f}\n", prefix, other->second / median);
    }
  }

 private:
  std::map<std::string, double> medians_;
};

int bench(int argc, char** argv) {
  Setup setup;
  std::vector<char*> arguments = {argv[0]};
  std::string repetitions = "--benchmark_repetitions=7";
  std::string interleaved = "--benchmark_enable_random_interleaving=true";
  std::string aggregates = "--benchmark_report_aggregates_only=true";
  for (std::string* option : {&repetitions, &interleaved, &aggregates})
    arguments.push_back(option->data());
  std::vector<std::filesystem::path> models;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with("--threads="))
      setup.threads =
          static_cast<std::uint32_t>(std::stoul(argument.substr(std::strlen("--threads="))));
    else if (argument.starts_with("--"))
      arguments.push_back(argv[i]);
    else
      models.emplace_back(argument);
  }
  if (models.empty())
    for (const auto& entry : std::filesystem::directory_iterator(ADZE_FIXTURE_MODELS))
      if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  std::sort(models.begin(), models.end());

  for (const std::filesystem::path& model : models) {
    Graph graph = load_model(model);
    simplify(graph);
    add_model(setup, model.stem().string(), graph);
    if (!is_quantized(graph))
      add_model(setup, model.stem().string(),
                adze::testing::quantize_by_range(graph, setup.registry.find("adze.cpu")));
  }
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  Reporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  reporter.print_ratios();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return bench(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "adze_bench_inference: {}\n", error.what());
    return 1;
  }
}
