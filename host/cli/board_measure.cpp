// adze board bench, ab, stats: latencies, their statistics, and whether two of them differ.
#include "host/cli/board_measure.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "hil/session/board_runner.hpp"
#include "hil/session/model_bundle.hpp"
#include "host/cli/board_link.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

struct MeasureOptions {
  std::string board;
  std::filesystem::path raw, a, b;
  std::int64_t samples = 1000, warmup_ms = 200, repetitions = 20;
  std::uint64_t seed = 0;
  hil::GuardLimits guard;
  hil::AbLimits limits;
  std::optional<double> max_slowdown;
};

double in_ms(std::int64_t ns) { return static_cast<double>(ns) / 1e6; }

void bench(const MeasureOptions& options, Context& context) {
  auto session = open_board(context, options.board);
  const auto instruments = instruments_of(context, options.board);
  hil::BoardRunner runner(session, "active bundle", options.warmup_ms);
  with_console(*instruments, [&] {
    ProgressBar bar(context, "bench " + options.board);
    instruments->measure_idle([&](const std::string& doing) { bar.update(0, doing); });
    runner.measure_guarded(hil::noise_for(runner.loaded().inputs, options.seed), options.samples,
                           options.guard, board_progress(bar));
  });
  if (!options.raw.empty())
    hil::append_raw(options.raw, {.side = "", .times_ns = runner.times_ns()}, runner.conditions());
  hil::Measurement measurement = runner.measurement();
  instruments->add_to(measurement, runner.windows());
  context.result(
      to_json(measurement),
      fmt::format("{} runs {} ({})\n{}", describe(session.board()), runner.loaded().model,
                  runner.loaded().bundle.substr(0, 12), latency_text(measurement)));
}

double median_ms(const std::vector<std::int64_t>& times_ns) {
  std::vector<double> values;
  for (const std::int64_t time : times_ns) values.push_back(in_ms(time));
  return hil::quantile(hil::sorted(values), 0.5);
}

json limits_json(const hil::AbLimits& limits) {
  return {{"alpha", limits.alpha}, {"min_effect", limits.min_effect}};
}

std::string ab_text(const hil::AbResult& result, const hil::AbLimits& limits) {
  const char* what = !result.differs    ? "no difference"
                     : result.shift > 0 ? "B is slower"
                                        : "B is faster";
  return fmt::format(
      "A: median {:.4f} ms of {} repetitions; B: {:.4f} ms of {}\n{}: B takes {:+.2f} % (95 % "
      "interval {:+.2f} to {:+.2f} %), Mann-Whitney p = {:.2g}{}; a difference needs p < {} and "
      "{:.2g} %\n",
      result.median_a, result.n_a, result.median_b, result.n_b, what, result.shift * 100,
      result.shift_ci95.low * 100, result.shift_ci95.high * 100, result.p,
      result.exact ? " (exact)" : "", limits.alpha, limits.min_effect * 100);
}

/// Medians of the repetitions of one side.
struct Side {
  const char* name;
  std::string bundle;
  std::vector<double> medians;
};

void repeat(Side& side, hil::BoardSession& session, const MeasureOptions& options,
            hil::Conditions& conditions) {
  // From the beginning, as after a start of the board: a new worker and a new warm-up. Inferences
  // of one load are too much alike to count as repetitions.
  session.activate(side.bundle);
  hil::BoardRunner runner(session, side.name, options.warmup_ms);
  runner.measure_guarded(hil::noise_for(runner.loaded().inputs, options.seed), options.samples,
                         options.guard);
  conditions = runner.conditions();
  if (!options.raw.empty())
    hil::append_raw(options.raw, {.side = side.name, .times_ns = runner.times_ns()}, conditions);
  side.medians.push_back(median_ms(runner.times_ns()));
}

std::string flash_quietly(hil::BoardSession& session, const std::filesystem::path& file) {
  const auto source = hil::file_source(file);
  hil::Bundle(*source).verify();
  return session.flash(*source).bundle;
}

void compare_on_board(const MeasureOptions& options, Context& context) {
  auto session = open_board(context, options.board);
  Side a{"A", {}, {}}, b{"B", {}, {}};
  // A board keeps the active bundle and the one that was before.
  for (const auto& [side, file] : {std::pair{&a, options.a}, {&b, options.b}}) {
    side->bundle = flash_quietly(session, file);
    session.activate(side->bundle);
  }
  const auto repetitions = static_cast<std::size_t>(options.repetitions);
  const std::vector<bool> b_first = hil::interleaving(repetitions, options.seed);
  std::vector<std::string> throttled;
  hil::Conditions conditions;
  {
    ProgressBar bar(context, "A/B on " + options.board);
    for (std::size_t i = 0; i < repetitions; ++i)
      for (Side* side : {b_first[i] ? &b : &a, b_first[i] ? &a : &b}) {
        repeat(*side, session, options, conditions);
        for (const std::string& reason : conditions.throttled)
          throttled.push_back(fmt::format("{} {}: {}", side->name, side->medians.size(), reason));
        bar.update(static_cast<double>(a.medians.size() + b.medians.size()) /
                   static_cast<double>(2 * repetitions));
      }
  }
  const hil::AbResult result = compare_ab(a.medians, b.medians, options.limits);
  const bool failed =
      options.max_slowdown && result.differs && result.shift > *options.max_slowdown;
  json document = to_json(result);
  document.update({{"verdict", !options.max_slowdown ? "DONE"
                               : failed              ? "FAIL"
                                                     : "PASS"},
                   {"bundle_a", a.bundle},
                   {"bundle_b", b.bundle},
                   {"repetitions_a_ms", a.medians},
                   {"repetitions_b_ms", b.medians},
                   {"samples", options.samples},
                   {"seed", options.seed},
                   {"throttled", throttled},
                   {"limits", limits_json(options.limits)},
                   {"conditions", to_json(conditions)}});
  std::string text = describe(session.board()) + ", " +
                     (session.board().simulated ? "simulated latencies\n" : "\n") +
                     ab_text(result, options.limits);
  for (const std::string& reason : throttled) text += "  throttled: " + reason + "\n";
  if (failed) {
    text +=
        fmt::format("FAIL: more than the {:.2g} % that are allowed\n", *options.max_slowdown * 100);
    context.exit = Exit::failed;
  }
  context.result(document, text);
}

/// What stored times say, computed again.
void show_statistics(const MeasureOptions& options, Context& context) {
  std::vector<double> a, b;
  std::vector<std::int64_t> all;
  for (const hil::RawRun& run : hil::read_raw(options.raw)) {
    if (run.times_ns.empty()) continue;
    if (run.side == "A") a.push_back(median_ms(run.times_ns));
    if (run.side == "B") b.push_back(median_ms(run.times_ns));
    all.insert(all.end(), run.times_ns.begin(), run.times_ns.end());
  }
  if (!a.empty() || !b.empty()) {
    const hil::AbResult result = compare_ab(a, b, options.limits);
    json document = to_json(result);
    document["limits"] = limits_json(options.limits);
    return context.result(document, ab_text(result, options.limits));
  }
  const hil::Measurement measurement = hil::make_measurement(all, {});
  json document = to_json(measurement);
  document.erase("conditions");
  context.result(document, latency_text(measurement));
}

void add_ab_limits(CLI::App& command, MeasureOptions& options) {
  command
      .add_option("--alpha", options.limits.alpha,
                  "Share of comparisons of equals that may be called different")
      ->check(CLI::Range(1e-6, 0.5))
      ->capture_default_str();
  command
      .add_option("--min-effect", options.limits.min_effect,
                  "Share of A's latency below which a difference is none")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
}

void add_measuring(CLI::App& command, MeasureOptions& options, int samples) {
  options.samples = samples;
  command.add_option("board,--board", options.board, kBoardHelp)->required();
  command.add_option("--samples", options.samples, "Inferences that count")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  command.add_option("--warmup-ms", options.warmup_ms, "Least time of warming up")
      ->check(CLI::Range(0, 3'600'000))
      ->capture_default_str();
  command.add_option("--seed", options.seed, "Of the noise and the order")->capture_default_str();
  command.add_option("--raw", options.raw,
                     "Append the raw times and their conditions to this file (JSON lines) before "
                     "anything is computed from them");
  command
      .add_option("--start-below-c", options.guard.start_below_c,
                  "Cool down until the hottest zone is below")
      ->capture_default_str();
  command
      .add_option("--max-c", options.guard.max_c,
                  "A hotter run counts as throttled and is made again")
      ->capture_default_str();
  command.add_option("--attempts", options.guard.attempts, "Runs until one is not throttled")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command
      .add_option(
          "--cool-down-s",
          [&options](const CLI::results_t& text) {
            double seconds = 0;
            if (!CLI::detail::lexical_cast(text.at(0), seconds) || !(seconds >= 0)) return false;
            options.guard.cool_down_ms = static_cast<std::int64_t>(seconds * 1000);
            return true;
          },
          "Longest wait for it [120]")
      ->type_name("SECONDS");
}

}  // namespace

std::string latency_text(const hil::Measurement& measurement) {
  const hil::Statistics& s = measurement.statistics;
  const hil::Conditions& c = measurement.conditions;
  std::string text = fmt::format(
      "{}latency of {} inferences: median {:.4f} ms ({}), min {:.4f}, mean {:.4f}, MAD {:.4f}, p90 "
      "{:.4f}, p95 {:.4f}, p99 {}, max {:.4f}; outliers: {} mild, {} severe\n",
      c.simulated ? "simulated " : "", s.n, s.median, interval_text(s), s.min, s.mean, s.mad, s.p90,
      s.p95, s.p99 ? fmt::format("{:.4f}", *s.p99) : "n too small", s.max, s.mild_outliers,
      s.severe_outliers);
  if (c.first_dropped)
    text += fmt::format("first call dropped ({:.4f} ms), {} more of warming up\n", c.first_ms,
                        c.warmup_count);
  return text + energy_text(measurement) + condition_text(c);
}

std::string energy_text(const hil::Measurement& measurement) {
  if (!measurement.energy) return "";
  const hil::Energy& e = *measurement.energy;
  return fmt::format(
      "power: mean {:.3g} W, idle {:.3g} W; energy of an inference above idle: {:.4g} mJ ({}), {} "
      "samples\n",
      e.mean_w, e.idle_w, e.per_inference_j * 1e3,
      e.ci95 ? fmt::format("95 % interval {:.4g} to {:.4g}", e.ci95->low * 1e3, e.ci95->high * 1e3)
             : "no interval: too few samples a part",
      e.samples);
}

std::string interval_text(const hil::Statistics& s) {
  return s.ci95 ? fmt::format("95 % interval {:.4f} to {:.4f}", s.ci95->low, s.ci95->high)
                : fmt::format("n too small for an interval: {} of {}", s.n,
                              hil::kMinSamplesForInterval);
}

std::string condition_text(const hil::Conditions& c) {
  std::string text;
  for (const std::string& reason : c.throttled)
    text += fmt::format("THROTTLED in {} of {} attempts: {}; the times are not to be believed\n",
                        c.attempts, c.attempts, reason);
  if (c.throttled.empty() && c.attempts > 1)
    text += fmt::format("throttled in {} attempts before this one\n", c.attempts - 1);
  for (const std::string& warning : c.warnings) text += "warning: " + warning + "\n";
  for (const std::string& fault : c.link_faults) text += "got over: " + fault + "\n";
  return text;
}

void add_board_measuring(CLI::App& group, Context& context) {
  const auto benching = std::make_shared<MeasureOptions>(),
             comparing = std::make_shared<MeasureOptions>(),
             stored = std::make_shared<MeasureOptions>();
  auto* bench_command =
      group.add_subcommand("bench", "Latency of the active bundle, fed with noise");
  add_measuring(*bench_command, *benching, 1000);
  bench_command->callback([benching, &context] { bench(*benching, context); });

  auto* ab_command =
      group.add_subcommand("ab", "Is bundle B slower than A? Measured in turns, in random order");
  add_measuring(*ab_command, *comparing, 100);
  ab_command->add_option("a", comparing->a, "The .adze file of A")->required();
  ab_command->add_option("b", comparing->b, "The .adze file of B")->required();
  ab_command
      ->add_option("--repetitions", comparing->repetitions,
                   "Of each: a fresh load, a warm-up, and --samples inferences")
      ->check(CLI::Range(static_cast<int>(hil::kMinRepetitions), 10'000))
      ->capture_default_str();
  add_ab_limits(*ab_command, *comparing);
  ab_command->add_option("--max-slowdown", comparing->max_slowdown,
                         "FAIL when B is slower by more than this share");
  ab_command->callback([comparing, &context] { compare_on_board(*comparing, context); });

  auto* stats_command = group.add_subcommand(
      "stats", "Statistics of the times in a --raw file, computed again; A/B if it has both");
  stats_command->add_option("raw", stored->raw, "File that --raw wrote")->required();
  add_ab_limits(*stats_command, *stored);
  stats_command->callback([stored, &context] { show_statistics(*stored, context); });
}

}  // namespace adze::host
