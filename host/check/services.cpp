#include "host/check/services.hpp"

#include <adze/ext/draft/latency.h>

#include <algorithm>
#include <numeric>

#include "host/abi/guard.hpp"
#include "host/abi/onnx_bytes.hpp"
#include "host/abi/parallel.hpp"
#include "host/abi/refit.hpp"
#include "host/base/error.hpp"
#include "host/calibrate/calibration.hpp"
#include "host/check/model_builder.hpp"
#include "host/graph/statistics.hpp"
#include "host/services/dataset_service.hpp"
#include "host/services/evaluate_service.hpp"
#include "host/services/structure_service.hpp"

namespace adze::host::check {
namespace {

constexpr std::int64_t kSamples = 8;

std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// The value's shape for `batch` samples; what is not known is 1.
Shape shape_for(const Value& value, std::int64_t batch) {
  Shape shape = value.shape.value_or(Shape{1});
  for (std::int64_t& size : shape) size = std::max<std::int64_t>(size, size < 0 ? 1 : 0);
  if (value.batch_axis >= 0) shape[static_cast<std::size_t>(value.batch_axis)] = batch;
  return shape;
}

class MadeUpSamples : public Dataset {
 public:
  explicit MadeUpSamples(const Graph& graph) : graph_(graph) {}
  std::int64_t size() const override { return kSamples; }
  bool has_labels() const override { return false; }
  std::int64_t label(std::int64_t) const override {
    throw Error(ADZE_FAILED_PRECONDITION, "the samples have no labels");
  }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    std::vector<Tensor> inputs;
    for (const std::uint32_t input : graph_.inputs) {
      const Value& value = graph_.value(input);
      inputs.push_back(made_up(
          value.dtype, shape_for(value, static_cast<std::int64_t>(indices.size())), value.name));
    }
    return inputs;
  }

 private:
  const Graph& graph_;
};

/// Answers with made-up values for everything it is asked for.
class MadeUpRunner : public Runner {
 public:
  MadeUpRunner(const Graph& graph, std::vector<std::string> extra, std::int64_t batch)
      : batch_(batch) {
    for (const std::uint32_t output : graph.outputs) results_.push_back(graph.value(output));
    for (const std::string& name : extra) results_.push_back(graph.value(graph.find_value(name)));
  }
  std::string name() const override { return "made-up values"; }
  std::vector<NamedTensor> run(std::span<const Tensor> inputs) override {
    const std::int64_t batch =
        inputs.empty() || inputs.front().shape().empty() ? batch_ : inputs.front().shape().front();
    std::vector<NamedTensor> outputs;
    for (const Value& value : results_)
      outputs.push_back({value.name, made_up(value.dtype, shape_for(value, batch), value.name)});
    return outputs;
  }
  std::vector<ProfileRow> profile() override { return {}; }

 private:
  std::vector<Value> results_;
  std::int64_t batch_;
};

std::unique_ptr<Runner> made_up_runner(const Graph& graph, const std::vector<std::string>& extra,
                                       std::uint32_t batch) {
  return std::make_unique<MadeUpRunner>(graph, extra, batch);
}

std::vector<std::int64_t> indices(std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), first);
  return all;
}

/// Base of a service over samples that are made up, so that they are there before it.
struct WithSamples {
  explicit WithSamples(const Graph& graph) : samples(graph) {}
  MadeUpSamples samples;
};

// The host's own services: only what they would measure is made up.
struct MadeUpCalibration : private WithSamples, public Calibration {
  MadeUpCalibration(const Graph& graph, std::uint32_t threads)
      : WithSamples(graph),
        Calibration(graph, samples, indices(0, kSamples), made_up_runner,
                    {.threads = threads, .progress = {}}) {}
};
struct MadeUpDataset : private WithSamples, public DatasetService {
  explicit MadeUpDataset(const Graph& graph)
      : WithSamples(graph),
        DatasetService(samples, indices(0, kSamples / 2), indices(kSamples / 2, kSamples / 2),
                       inputs_of(graph)) {}
  static std::vector<InputSpec> inputs_of(const Graph& graph) {
    std::vector<InputSpec> specs;
    for (const std::uint32_t input : graph.inputs)
      specs.push_back(
          {graph.value(input).name, graph.value(input).dtype, shape_for(graph.value(input), 1)});
    return specs;
  }
};
struct MadeUpEvaluate : private WithSamples, public EvaluateService {
  explicit MadeUpEvaluate(const Graph& graph)
      : WithSamples(graph),
        EvaluateService(graph, samples, "", [](const Graph& shown, std::uint32_t batch) {
          return made_up_runner(shown, {}, batch);
        }) {}
};

/// A thousandth of a millisecond a node, and one for a million products that are left.
class MadeUpLatency : public Service {
 public:
  explicit MadeUpLatency(const Graph& graph) : graph_(graph) {}
  const char* id() const override { return ADZE_LATENCY; }
  const void* table() const override {
    static constexpr adze_latency kTable = {sizeof(adze_latency), ADZE_PREDICTED, ask};
    return &kTable;
  }

 private:
  static adze_status ask(adze_call* call, const adze_what_if* questions, std::uint64_t count,
                         double* out_latency_ms) noexcept {
    return guarded(call, [&](Call& self) {
      const MadeUpLatency& service = self.service<MadeUpLatency>();
      const auto* at = reinterpret_cast<const char*>(questions);
      for (std::uint64_t i = 0; i < count; ++i, at += questions->struct_size)
        out_latency_ms[i] = service.latency_ms(*reinterpret_cast<const adze_what_if*>(at));
    });
  }
  double latency_ms(const adze_what_if& question) const {
    const auto of_node = [&](const Node& node) {
      return 1e-3 + 1e-6 * static_cast<double>(macs_of(graph_, node)) * (1 - question.sparsity);
    };
    if (question.node != kNone && question.node >= graph_.nodes.size())
      throw Error(ADZE_INVALID_ARGUMENT, "adze_latency.ask: there is no such node");
    if (question.node != kNone) return of_node(graph_.nodes[question.node]);
    double total_ms = 0;
    for (const Node& node : graph_.nodes) total_ms += of_node(node);
    return total_ms;
  }

  const Graph& graph_;
};

}  // namespace

Tensor made_up(DType dtype, const Shape& shape, const std::string& name) {
  Random random(hash_of(name));
  std::vector<float> elements(static_cast<std::size_t>(element_count(shape)));
  for (float& element : elements) element = random.uniform();
  if (dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16 || dtype == DType::bf16)
    return from_f32(dtype, shape, elements);
  Tensor tensor(dtype, shape);
  if (dtype == DType::string) return tensor;
  // Small counts: valid as indices, sizes and flags alike.
  const std::size_t element_bytes = info(dtype).bits / 8;
  const auto bytes = tensor.mutate_bytes();
  for (std::size_t i = 0; i < elements.size(); ++i)
    bytes[i * element_bytes] = std::byte{elements[i] > 0};
  return tensor;
}

bool is_served(ComponentKind kind, const std::string& id) {
  static const Graph kNoGraph;
  static const std::filesystem::path kNowhere;
  for (const auto& service : services_for(kind, kNoGraph, {}, {}, 1, kNowhere))
    if (id == service->id()) return true;
  return false;
}

std::vector<std::unique_ptr<Service>> services_for(ComponentKind kind, const Graph& graph,
                                                   const std::vector<std::uint32_t>& targets,
                                                   const std::vector<std::uint32_t>& refits,
                                                   std::uint32_t threads,
                                                   const std::filesystem::path& work_dir) {
  std::vector<std::unique_ptr<Service>> services;
  services.push_back(std::make_unique<Parallel>(threads));
  if (kind == ComponentKind::backend) {
    services.push_back(std::make_unique<OnnxBytes>(graph, work_dir));
    return services;
  }
  services.push_back(std::make_unique<MadeUpCalibration>(graph, threads));
  services.push_back(std::make_unique<MadeUpDataset>(graph));
  services.push_back(std::make_unique<MadeUpEvaluate>(graph));
  services.push_back(std::make_unique<MadeUpLatency>(graph));
  services.push_back(std::make_unique<StructureService>(graph, targets, 1));
  if (kind == ComponentKind::pruner) services.push_back(std::make_unique<Refit>(refits));
  return services;
}

}  // namespace adze::host::check
