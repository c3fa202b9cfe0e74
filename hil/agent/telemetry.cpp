#include "hil/agent/telemetry.hpp"

#include <sys/utsname.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>

#include "host/base/deadline.hpp"

namespace adze::hil {
namespace {

namespace fs = std::filesystem;

/// Sensors change slowly, and reading a dozen files takes as long as a small inference.
constexpr std::int64_t kFreshMs = 100;

std::string first_line(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

double number_in(const fs::path& file) {
  std::ifstream stream(file);
  double value = 0;
  return stream >> value ? value : Telemetry::kUnknown;
}

Telemetry read_sensors() {
  const fs::path cpu = "/sys/devices/system/cpu/cpu0/cpufreq";
  Telemetry telemetry{.governor = first_line(cpu / "scaling_governor"),
                      .frequency_mhz = number_in(cpu / "scaling_cur_freq") / 1000,  // from kHz
                      .load_1min = number_in("/proc/loadavg"),
                      .temperatures_c = {}};
  std::error_code none;
  for (const auto& zone : fs::directory_iterator("/sys/class/thermal", none)) {
    const double celsius = number_in(zone.path() / "temp") / 1000;  // from millidegrees
    if (!std::isfinite(celsius)) continue;
    telemetry
        .temperatures_c[zone.path().filename().string() + ":" + first_line(zone.path() / "type")] =
        celsius;
    telemetry.temperature_c = std::fmax(telemetry.temperature_c, celsius);  // ignores NaN
  }
  return telemetry;
}

}  // namespace

Telemetry read_telemetry() {
  static std::mutex mutex;
  static std::optional<Telemetry> last;
  static host::Deadline fresh_until;
  const std::lock_guard lock(mutex);
  if (!last || host::remaining_ms(fresh_until) == 0) {
    last = read_sensors();
    fresh_until = host::after_ms(kFreshMs);
  }
  return *last;
}

std::string kernel_version() {
  utsname name{};
  ::uname(&name);
  return std::string(name.sysname) + " " + name.release;
}

std::string machine() {
  utsname name{};
  ::uname(&name);
  return name.machine;
}

std::string kernel_boot_id() { return first_line("/proc/sys/kernel/random/boot_id"); }

}  // namespace adze::hil
