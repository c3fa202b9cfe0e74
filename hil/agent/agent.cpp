#include "hil/agent/agent.hpp"

#include <random>

#include "hil/agent/connection.hpp"
#include "hil/agent/telemetry.hpp"

namespace adze::hil {
namespace {

std::string random_id() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 32; ++i) id += "0123456789abcdef"[random() % 16];
  return id;
}

}  // namespace

Agent::Agent(AgentOptions options)
    : options_(std::move(options)),
      lease_(options_.lease_idle_ms),
      slots_({.root = options_.root,
              .board_type = options_.board_type,
              .trust =
                  [this] {
                    return Trust{.keys = load_trusted_keys(options_.trusted_keys),
                                 .allow_unsigned = options_.lab};
                  },
              .before_read_back = options_.before_read_back,
              .full_at = options_.faults.full_disk_at}),
      hardware_(options_.faults, options_.pace, options_.root / "broken"),
      boot_id_(options_.simulated ? random_id() : kernel_boot_id()) {
  load_trusted_keys(options_.trusted_keys);  // a bad key file is found now, not with a bundle
}

Agent::Ended Agent::serve(Link& link, const std::atomic<bool>& stop) {
  if (!options_.faults.link.any()) return Connection(*this, link, stop).serve();
  FaultyLink faulty(link, options_.faults.link, options_.faults.seed, hardware_.link_history());
  return Connection(*this, faulty, stop).serve();
}

}  // namespace adze::hil
