// Who holds the board. The agent's lease is the lock of record: a file lock covers one host only.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace adze::hil {

/// [any] thread.
class Lease {
 public:
  /// A lease that was not used for this long may be taken over.
  explicit Lease(std::int64_t idle_ms) : idle_(idle_ms) {}

  /// The nonce of a new session; nullopt when another link holds the board, whose client is in
  /// `holder` then. A second hello on the same link begins anew: a link has one user.
  std::optional<std::uint64_t> take(const void* link, const std::string& client,
                                    std::string& holder);
  /// False when the session is not (or no longer) the one that holds the board. Counts as use.
  bool holds(const void* link, std::uint64_t nonce);
  void release(const void* link);

 private:
  using Clock = std::chrono::steady_clock;
  std::mutex mutex_;
  std::chrono::milliseconds idle_;
  const void* link_ = nullptr;
  std::uint64_t nonce_ = 0;
  std::string client_;
  Clock::time_point used_;
};

}  // namespace adze::hil
