#include "tests/unit/ptq/rig.hpp"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "host/abi/backend.hpp"
#include "host/abi/call.hpp"
#include "host/abi/parallel.hpp"
#include "host/calibrate/calibration.hpp"
#include "host/plugin/registry.hpp"
#include "host/services/evaluate_service.hpp"

namespace ptq {
namespace {

using namespace adze::host;

const Registry& registry() {
  static const Registry plugins(
      {std::filesystem::path(std::getenv("ADZE_BINARY_DIR")) / "lib/adze/plugins"});
  return plugins;
}

std::unique_ptr<Runner> runner_of(const Graph& graph, std::uint32_t batch) {
  return std::make_unique<BackendRunner>(registry().find("adze.cpu"), Settings{}, graph, "adze.cpu",
                                         CallOptions{.threads = 1},
                                         CompileOptions{.batch = batch, .extra_outputs = {}});
}

std::vector<std::int64_t> indices_of(std::int64_t first, std::int64_t end) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(end - first));
  std::iota(indices.begin(), indices.end(), first);
  return indices;
}

/// The last quarter of a dataset.
class HeldOut : public Dataset {
 public:
  explicit HeldOut(const Dataset& whole) : whole_(whole), first_(whole.size() * 3 / 4) {}
  std::int64_t size() const override { return whole_.size() - first_; }
  bool has_labels() const override { return false; }
  std::int64_t label(std::int64_t) const override { return 0; }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    std::vector<std::int64_t> shifted(indices.begin(), indices.end());
    for (std::int64_t& index : shifted) index += first_;
    return whole_.batch(shifted);
  }

 private:
  const Dataset& whole_;
  std::int64_t first_;
};

}  // namespace

std::vector<Tensor> MadeSamples::batch(std::span<const std::int64_t> indices) const {
  Shape shape = shape_;
  shape[0] = static_cast<std::int64_t>(indices.size());
  const std::int64_t each = element_count(shape_);
  std::vector<float> elements;
  for (const std::int64_t sample : indices)
    for (std::int64_t i = 0; i < each; ++i) elements.push_back(make_(sample, i));
  return {Tensor(DType::f32, shape, std::span<const float>(elements))};
}

float noise(std::uint64_t seed) {
  std::uint64_t x = seed * 0x9E3779B97F4A7C15u + 0x632BE59BD9B4E019u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return static_cast<float>((x ^ (x >> 31)) >> 40) * 0x1p-23f - 1;
}

Tensor noise_tensor(const Shape& shape, std::uint64_t seed, float size) {
  std::vector<float> elements(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = size * noise(seed * 100000 + i);
  return {DType::f32, shape, std::span<const float>(elements)};
}

Quantized quantize(const Graph& graph, const Dataset& samples, const Settings& settings) {
  const CallOptions options{.threads = 2, .seed = 1};
  const HeldOut held_out(samples);
  Calibration calibration(
      graph, samples, indices_of(0, samples.size() < 4 ? samples.size() : samples.size() * 3 / 4),
      registry().find("adze.cpu"), options);
  std::vector<Service*> services = {&calibration};
  std::optional<EvaluateService> evaluation;
  if (samples.size() >= 4) services.push_back(&evaluation.emplace(graph, held_out, "", runner_of));
  Parallel parallel(2);
  services.push_back(&parallel);
  std::vector<std::uint32_t> targets(graph.nodes.size());
  std::iota(targets.begin(), targets.end(), 0u);
  const EditList edits = run_edit_component(registry().find("adze.quantize.ptq"), settings, graph,
                                            targets, options, services);
  return {graph, edits.commit()};
}

double sqnr_db(const Graph& shown, const Graph& edited, const Dataset& samples) {
  const auto indices = indices_of(0, samples.size());
  const auto count = static_cast<std::uint32_t>(samples.size());
  const auto wanted = to_f32(runner_of(shown, count)->run(samples.batch(indices))[0].tensor);
  const auto found = to_f32(runner_of(edited, count)->run(samples.batch(indices))[0].tensor);
  double signal = 0, lost = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double x = wanted[i], difference = x - found[i];
    signal += x * x;
    lost += difference * difference;
  }
  return lost > 0 ? 10 * std::log10(signal / lost) : 200;
}

Graph without_scales(Graph edited) {
  for (Value& value : edited.values) value.quant.reset();
  return edited;
}

}  // namespace ptq
