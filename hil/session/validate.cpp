#include "hil/session/validate.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "host/base/error.hpp"
#include "host/evaluate/evaluate.hpp"

namespace adze::hil {
namespace {

using Outputs = std::vector<host::NamedTensor>;

/// Gives back, run by run, what another runner gave: the metric needs no second inference.
class Replay : public host::Runner {
 public:
  Replay(std::string name, const std::vector<Outputs>& runs)
      : name_(std::move(name)), runs_(runs) {}
  std::string name() const override { return name_; }
  Outputs run(std::span<const host::Tensor>) override { return runs_.at(next_++); }
  std::vector<host::ProfileRow> profile() override { return {}; }

 private:
  std::string name_;
  const std::vector<Outputs>& runs_;
  std::size_t next_ = 0;
};

std::vector<host::OutputComparison> compare(const std::vector<Outputs>& reference,
                                            const std::vector<Outputs>& measured) {
  host::Comparison comparison;
  for (std::size_t run = 0; run < measured.size(); ++run)
    for (const host::NamedTensor& output : reference[run]) {
      const auto match = std::ranges::find(measured[run], output.name, &host::NamedTensor::name);
      if (match == measured[run].end())
        throw host::PluginError(ADZE_DATA_LOSS, "the board did not return output '" + output.name +
                                                    "', which the emulation has");
      comparison.add(output.name, output.tensor, match->tensor);
    }
  return comparison.results();
}

void judge(ValidateResult& result, const ValidateOptions& options) {
  result.emulated_verdict = "PASS";
  result.fp32_verdict = "DONE";
  const auto fail = [&](std::string& verdict, const std::string& why) {
    verdict = "FAIL";
    result.reasons.push_back(why);
  };
  for (const host::OutputComparison& output : result.against_emulated) {
    if (output.nan_count)
      fail(result.emulated_verdict,
           "'" + output.name + "' has NaN in " + std::to_string(output.nan_count) + " elements");
    else if (output.identical())
      continue;
    else if (output.constant_b && !output.constant_a)
      fail(result.emulated_verdict,
           "'" + output.name + "' is the same number everywhere, the emulation's is not");
    else if (output.top1_agreement && *output.top1_agreement < options.min_agreement)
      fail(result.emulated_verdict, "'" + output.name + "' has the emulation's top-1 in " +
                                        std::to_string(*output.top1_agreement * 100) +
                                        " % of samples only");
    else if (!output.top1_agreement && output.sqnr_db && *output.sqnr_db < options.min_sqnr_db)
      fail(result.emulated_verdict, "'" + output.name + "' is only " +
                                        std::to_string(*output.sqnr_db) +
                                        " dB above its difference from the emulation");
  }
  for (const host::OutputComparison& output : result.against_fp32)
    if (output.nan_count) result.fp32_verdict = "FAIL";
  const double median = result.measured.statistics.median;
  if (options.max_latency_ms && median > *options.max_latency_ms)
    result.reasons.push_back("the median latency is " + std::to_string(median) + " ms, " +
                             std::to_string(*options.max_latency_ms) + " are allowed");
  const auto& [measured, exact] = std::tie(result.metric_measured, result.metric_fp32);
  if (options.max_drop && options.metric != "output_error" && measured && exact) {
    const double drop = (*exact - *measured) * 100;
    if (drop > *options.max_drop)
      fail(result.fp32_verdict, options.metric + " is " + std::to_string(drop) +
                                    " points below that of the FP32 model, " +
                                    std::to_string(*options.max_drop) + " are allowed");
  }
  result.verdict = result.reasons.empty() && result.fp32_verdict != "FAIL" ? "PASS" : "FAIL";
}

}  // namespace

ValidateResult validate(BoardSession& session, std::span<const std::byte> bundle,
                        host::Runner& emulated, host::Runner& fp32, const host::Dataset& dataset,
                        const ValidateOptions& options, const BoardSession::Progress& progress) {
  const auto say = [&](double fraction, const std::string& doing) {
    if (progress) progress(fraction, doing);
  };
  const FlashResult flashed =
      session.flash(*memory_source(bundle),
                    [&](double fraction, const std::string& doing) { say(0.1 * fraction, doing); });
  session.activate(flashed.bundle);
  BoardRunner board(session, options.model);

  ValidateResult result{.board = session.board().board,
                        .bundle = flashed.bundle,
                        .flash_skipped = flashed.skipped,
                        .signed_by = flashed.signed_by,
                        .metric = options.metric};
  result.samples = options.samples > 0 ? std::min(options.samples, dataset.size()) : dataset.size();
  std::vector<Outputs> measured, reference, exact;
  for (std::int64_t first = 0; first < result.samples; first += options.batch) {
    std::vector<std::int64_t> indices(
        static_cast<std::size_t>(std::min(options.batch, result.samples - first)));
    std::iota(indices.begin(), indices.end(), first);
    const std::vector<host::Tensor> inputs = dataset.batch(indices);
    measured.push_back(board.run(inputs));
    reference.push_back(emulated.run(inputs));
    exact.push_back(fp32.run(inputs));
    say(0.1 + 0.9 * static_cast<double>(first) / static_cast<double>(result.samples), "running");
  }
  if (!options.raw.empty())
    append_raw(options.raw, {.side = "", .times_ns = board.times_ns()}, board.conditions());
  result.measured = board.measurement();
  result.windows = board.windows();
  result.against_emulated = compare(reference, measured);
  result.against_fp32 = compare(exact, measured);
  const bool broken = std::ranges::any_of(result.against_emulated,
                                          [](const auto& output) { return output.nan_count > 0; });
  const auto metric_of = [&](const host::Runner& of, const std::vector<Outputs>& runs) {
    Replay replay(of.name(), runs), base(fp32.name(), exact);
    return host::evaluate(replay, dataset, options.metric, result.samples, &base, options.batch)
        .value;
  };
  // evaluate() takes no NaN; the verdict has said so by now.
  if (!broken) {
    result.metric_measured = metric_of(board, measured);
    result.metric_emulated = metric_of(emulated, reference);
    result.metric_fp32 = metric_of(fp32, exact);
  }
  judge(result, options);
  return result;
}

}  // namespace adze::hil
