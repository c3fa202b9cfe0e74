#include "hil/agent/agent.hpp"

#include "hil/agent/connection.hpp"

namespace adze::hil {

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
              .before_read_back = options_.before_read_back}) {
  load_trusted_keys(options_.trusted_keys);  // a bad key file is found now, not with a bundle
}

Agent::Ended Agent::serve(Link& link, const std::atomic<bool>& stop) {
  return Connection(*this, link, stop).serve();
}

}  // namespace adze::hil
