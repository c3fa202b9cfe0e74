#include "host/check/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/check/fault_reporter.hpp"
#include "host/check/subject.hpp"
#include "host/worker/process.hpp"

namespace adze::host::check {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kMaxDetailBytes = 4000;
constexpr int kLoadTries = 3;

/// Nothing that runs the plugin makes sense after one of these has failed.
bool blocks(const Rule& rule) {
  static const std::set<std::string_view> kBlocking = {"L01", "L02", "L04", "L05", "L09", "D01",
                                                       "D02", "D05", "D06", "P01", "P02", "P03"};
  return kBlocking.contains(rule.id);
}

Finding judged(const Rule& rule, Subject& subject) {
  Finding finding;
  try {
    finding = rule.check(subject);
  } catch (const PluginError& error) {
    finding = failed(error.what());
  } catch (const Error& error) {
    if (error.code == ADZE_NOT_FOUND) throw;
    finding = failed(error.what());
  }
  if (finding.outcome == Outcome::failed && rule.severity == Severity::warning)
    finding.outcome = Outcome::warning;
  if (finding.detail.size() > kMaxDetailBytes) finding.detail.resize(kMaxDetailBytes);
  return finding;
}

Frame frame_of(const json& message) {
  const std::string text = message.dump(-1, ' ', false, json::error_handler_t::replace);
  Frame frame{.type = FrameType::data};
  const auto bytes = std::as_bytes(std::span(text));
  frame.payload.assign(bytes.begin(), bytes.end());
  return frame;
}

json message_of(const Frame& frame) {
  const auto* text = reinterpret_cast<const char*>(frame.payload.data());
  return json::parse(text, text + frame.payload.size());
}

Outcome outcome_named(const std::string& name) {
  for (const Outcome outcome :
       {Outcome::passed, Outcome::failed, Outcome::warning, Outcome::skipped})
    if (name == name_of(outcome)) return outcome;
  throw Error(ADZE_INTERNAL, "the checking process reported the outcome '" + name + "'");
}

/// Hands rules to children until each has a finding.
class Parent {
 public:
  Parent(const CheckOptions& options, fs::path scratch)
      : options_(options), scratch_(std::move(scratch)) {}

  /// Findings of `rules`, in order. Ends early after a failure that blocks the rest.
  std::vector<RuleResult> run(std::vector<const Rule*> rules) {
    std::vector<RuleResult> results;
    while (results.size() < rules.size()) {
      WorkerProcess child(options_.program,
                          arguments_for(std::span(rules).subspan(results.size())));
      listen(child, rules, results);
      if (!results.empty() && results.back().finding.outcome == Outcome::failed &&
          blocks(*results.back().rule))
        break;
    }
    return results;
  }

 private:
  std::vector<std::string> arguments_for(std::span<const Rule* const> rules) const {
    std::string only;
    for (const Rule* rule : rules) only += (only.empty() ? "" : ",") + std::string(rule->id);
    std::vector<std::string> arguments = {"plugin",    "check",
                                          "--child",   scratch_.string(),
                                          "--only",    only,
                                          "--seconds", fmt::format("{}", options_.fuzz_seconds),
                                          "--seed",    fmt::format("{}", options_.fuzz_seed)};
    if (!options_.component.empty())
      arguments.insert(arguments.end(), {"--component", options_.component});
    if (options_.fuzz_one) arguments.push_back("--one");
    arguments.push_back(options_.file.string());
    return arguments;
  }

  /// Until the child has answered all rules, died, or broke a rule that blocks the rest.
  void listen(WorkerProcess& child, const std::vector<const Rule*>& rules,
              std::vector<RuleResult>& results) {
    const auto limit_ms = static_cast<std::int64_t>(options_.deadline_seconds * 1000);
    std::string doing;
    Deadline deadline = after_ms(limit_ms);
    const auto found = [&](Finding finding) {
      results.push_back({rules[results.size()], std::move(finding)});
    };
    try {
      while (results.size() < rules.size()) {
        const auto frame = child.receive_before(deadline);
        if (!frame && remaining_ms(deadline) == 0) {
          child.kill();
          return found(
              failed(fmt::format("did not return within {} s{}{}", options_.deadline_seconds,
                                 while_doing(doing), child.last_words())));
        }
        if (!frame) continue;
        deadline = after_ms(limit_ms);
        const json message = message_of(*frame);
        if (message.contains("doing")) doing = message["doing"];
        if (message.contains("no_component"))
          throw Error(ADZE_NOT_FOUND, message["no_component"].get<std::string>());
        if (!message.contains("outcome")) continue;
        found({outcome_named(message["outcome"]), message["detail"]});
        doing.clear();
        const RuleResult& last = results.back();
        if (last.finding.outcome == Outcome::failed && blocks(*last.rule)) return;
      }
    } catch (const ChannelClosed&) {
      found(failed(child.describe_end() + while_doing(doing)));
    } catch (const FrameError& error) {
      found(failed(std::string("wrote to descriptors that are not its own: ") + error.what()));
    }
  }

  static std::string while_doing(const std::string& doing) {
    return doing.empty() ? "" : " [while " + doing + "]";
  }

  const CheckOptions& options_;
  fs::path scratch_;
};

Subject subject_of(const CheckOptions& options, const fs::path& scratch,
                   std::function<void(const std::string&)> note) {
  return Subject({.file = options.file,
                  .component = options.component,
                  .scratch = scratch,
                  .fuzz_seconds = options.fuzz_seconds,
                  .fuzz_seed = options.fuzz_seed,
                  .fuzz_one = options.fuzz_one,
                  .note = std::move(note)});
}

/// Loading may be slow because the file came from the disk: the best of a few tries counts.
void retry_slow_load(Parent& parent, RuleResult& result) {
  for (int tries = 1; tries < kLoadTries && result.finding.outcome == Outcome::warning; ++tries)
    result = parent.run({result.rule}).front();
}

}  // namespace

std::vector<RuleResult> check_plugin(const CheckOptions& given) {
  CheckOptions options = given;
  std::error_code missing;
  options.file = fs::canonical(given.file, missing);
  if (missing || !fs::is_regular_file(options.file))
    throw Error(ADZE_NOT_FOUND, fmt::format("cannot check '{}': {}", given.file.string(),
                                            missing ? missing.message() : "not a file"));
  const TemporaryDirectory scratch;
  Subject subject = subject_of(options, scratch.path(), {});
  Parent parent(options, scratch.path());
  std::vector<RuleResult> results;
  std::string blocker;
  const auto take = [&](const RuleResult& result) {
    if (result.finding.outcome == Outcome::failed && blocks(*result.rule) && blocker.empty())
      blocker = result.rule->id;
    results.push_back(result);
  };
  // Whether it can be loaded at all is settled first.
  for (const Rule* rule : options.rules)
    if (!rule->runs_plugin) take({rule, judged(*rule, subject)});
  std::vector<const Rule*> running;
  for (const Rule* rule : options.rules)
    if (rule->runs_plugin) running.push_back(rule);
  if (blocker.empty() && options.in_process) {
    for (const Rule* rule : running) {
      if (!blocker.empty()) break;
      take({rule, judged(*rule, subject)});
    }
  } else if (blocker.empty()) {
    for (RuleResult& result : parent.run(running)) {
      if (std::string_view(result.rule->id) == "L06") retry_slow_load(parent, result);
      take(result);
    }
  }
  for (const Rule* rule : options.rules)
    if (std::ranges::find(results, rule, &RuleResult::rule) == results.end())
      results.push_back({rule, skipped("not looked at before " + blocker + " is mended")});
  std::ranges::sort(results, {}, [](const RuleResult& result) { return result.rule; });
  for (const RuleResult& result : results) options.on_result(result);
  return results;
}

void serve_checks(const CheckOptions& options, const fs::path& scratch, int socket) {
  report_faults();
  Channel channel{OwnedFd(socket)};
  keep_from_forks(socket);
  const auto send = [&](const json& message) {
    channel.send(frame_of(message), {}, after_ms(10'000));
  };
  Subject subject = subject_of(options, scratch, [&](const std::string& doing) {
    send({{"doing", doing}});
  });
  for (const Rule* rule : options.rules) {
    try {
      const Finding finding = judged(*rule, subject);
      send({{"outcome", name_of(finding.outcome)}, {"detail", finding.detail}});
    } catch (const Error& error) {
      return send({{"no_component", error.what()}});
    }
  }
}

json document_of(const fs::path& file, const std::vector<RuleResult>& results) {
  json rules = json::array();
  std::map<Outcome, int> counts;
  for (const RuleResult& result : results) {
    ++counts[result.finding.outcome];
    rules.push_back({{"id", result.rule->id},
                     {"title", result.rule->title},
                     {"outcome", name_of(result.finding.outcome)},
                     {"detail", result.finding.detail}});
  }
  return {{"plugin", file.string()},
          {"rules", rules},
          {"passed", counts[Outcome::passed]},
          {"failed", counts[Outcome::failed]},
          {"warnings", counts[Outcome::warning]},
          {"skipped", counts[Outcome::skipped]}};
}

std::string text_of(const fs::path& file, const std::vector<RuleResult>& results) {
  std::string text = file.string() + "\n";
  char group = 0;
  std::map<Outcome, int> counts;
  for (const auto& [rule, finding] : results) {
    ++counts[finding.outcome];
    if (rule->id[0] != group) {
      group = rule->id[0];
      text += fmt::format("\n{}\n", std::ranges::find(groups(), group, &Group::letter)->name);
    }
    text += fmt::format("  {:<7}  {}  {}\n", name_of(finding.outcome), rule->id, rule->title);
    const bool bad = finding.outcome == Outcome::failed || finding.outcome == Outcome::warning;
    if (!finding.detail.empty()) text += fmt::format("                {}\n", finding.detail);
    if (bad) text += fmt::format("                What to do: {}\n", rule->advice);
  }
  return text + fmt::format("\n{} passed, {} failed, {} warnings, {} skipped\n",
                            counts[Outcome::passed], counts[Outcome::failed],
                            counts[Outcome::warning], counts[Outcome::skipped]);
}

}  // namespace adze::host::check
