// A board as a runner: comparison and evaluation treat it like a backend on this machine.
#pragma once

#include "hil/session/session.hpp"

namespace adze::hil {

/// Every inference it makes is timed on the board; the times add up over all runs.
class BoardRunner : public host::Runner {
 public:
  /// Loads the active bundle. `session` must outlive it; `model` is for name().
  BoardRunner(BoardSession& session, std::string model);
  std::string name() const override { return name_; }
  std::vector<host::NamedTensor> run(std::span<const host::Tensor> inputs) override;
  std::vector<host::ProfileRow> profile() override { return session_.profile(); }

  const LoadReply& loaded() const { return loaded_; }
  /// Of all inferences so far, in order.
  const std::vector<std::int64_t>& times_ns() const { return times_ns_; }

 private:
  BoardSession& session_;
  std::string name_;
  LoadReply loaded_;
  std::vector<std::int64_t> times_ns_;
};

}  // namespace adze::hil
