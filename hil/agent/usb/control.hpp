// What the host and the kernel say on a gadget's control endpoint.
#pragma once

namespace adze::hil::usb {

class GadgetPipe;

/// Reads what happened from `ep0`, tells the pipe, and answers the host's requests; unknown ones
/// are stalled. Returns 0, or the error number with which the endpoint failed.
int handle_control(int ep0, GadgetPipe& pipe);

}  // namespace adze::hil::usb
