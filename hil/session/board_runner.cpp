#include "hil/session/board_runner.hpp"

namespace adze::hil {

BoardRunner::BoardRunner(BoardSession& session, std::string model)
    : session_(session),
      name_("board:" + session.board().board + ":" + model),
      loaded_(session.load()) {}

std::vector<host::NamedTensor> BoardRunner::run(std::span<const host::Tensor> inputs) {
  RunResult result = session_.run(loaded_.inputs, inputs);
  times_ns_.insert(times_ns_.end(), result.times_ns.begin(), result.times_ns.end());
  return std::move(result.outputs);
}

}  // namespace adze::hil
