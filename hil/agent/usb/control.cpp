#include "hil/agent/usb/control.hpp"

#include <endian.h>
#include <linux/usb/functionfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "hil/agent/usb/pipe.hpp"
#include "hil/link/usb/identity.hpp"

namespace adze::hil::usb {
namespace {

/// Of requests without data, from the host, to the interface.
constexpr __u8 kToInterface = USB_DIR_OUT | USB_TYPE_VENDOR | USB_RECIP_INTERFACE;

void answer(int ep0, const usb_ctrlrequest& request, GadgetPipe& pipe) {
  const bool ours = request.bRequestType == kToInterface && request.wLength == 0;
  const bool from_host = (request.bRequestType & USB_DIR_IN) == 0;
  [[maybe_unused]] ssize_t done = 0;
  if (ours && request.bRequest == kRequestBegin) {
    pipe.begin();
    done = ::read(ep0, nullptr, 0);  // only now: the host sends when it has the answer
  } else if (ours && request.bRequest == kRequestEnd) {
    pipe.end();
    done = ::read(ep0, nullptr, 0);
  } else {
    // In the wrong direction: a stall.
    done = from_host ? ::write(ep0, nullptr, 0) : ::read(ep0, nullptr, 0);
  }
}

}  // namespace

int handle_control(int ep0, GadgetPipe& pipe) {
  std::array<usb_functionfs_event, 4> events{};
  const ssize_t got = ::read(ep0, events.data(), sizeof events);
  if (got < 0) {
    // EIDRM: the host gave up a request before it was answered.
    return errno == EINTR || errno == EAGAIN || errno == EIDRM ? 0 : errno;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(got) / sizeof events[0]; ++i) {
    switch (events[i].type) {
      case FUNCTIONFS_SETUP:
        answer(ep0, events[i].u.setup, pipe);
        break;
      case FUNCTIONFS_SUSPEND:
      case FUNCTIONFS_RESUME:
        break;
      default:
        // Also when the gadget is enabled: the kernel leaves out that it was disabled before.
        // An unplug shows as UNBIND alone.
        pipe.lose("the host let go of the board, or its cable is out");
    }
  }
  return 0;
}

}  // namespace adze::hil::usb
