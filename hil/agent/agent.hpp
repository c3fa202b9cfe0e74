// The daemon on a board, real or simulated: takes bundles, runs them in a worker, reports times.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "hil/agent/board_worker.hpp"
#include "hil/agent/lease.hpp"
#include "hil/agent/simulated_hardware.hpp"
#include "hil/agent/slot_store.hpp"
#include "hil/link/link.hpp"

namespace adze::hil {

struct AgentOptions {
  std::filesystem::path root;  ///< where slots are kept
  std::string board, board_type, version;
  BoardWorker::Options worker;
  std::filesystem::path trusted_keys;  ///< folder of *.pub files
  bool lab = false;                    ///< unsigned bundles are taken
  bool simulated = false;              ///< said in every hello, so that every report can say it
  std::int64_t lease_idle_ms = 120'000;
  Faults faults;                 ///< of a simulated board
  bool faulty = false;           ///< there are some
  Pace pace;                     ///< of a simulated board
  std::function<void()> reboot;  ///< starts this program anew; may return, then the link closes
  std::function<void(const std::filesystem::path& tree)> before_read_back;  ///< see SlotStore
};

class Agent {
 public:
  explicit Agent(AgentOptions options);

  enum class Ended { link_closed, out_of_step, stopped };
  /// Serves one client until its link closes, its bytes are no frames (the caller closes or resets
  /// the link: nothing on it can be believed), or `stop` turns true. May run on several threads
  /// with a link each: one of them holds the board, the others are told so.
  Ended serve(Link& link, const std::atomic<bool>& stop);

  const AgentOptions& options() const { return options_; }
  Lease& lease() { return lease_; }
  /// Only the holder of the lease may use it.
  SlotStore& slots() { return slots_; }
  SimulatedHardware& hardware() { return hardware_; }
  /// Changes with each start of the board; a simulated one starts with its agent.
  const std::string& boot_id() const { return boot_id_; }

 private:
  AgentOptions options_;
  Lease lease_;
  SlotStore slots_;
  SimulatedHardware hardware_;
  std::string boot_id_;
};

}  // namespace adze::hil
