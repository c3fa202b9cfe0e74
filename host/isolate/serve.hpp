// In a worker: the component of a plugin, called as the host's messages say.
#pragma once

#include "host/plugin/registry.hpp"
#include "host/worker/channel.hpp"

namespace adze::host {

/// Returns when the host closes the socket.
void serve_component(Channel& channel, const Component& component);

}  // namespace adze::host
