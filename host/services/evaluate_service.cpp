#include "host/services/evaluate_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "host/abi/guard.hpp"
#include "host/base/error.hpp"
#include "host/evaluate/evaluate.hpp"

namespace adze::host {
namespace {

constexpr std::int64_t kBatch = 64;
/// Outputs of the shown graph that are kept; those of later samples are computed again.
constexpr std::size_t kKeptBytes = std::size_t{256} << 20;

/// Signal and noise of each output, summed over batches.
class Noise {
 public:
  void add(const Runner& runner, const std::vector<NamedTensor>& wanted,
           const std::vector<NamedTensor>& found) {
    if (found.size() != wanted.size())
      throw PluginError(ADZE_INTERNAL, runner.name() + " gave another number of outputs");
    sums_.resize(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (found[i].tensor.shape() != wanted[i].tensor.shape())
        throw PluginError(
            ADZE_INTERNAL,
            fmt::format("{}: output '{}' is {} with the edits, {} without", runner.name(),
                        wanted[i].name, to_string(found[i].tensor.shape()),
                        to_string(wanted[i].tensor.shape())));
      const std::vector<float> a = to_f32(wanted[i].tensor), b = to_f32(found[i].tensor);
      for (std::size_t at = 0; at < a.size(); ++at) {
        if (!std::isfinite(a[at]) || !std::isfinite(b[at]))
          throw Error(ADZE_DATA_LOSS,
                      fmt::format("adze_evaluate.score: output '{}' is {} {} the edits",
                                  wanted[i].name, std::isfinite(a[at]) ? b[at] : a[at],
                                  std::isfinite(a[at]) ? "with" : "without"));
        const double x = a[at], difference = x - b[at];
        sums_[i].signal += x * x;
        sums_[i].noise += difference * difference;
      }
    }
  }

  /// The ratio is averaged over the outputs, so that one with large numbers does not hide others.
  double sqnr_db() const {
    double ratio = 0;
    for (const Sums& sums : sums_)
      if (sums.noise > 0) ratio += sums.signal > 0 ? sums.noise / sums.signal : 1;
    ratio /= static_cast<double>(std::max<std::size_t>(sums_.size(), 1));
    constexpr double kHighest = EvaluateService::kHighestSqnrDb;
    return ratio > 0 ? std::min(-10 * std::log10(ratio), kHighest) : kHighest;
  }

 private:
  struct Sums {
    double signal = 0, noise = 0;
  };
  std::vector<Sums> sums_;
};

}  // namespace

struct EvaluateService::Impl {
  const Graph& shown;
  const Dataset& samples;
  std::string metric;
  Compile compile;
  adze_evaluate table{};
  std::unique_ptr<Runner> shown_runner;
  std::vector<std::vector<NamedTensor>> kept;  // outputs of the shown graph, by batch
  std::size_t kept_bytes = 0;

  std::int64_t batch() const { return std::min(kBatch, samples.size()); }

  /// What the shown graph makes of batch `number`; `whole`: not only of its first samples.
  std::vector<NamedTensor> outputs_of_shown(std::size_t number, bool whole,
                                            const std::vector<Tensor>& inputs) {
    if (whole && number < kept.size()) return kept[number];
    if (!shown_runner) shown_runner = compile(shown, static_cast<std::uint32_t>(batch()));
    std::vector<NamedTensor> outputs = shown_runner->run(inputs);
    std::size_t bytes = 0;
    for (const NamedTensor& output : outputs) bytes += output.tensor.size_bytes();
    if (whole && kept.size() == number && kept_bytes + bytes <= kKeptBytes) {
      kept.push_back(outputs);
      kept_bytes += bytes;
    }
    return outputs;
  }

  double sqnr_db(Runner& edited, std::int64_t limit) {
    Noise noise;
    std::size_t number = 0;
    for (std::int64_t first = 0; first < limit; first += batch(), ++number) {
      const std::int64_t whole_end = std::min(first + batch(), samples.size());
      std::vector<std::int64_t> indices(
          static_cast<std::size_t>(std::min(whole_end, limit) - first));
      std::iota(indices.begin(), indices.end(), first);
      const std::vector<Tensor> inputs = samples.batch(indices);
      noise.add(edited, outputs_of_shown(number, whole_end <= limit, inputs), edited.run(inputs));
    }
    return noise.sqnr_db();
  }

  double score(const EditList& edits, std::uint32_t kind, std::uint32_t max_samples) {
    if (kind != ADZE_SCORE_SQNR_DB && kind != ADZE_SCORE_TASK)
      throw Error(ADZE_UNIMPLEMENTED,
                  fmt::format("adze_evaluate.score: there is no score of kind {}", kind));
    if (kind == ADZE_SCORE_TASK && !samples.has_labels())
      throw Error(ADZE_NOT_FOUND,
                  "adze_evaluate.score: the held-out samples have no labels; give labels in "
                  "[calibration], or ask for the SQNR");
    if (kind == ADZE_SCORE_TASK && metric.empty())
      throw Error(ADZE_NOT_FOUND,
                  "adze_evaluate.score: the recipe's metric needs no labels; ask for the SQNR");
    const std::int64_t limit =
        max_samples ? std::min<std::int64_t>(max_samples, samples.size()) : samples.size();
    if (kind == ADZE_SCORE_SQNR_DB && edits.edits().empty()) return kHighestSqnrDb;
    const std::unique_ptr<Runner> edited =
        compile(edits.commit(), static_cast<std::uint32_t>(batch()));
    if (kind == ADZE_SCORE_SQNR_DB) return sqnr_db(*edited, limit);
    return evaluate(*edited, samples, metric, limit, nullptr, batch()).value;
  }

  static adze_status score_thunk(adze_call* call, std::uint32_t kind, std::uint32_t max_samples,
                                 double* out_score) noexcept {
    return guarded(call, [&](Call& self) {
      if (!out_score) throw Error(ADZE_INVALID_ARGUMENT, "adze_evaluate.score: out is NULL");
      if (!self.edits())
        throw Error(ADZE_FAILED_PRECONDITION,
                    "adze_evaluate.score: this call makes no edits to score");
      *out_score = self.service<EvaluateService>().score(*self.edits(), kind, max_samples);
    });
  }
};

EvaluateService::EvaluateService(const Graph& shown, const Dataset& samples, std::string metric,
                                 Compile compile)
    : impl_(new Impl{.shown = shown,
                     .samples = samples,
                     .metric = std::move(metric),
                     .compile = std::move(compile)}) {
  if (samples.size() == 0)
    throw Error(ADZE_INVALID_ARGUMENT, "adze.evaluate/1 needs a held-out sample");
  impl_->table = {.struct_size = sizeof(adze_evaluate),
                  .sample_count = static_cast<std::uint32_t>(samples.size()),
                  .score = Impl::score_thunk};
}

EvaluateService::~EvaluateService() = default;

const void* EvaluateService::table() const { return &impl_->table; }

double EvaluateService::score(const EditList& edits, std::uint32_t kind,
                              std::uint32_t max_samples) {
  return impl_->score(edits, kind, max_samples);
}

}  // namespace adze::host
