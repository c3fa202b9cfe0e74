#include "plugins/mera/board_memory.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <adze/adze.hpp>
#include <cerrno>

namespace adze::mera {
namespace {

/// As the driver's public header has them: 64-bit, request 11 of the type 46.
struct Area {
  std::uint64_t address, size_bytes;
};
constexpr unsigned long kGetArea = _IOR(46, 11, Area);

}  // namespace

std::uint64_t drpai_memory_address(const std::string& device) {
  const int file = ::open(device.c_str(), O_RDWR | O_CLOEXEC);
  Area area{};
  const bool ok = file >= 0 && ::ioctl(file, kGetArea, &area) == 0;
  const int error = errno;
  if (file >= 0) ::close(file);
  if (ok && area.size_bytes > 0) return area.address;
  throw Error(ADZE_FAILED_PRECONDITION,
              "the DRP-AI driver at '" + device + "' does not say where its memory is: " +
                  (ok ? "the area is empty" : std::strerror(error)) +
                  "; is this a board with that driver? (start_address sets it without asking)");
}

}  // namespace adze::mera
