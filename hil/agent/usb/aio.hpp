// The kernel's asynchronous input and output, by its system calls: on FunctionFS it is the only way
// to have several transfers in flight and to take them back.
#pragma once

#include <linux/aio_abi.h>

#include <vector>

#include "hil/link/link.hpp"
#include "host/base/owned_fd.hpp"

namespace adze::hil::usb {

class AsyncIo {
 public:
  /// At most `depth` requests at a time. Errors: Error RESOURCE_EXHAUSTED.
  explicit AsyncIo(unsigned depth);
  /// Waits for all requests.
  ~AsyncIo();
  AsyncIo(const AsyncIo&) = delete;
  AsyncIo& operator=(const AsyncIo&) = delete;

  /// `request` and what it points to stay until it comes out of collect(). 0, or an error number.
  int submit(iocb& request);
  /// It comes out of collect() soon, unless it was over already.
  void cancel(iocb& request);
  /// What is over; waits until there is something or the deadline has passed.
  std::vector<io_event> collect(Deadline deadline);
  /// Readable when there is something to collect.
  int ready_fd() const { return ready_.get(); }

 private:
  aio_context_t context_ = 0;
  host::OwnedFd ready_;
  unsigned depth_;
};

}  // namespace adze::hil::usb
