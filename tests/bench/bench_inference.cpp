// Inference speed of adze.cpu and adze.drpai on the fixture models, beside ONNX Runtime's when
// ADZE_ONNXRUNTIME names its library. Repetitions are interleaved and medians reported, so that
// another load on the machine strikes all alike.
//
//   adze_bench_inference [--threads=N] [--batches=1,64] [--dataset=FOLDER]
//                        [--dataset-batches=64] [Google Benchmark's options] [model.onnx ...]
//   adze_bench_inference --write=FOLDER model.onnx ...
//   adze_bench_inference --once=adze|onnxruntime [--threads=N] model.onnx
//
// A model that is quantized already is timed as it is, any other in floats and quantized.
// --dataset: Fashion-MNIST's folder; times the 10,000 images of its test set, in batches of each
// size given: engines differ in what they like best.
// --write: writes what would be timed. --once: loads, compiles and runs one sample; prints the
// seconds until the model was compiled and the peak of this process' memory in MiB.
// inference_table.py makes a table of all this.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <sstream>

#include "host/base/file.hpp"
#include "host/dataset/dataset.hpp"
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
  std::vector<std::uint32_t> batches = {1, 64}, dataset_batches = {64};
  std::filesystem::path dataset, write;
  std::string once;
};

using Batches = std::vector<std::vector<Tensor>>;

bool is_quantized(const Graph& graph) {
  return std::any_of(graph.values.begin(), graph.values.end(),
                     [](const Value& value) { return value.quant.has_value(); });
}

std::int64_t samples_of(const Batches& batches) {
  std::int64_t samples = 0;
  for (const auto& inputs : batches) samples += inputs.front().shape()[0];
  return samples;
}

void time_runner(benchmark::State& state, Runner& runner, const Batches& batches) {
  runner.run(batches.front());
  for (auto _ : state)
    for (const auto& inputs : batches) benchmark::DoNotOptimize(runner.run(inputs));
  state.SetItemsProcessed(state.iterations() * samples_of(batches));
}

std::vector<OrtSession::Tensor> ort_tensors(const std::vector<Tensor>& inputs) {
  std::vector<OrtSession::Tensor> given;
  for (const Tensor& input : inputs) given.push_back({input.shape(), to_f32(input)});
  return given;
}

void time_ort(benchmark::State& state, OrtSession& session, const Batches& batches) {
  std::vector<std::vector<OrtSession::Tensor>> given;
  for (const auto& inputs : batches) given.push_back(ort_tensors(inputs));
  session.run(given.front());
  for (auto _ : state)
    for (const auto& inputs : given) benchmark::DoNotOptimize(session.run(inputs));
  state.SetItemsProcessed(state.iterations() * samples_of(batches));
}

void add(const std::string& name, std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(body))
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

std::string component_of(const Graph& graph) {
  return is_quantized(graph) ? "adze.drpai" : "adze.cpu";
}

std::string file_name(const std::string& name, const Graph& graph) {
  return name + (is_quantized(graph) ? "_q.onnx" : ".onnx");
}

/// The test images, in batches; what does not fill one is left out.
Batches batches_of_dataset(const std::filesystem::path& folder, std::uint32_t batch,
                           const Graph& graph) {
  DataSpec spec;
  spec.source = "idx";
  spec.images = folder / "t10k-images-idx3-ubyte.gz";
  if (!std::filesystem::exists(spec.images)) spec.images.replace_extension();
  spec.preprocess.scale = 1.0 / 255;
  spec.preprocess.mean = {0.2860};
  spec.preprocess.std = {0.3530};
  const auto dataset = open_dataset(spec, input_specs(graph));
  Batches batches;
  std::vector<std::int64_t> indices(batch);
  for (std::int64_t first = 0; first + batch <= dataset->size(); first += batch) {
    std::iota(indices.begin(), indices.end(), first);
    batches.push_back(dataset->batch(indices));
  }
  return batches;
}

/// "resnet/int8/batch64/adze", ".../plain", ".../onnxruntime".
void add_inputs(Setup& setup, const std::string& prefix, const Graph& graph,
                const std::shared_ptr<OrtSession>& peer, const Batches& batches) {
  CallOptions call;
  call.threads = setup.threads;
  const auto batch = static_cast<std::uint32_t>(batches.front().front().shape()[0]);
  for (const std::string path : {"fast", "plain"}) {
    if (path == "plain" && (!is_quantized(graph) || batches.size() > 1)) continue;
    const auto runner = std::make_shared<BackendRunner>(
        setup.registry.find(component_of(graph)), Settings{{"path", path}}, graph, prefix, call,
        CompileOptions{.batch = batch, .extra_outputs = {}});
    add(prefix + (path == "fast" ? "adze" : path),
        [=](benchmark::State& state) { time_runner(state, *runner, batches); });
  }
  if (peer)
    add(prefix + "onnxruntime", [=](benchmark::State& state) { time_ort(state, *peer, batches); });
}

void add_model(Setup& setup, const std::string& name, const Graph& graph) {
  if (!setup.write.empty()) return save_model(graph, setup.write / file_name(name, graph));
  const std::filesystem::path file = setup.folder.path() / file_name(name, graph);
  save_model(graph, file);
  std::shared_ptr<OrtSession> peer;
  if (const auto library = adze::testing::ort_library())
    peer = std::make_shared<OrtSession>(*library, file, static_cast<int>(setup.threads));
  const std::string prefix = fmt::format("{}/{}/", name, is_quantized(graph) ? "int8" : "fp32");
  for (const std::uint32_t batch : setup.batches)
    add_inputs(setup, fmt::format("{}batch{}/", prefix, batch), graph, peer,
               {adze::testing::random_inputs(graph, batch, 2)});
  for (const std::uint32_t batch : setup.dataset_batches)
    if (!setup.dataset.empty())
      add_inputs(setup, fmt::format("{}dataset{}/", prefix, batch), graph, peer,
                 batches_of_dataset(setup.dataset, batch, graph));
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void run_once(Setup& setup, const std::filesystem::path& model) {
  const double start = now_seconds();
  double compiled = 0;
  if (setup.once == "adze") {
    Graph graph = load_model(model);
    simplify(graph);
    CallOptions call;
    call.threads = setup.threads;
    BackendRunner runner(setup.registry.find(component_of(graph)), {}, graph, "once", call, {});
    compiled = now_seconds();
    runner.run(adze::testing::random_inputs(graph, 1, 2));
  } else {
    OrtSession session(adze::testing::ort_library().value(), model,
                       static_cast<int>(setup.threads));
    compiled = now_seconds();
    const Tensor image(DType::f32, {1, 3, 224, 224});  // what the models of the table take
    session.run(ort_tensors({image}));
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{:.3f} {:.1f}\n", compiled - start, static_cast<double>(usage.ru_maxrss) / 1024);
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

std::vector<std::uint32_t> numbers_of(const std::string& text) {
  std::vector<std::uint32_t> numbers;
  std::istringstream list(text);
  for (std::string number; std::getline(list, number, ',');)
    numbers.push_back(static_cast<std::uint32_t>(std::stoul(number)));
  return numbers;
}

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
    const auto value = [&](const std::string& option) -> std::optional<std::string> {
      if (!argument.starts_with(option)) return std::nullopt;
      return argument.substr(option.size());
    };
    if (const auto threads = value("--threads=")) {
      setup.threads = static_cast<std::uint32_t>(std::stoul(*threads));
    } else if (const auto batches = value("--batches=")) {
      setup.batches = numbers_of(*batches);
    } else if (const auto sizes = value("--dataset-batches=")) {
      setup.dataset_batches = numbers_of(*sizes);
    } else if (const auto dataset = value("--dataset=")) {
      setup.dataset = *dataset;
    } else if (const auto write = value("--write=")) {
      setup.write = *write;
    } else if (const auto once = value("--once=")) {
      setup.once = *once;
    } else if (argument.starts_with("--")) {
      arguments.push_back(argv[i]);
    } else {
      models.emplace_back(argument);
    }
  }
  if (models.empty())
    for (const auto& entry : std::filesystem::directory_iterator(ADZE_FIXTURE_MODELS))
      if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  std::sort(models.begin(), models.end());
  if (!setup.once.empty()) {
    run_once(setup, models.front());
    return 0;
  }

  for (const std::filesystem::path& model : models) {
    Graph graph = load_model(model);
    simplify(graph);
    add_model(setup, model.stem().string(), graph);
    if (!is_quantized(graph))
      add_model(setup, model.stem().string(),
                adze::testing::quantize_by_range(graph, setup.registry.find("adze.cpu")));
  }
  if (!setup.write.empty()) return 0;
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
