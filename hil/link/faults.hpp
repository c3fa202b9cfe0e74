// What a simulated board can be told to do wrong: `adze board sim ID --fault NAME=VALUE`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace adze::hil {

/// Rates are shares of frames (0..1), both directions. Faults "at N" happen once in the life of the
/// agent, so that the host's next attempt can succeed.
struct LinkFaults {
  double drop = 0, duplicate = 0, corrupt = 0;
  double corrupt_header = 0;  ///< the position in the stream is lost then
  double reorder = 0;         ///< the frame comes after the next one
  double delay = 0;
  std::int64_t delay_ms = 20;
  double short_read = 0;                       ///< of reads: only 1 to 16 bytes are given
  std::optional<std::uint64_t> stall_at;       ///< frame after which nothing moves any more
  std::optional<std::uint64_t> disconnect_at;  ///< byte after which the link closes
  bool any() const {
    return drop > 0 || duplicate > 0 || corrupt > 0 || corrupt_header > 0 || reorder > 0 ||
           delay > 0 || short_read > 0 || stall_at || disconnect_at;
  }
};

struct Faults {
  LinkFaults link;
  bool lie_hash = false;                      ///< the answer to a commit names another bundle
  std::optional<std::uint64_t> full_disk_at;  ///< bytes of a bundle that fit on the storage
  double throttle = 1;                        ///< factor on latencies once the board is hot
  std::int64_t throttle_after = 0;            ///< inferences until it is
  std::int64_t throttle_cool_ms = 2000;       ///< pause in which it cools down again
  std::optional<std::uint64_t> hang_at;       ///< run request that is never answered
  std::optional<std::uint64_t> reboot_at;     ///< run request during which the board restarts
  bool wrong_rounding = false;                ///< halves up instead of to even, or the reverse
  std::optional<std::string> wrong_layer;     ///< node whose first channel has negated weights
  bool nan_output = false;                    ///< one element of each output is NaN
  std::uint64_t seed = 1;
};

/// Adds what `text` says: "drop=0.01", "delay=0.05:40", "nan_output". Errors: INVALID_ARGUMENT
/// naming the faults there are.
void add_fault(Faults& faults, const std::string& text);
/// For --help: one line a fault.
const char* fault_help();

/// How long an inference of a simulated board takes: that of its machine, or at least this.
struct Pace {
  bool predicted = false;  ///< what the bundle says
  double ms = 0;           ///< otherwise; 0: the machine's own
  double spread = 0;       ///< standard deviation as a share, from load to load
  bool any() const { return predicted || ms > 0; }
};
/// "predicted", "2.5", "predicted:0.02". Errors: INVALID_ARGUMENT.
Pace parse_pace(const std::string& text);

}  // namespace adze::hil
