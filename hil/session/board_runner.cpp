#include "hil/session/board_runner.hpp"

namespace adze::hil {

BoardRunner::BoardRunner(BoardSession& session, std::string model, std::int64_t warmup_ms)
    : session_(session),
      name_("board:" + session.board().board + ":" + model),
      warmup_ms_(warmup_ms),
      loaded_(session.load()) {
  const InfoReply info = session.info();
  conditions_ = {.simulated = info.simulated,
                 .lab = info.lab,
                 .board = info.board,
                 .board_type = info.board_type,
                 .agent = info.agent,
                 .backend = info.backend,
                 .kernel = info.kernel,
                 .machine = info.machine,
                 .batch = loaded_.batch};
}

RunResult BoardRunner::timed_run(std::span<const host::Tensor> inputs, RunSettings settings,
                                 const BoardSession::Progress& progress) {
  const bool first = times_ns_.empty();
  settings.drop_first = first;
  settings.warmup_ms = first ? warmup_ms_ : 0;
  RunResult result = session_.run(loaded_.inputs, inputs, settings, progress);
  if (first) {
    conditions_.first_dropped = true;
    conditions_.first_ms = static_cast<double>(result.first_ns) / 1e6;
    conditions_.warmup_count = result.warmup_count;
    conditions_.before = result.before;
  }
  conditions_.after = result.after;
  times_ns_.insert(times_ns_.end(), result.times_ns.begin(), result.times_ns.end());
  return result;
}

std::vector<host::NamedTensor> BoardRunner::run(std::span<const host::Tensor> inputs) {
  return timed_run(inputs, {}, {}).outputs;
}

void BoardRunner::measure(std::span<const host::Tensor> inputs, std::int64_t repeats,
                          const BoardSession::Progress& progress) {
  timed_run(inputs, {.repeats = repeats, .outputs_wanted = false}, progress);
}

}  // namespace adze::hil
