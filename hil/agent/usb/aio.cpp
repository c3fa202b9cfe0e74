#include "hil/agent/usb/aio.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "hil/link/socket_link.hpp"
#include "host/base/error.hpp"

namespace adze::hil::usb {

AsyncIo::AsyncIo(unsigned depth) : ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), depth_(depth) {
  if (!ready_ || ::syscall(SYS_io_setup, depth, &context_) != 0)
    throw host::Error(ADZE_RESOURCE_EXHAUSTED,
                      std::string("cannot set up asynchronous input and output: ") +
                          std::strerror(errno) + "; see /proc/sys/fs/aio-max-nr");
}

AsyncIo::~AsyncIo() { ::syscall(SYS_io_destroy, context_); }

int AsyncIo::submit(iocb& request) {
  request.aio_flags |= IOCB_FLAG_RESFD;
  request.aio_resfd = static_cast<__u32>(ready_.get());
  iocb* list = &request;
  return ::syscall(SYS_io_submit, context_, 1L, &list) == 1 ? 0 : errno;
}

void AsyncIo::cancel(iocb& request) {
  io_event unused{};  // the kernel gives the result with the others
  ::syscall(SYS_io_cancel, context_, &request, &unused);
}

std::vector<io_event> AsyncIo::collect(Deadline deadline) {
  std::uint64_t count = 0;
  if (wait_for(ready_.get(), POLLIN, deadline)) [[maybe_unused]]
    const ssize_t got = ::read(ready_.get(), &count, sizeof count);
  std::vector<io_event> events(depth_);
  timespec at_once{};
  const long found =
      ::syscall(SYS_io_getevents, context_, 0L, static_cast<long>(depth_), events.data(), &at_once);
  events.resize(found > 0 ? static_cast<std::size_t>(found) : 0);
  return events;
}

}  // namespace adze::hil::usb
