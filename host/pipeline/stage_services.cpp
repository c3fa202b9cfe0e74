#include "host/pipeline/stage_services.hpp"

#include <utility>

#include "host/abi/backend.hpp"
#include "host/abi/parallel.hpp"
#include "host/calibrate/calibration.hpp"
#include "host/services/dataset_service.hpp"
#include "host/services/evaluate_service.hpp"
#include "host/services/latency_service.hpp"
#include "host/services/structure_service.hpp"

namespace adze::host {
namespace {

constexpr std::uint32_t kReferenceBatch = 64;

}  // namespace

StageServices::StageServices(const Graph& loaded, const Graph& shown,
                             const std::vector<std::uint32_t>& targets, const SampleSets& samples,
                             const Backends& backends, const CallOptions& options) {
  CallOptions quiet = options;
  quiet.progress = {};  // of the whole stage, which each service is a part of
  const auto compile = [in_place_of = backends.in_place_of, quiet](
                           const Component& backend, const Graph& graph, const std::string& what,
                           const CompileOptions& how) -> std::unique_ptr<Runner> {
    return std::make_unique<BackendRunner>(
        backend, Settings{}, in_place_of ? in_place_of(graph) : graph, what, quiet, how);
  };
  if (samples.calibration())
    add<Calibration>(
        shown, *samples.calibration(), samples.collected(),
        [compile, backend = backends.run(shown)](
            const Graph& graph, const std::vector<std::string>& extra, std::uint32_t batch) {
          return compile(backend, graph, "calibration", {batch, extra});
        },
        quiet);
  if (samples.held_out())
    add<EvaluateService>(shown, *samples.held_out(), samples.metric(),
                         [compile, run = backends.run](const Graph& graph, std::uint32_t batch) {
                           return compile(run(graph), graph, "the held-out samples", {batch, {}});
                         });
  if (samples.training())
    add<DatasetService>(
        *samples.training(), samples.training_indices(), samples.training_held_out(),
        input_specs(shown),
        [&loaded, run = backends.run, quiet]() -> std::unique_ptr<Runner> {
          return std::make_unique<BackendRunner>(
              run(loaded), Settings{}, loaded, "the model as loaded", quiet,
              CompileOptions{.batch = kReferenceBatch, .extra_outputs = {}});
        },
        samples.augmentation());
  if (options.target && predicts_latency(backends.predict))
    add<LatencyService>(shown, backends.predict, quiet);
  add<StructureService>(shown, targets,
                        channel_multiple(options.target ? options.target->get() : nullptr));
  add<Parallel>(options.threads);
}

std::vector<Service*> StageServices::all() const {
  std::vector<Service*> offered;
  for (const auto& service : services_) offered.push_back(service.get());
  return offered;
}

}  // namespace adze::host
