// In the host: what a component in a worker calls, carried out on the host's own call.
#pragma once

#include "host/isolate/call_codec.hpp"

namespace adze::host {

/// Decodes, calls the host's function and answers. The function checks what it is given, as for a
/// component in this process. Errors: DATA_LOSS for what is no call; as Channel::send.
void serve_callback(adze_call* call, Verb verb, Reader& from, Channel& channel);

}  // namespace adze::host
