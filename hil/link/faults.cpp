#include "hil/link/faults.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "host/base/error.hpp"
#include "host/base/nearest.hpp"

namespace adze::hil {
namespace {

using host::Error;

struct Parts {
  std::string name, first, second, third;
};

Parts split(const std::string& text) {
  Parts parts;
  const std::size_t equals = text.find('=');
  parts.name = text.substr(0, equals);
  if (equals == std::string::npos) return parts;
  std::string* into[] = {&parts.first, &parts.second, &parts.third};
  std::string_view rest = std::string_view(text).substr(equals + 1);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t colon = i == 2 ? std::string_view::npos : rest.find(':');
    *into[i] = std::string(rest.substr(0, colon));
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  return parts;
}

[[noreturn]] void fail(const std::string& text, const std::string& wanted) {
  throw Error(ADZE_INVALID_ARGUMENT, "--fault " + text + ": wants " + wanted);
}

double number(const std::string& text, const std::string& value, double low, double high,
              const char* wanted) {
  char* end = nullptr;
  const double parsed = std::strtod(value.c_str(), &end);
  if (value.empty() || *end || !(parsed >= low && parsed <= high)) fail(text, wanted);
  return parsed;
}

std::uint64_t count(const std::string& text, const std::string& value, const char* wanted) {
  std::uint64_t parsed = 0;
  const char* end = value.data() + value.size();
  const auto [at, error] = std::from_chars(value.data(), end, parsed);
  if (value.empty() || error != std::errc() || at != end || parsed > (1ull << 60))
    fail(text, wanted);
  return parsed;
}

constexpr const char* kNames[] = {
    "drop",       "duplicate", "reorder",        "corrupt",     "corrupt_header", "delay",
    "short_read", "stall",     "disconnect",     "lie_hash",    "full_disk",      "throttle",
    "hang",       "reboot",    "wrong_rounding", "wrong_layer", "nan_output",     "seed"};

}  // namespace

const char* fault_help() {
  return "drop=SHARE duplicate=SHARE reorder=SHARE corrupt=SHARE corrupt_header=SHARE (of frames) "
         "delay=SHARE[:MS] short_read=SHARE stall=FRAME disconnect=BYTE (once) lie_hash "
         "full_disk=BYTES throttle=FACTOR[:INFERENCES[:COOL_MS]] hang=RUN reboot=RUN (once) "
         "wrong_rounding wrong_layer=NODE nan_output seed=N";
}

void add_fault(Faults& faults, const std::string& text) {
  const Parts parts = split(text);
  const std::string& name = parts.name;
  LinkFaults& link = faults.link;
  const auto share = [&] { return number(text, parts.first, 0, 1, "a share from 0 to 1"); };
  const auto at = [&] { return count(text, parts.first, "a number from 0 on"); };
  const auto plain = [&] {
    if (text.find('=') != std::string::npos) fail(text, "no value");
    return true;
  };
  if (name == "drop")
    link.drop = share();
  else if (name == "duplicate")
    link.duplicate = share();
  else if (name == "reorder")
    link.reorder = share();
  else if (name == "corrupt")
    link.corrupt = share();
  else if (name == "corrupt_header")
    link.corrupt_header = share();
  else if (name == "delay") {
    link.delay = share();
    if (!parts.second.empty())
      link.delay_ms = static_cast<std::int64_t>(
          number(text, parts.second, 0, 60'000, "SHARE:MS, at most 60000 ms"));
  } else if (name == "short_read")
    link.short_read = share();
  else if (name == "stall")
    link.stall_at = at();
  else if (name == "disconnect")
    link.disconnect_at = at();
  else if (name == "lie_hash")
    faults.lie_hash = plain();
  else if (name == "full_disk")
    faults.full_disk_at = at();
  else if (name == "throttle") {
    faults.throttle = number(text, parts.first, 1, 1000, "a factor from 1 to 1000");
    if (!parts.second.empty())
      faults.throttle_after =
          static_cast<std::int64_t>(count(text, parts.second, "FACTOR:INFERENCES"));
    if (!parts.third.empty())
      faults.throttle_cool_ms =
          static_cast<std::int64_t>(count(text, parts.third, "FACTOR:INFERENCES:COOL_MS"));
  } else if (name == "hang")
    faults.hang_at = at();
  else if (name == "reboot")
    faults.reboot_at = at();
  else if (name == "wrong_rounding")
    faults.wrong_rounding = plain();
  else if (name == "wrong_layer") {
    if (parts.first.empty()) fail(text, "wrong_layer=NODE, a name as `adze inspect` shows it");
    faults.wrong_layer = text.substr(text.find('=') + 1);
  } else if (name == "nan_output")
    faults.nan_output = plain();
  else if (name == "seed")
    faults.seed = at();
  else {
    const std::vector<std::string> known(std::begin(kNames), std::end(kNames));
    throw Error(ADZE_INVALID_ARGUMENT, "--fault " + text + ": there is no such fault" +
                                           host::did_you_mean(name, known) + "; there are " +
                                           fault_help());
  }
}

Pace parse_pace(const std::string& text) {
  const Parts parts = split("pace=" + text);
  Pace pace{.predicted = parts.first == "predicted"};
  const auto read = [&](const std::string& value, double high) {
    char* end = nullptr;
    const double parsed = std::strtod(value.c_str(), &end);
    if (value.empty() || *end || !(parsed >= 0 && parsed <= high))
      throw Error(ADZE_INVALID_ARGUMENT, "--pace " + text +
                                             ": wants `predicted` or milliseconds, then perhaps "
                                             "a colon and the spread as a share, such as "
                                             "predicted:0.02");
    return parsed;
  };
  if (!pace.predicted) pace.ms = read(parts.first, 60'000);
  if (!parts.second.empty()) pace.spread = read(parts.second, 0.5);
  return pace;
}

}  // namespace adze::hil
