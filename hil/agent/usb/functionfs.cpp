#include "hil/agent/usb/functionfs.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <thread>

#include "hil/agent/usb/aio.hpp"
#include "hil/agent/usb/control.hpp"
#include "hil/agent/usb/descriptors.hpp"
#include "hil/agent/usb/pipe.hpp"
#include "host/base/error.hpp"

namespace adze::hil {
namespace usb {
namespace {

using host::Error;

constexpr std::uint64_t kOne = 1;

[[noreturn]] void refuse(const std::filesystem::path& directory, const std::string& what,
                         const std::string& advice) {
  throw Error(ADZE_FAILED_PRECONDITION, "cannot serve USB at '" + directory.string() + "': " +
                                            what + ": " + std::strerror(errno) + "; " + advice);
}

/// Without waiting for a host, and not for the workers.
OwnedFd open_endpoint(const std::filesystem::path& directory, const char* name) {
  OwnedFd file(::open((directory / name).c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!file)
    refuse(directory, std::string("cannot open ") + name,
           "`adze-gadget start`, as root, mounts FunctionFS there");
  return file;
}

void write_all(const std::filesystem::path& directory, int ep0, const std::vector<std::byte>& bytes,
               const char* what) {
  if (::write(ep0, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    refuse(directory, std::string("the kernel does not take the ") + what,
           "is another agent running?");
}

OwnedFd open_control(const std::filesystem::path& directory) {
  OwnedFd ep0 = open_endpoint(directory, "ep0");
  write_all(directory, ep0.get(), gadget_descriptors(), "descriptors");
  write_all(directory, ep0.get(), gadget_strings(), "strings");
  return ep0;
}

/// Both endpoints by asynchronous requests.
class FunctionFsEndpoints final : public BulkEndpoints {
 public:
  /// Of a FunctionFS that has its descriptors.
  explicit FunctionFsEndpoints(const std::filesystem::path& directory)
      : from_host_(open_endpoint(directory, "ep1")),
        to_host_(open_endpoint(directory, "ep2")),
        io_(2 * kTransfers) {}

  int receive(Transfer& transfer) override {
    return submit(transfer, IOCB_CMD_PREAD, from_host_.get());
  }
  int send(Transfer& transfer) override {
    return submit(transfer, IOCB_CMD_PWRITE, to_host_.get());
  }
  void cancel(Transfer& transfer) override { io_.cancel(requests_.at(&transfer)); }
  void stall() override {
    // In the wrong direction: a stall.
    [[maybe_unused]] ssize_t done = ::write(from_host_.get(), &kOne, 1);
    std::byte unused{};
    done = ::read(to_host_.get(), &unused, 1);
  }
  std::vector<Transfer*> collect(Deadline deadline) override {
    std::vector<Transfer*> over;
    for (const io_event& event : io_.collect(deadline)) {
      auto* transfer = reinterpret_cast<Transfer*>(event.data);
      transfer->result = event.res;
      over.push_back(transfer);
    }
    return over;
  }
  int ready_fd() const { return io_.ready_fd(); }

 private:
  int submit(Transfer& transfer, int what, int file) {
    iocb& request = requests_[&transfer];
    request = {};
    request.aio_data = reinterpret_cast<__u64>(&transfer);
    request.aio_lio_opcode = static_cast<__u16>(what);
    request.aio_fildes = static_cast<__u32>(file);
    request.aio_buf = reinterpret_cast<__u64>(transfer.buffer.data());
    request.aio_nbytes = transfer.length_bytes;
    return io_.submit(request);
  }

  OwnedFd from_host_, to_host_;
  std::map<const Transfer*, iocb> requests_;
  AsyncIo io_;  // destroyed first: waits for the requests
};

class GadgetListener final : public Listener {
 public:
  explicit GadgetListener(const std::filesystem::path& directory)
      : directory_(directory),
        control_(open_control(directory)),
        endpoints_(directory),
        pipe_(endpoints_, name()),
        wake_(::eventfd(0, EFD_CLOEXEC)),
        thread_([this] { run(); }) {}

  ~GadgetListener() override {
    [[maybe_unused]] const ssize_t told = ::write(wake_.get(), &kOne, sizeof kOne);
    thread_.join();
  }
  GadgetListener(const GadgetListener&) = delete;
  GadgetListener& operator=(const GadgetListener&) = delete;

  std::string name() const override { return "usb:" + directory_.string(); }

  std::unique_ptr<Link> accept(Deadline deadline) override {
    if (const int error = failed_)
      throw host::RigError(ADZE_UNAVAILABLE, name() + ": the control endpoint failed: " +
                                                 std::strerror(error) + "; start the agent again");
    return pipe_.accept(deadline);
  }

 private:
  void run() {
    std::array<pollfd, 3> files{{{.fd = control_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = endpoints_.ready_fd(), .events = POLLIN, .revents = 0},
                                 {.fd = wake_.get(), .events = POLLIN, .revents = 0}}};
    while (failed_ == 0) {
      if (::poll(files.data(), files.size(), -1) < 0) continue;
      if (files[2].revents) return;
      if (files[1].revents) pipe_.deliver(host::after_ms(0));
      if (files[0].revents) failed_ = handle_control(control_.get(), pipe_);
    }
  }

  const std::filesystem::path directory_;
  OwnedFd control_;
  FunctionFsEndpoints endpoints_;
  GadgetPipe pipe_;
  OwnedFd wake_;
  std::atomic<int> failed_ = 0;
  std::thread thread_;
};

}  // namespace
}  // namespace usb

std::unique_ptr<Listener> open_gadget(const std::filesystem::path& directory) {
  return std::make_unique<usb::GadgetListener>(directory);
}

}  // namespace adze::hil
