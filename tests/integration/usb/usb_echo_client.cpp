// `usb_echo_client SERIAL BYTES [TIMEOUT_MS]`: sends so many bytes to a board whose agent sends
// them back, and compares. Exit codes as those of `adze`.
#include <fmt/core.h>

#include <csignal>
#include <cstdint>
#include <exception>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "hil/link/usb/usb_link.hpp"
#include "host/base/error.hpp"

namespace {

using adze::host::Exit;

int echo(const std::string& serial, std::size_t count, std::int64_t timeout_ms, bool die) {
  const auto deadline = adze::host::after_ms(timeout_ms);
  const auto link = adze::hil::open_usb(serial, deadline);
  std::vector<std::byte> sent(count), back(count);
  std::mt19937 random(11);
  for (auto& byte : sent) byte = static_cast<std::byte>(random() & 0xff);
  std::exception_ptr trouble;
  std::thread writer([&] {
    try {
      link->write(sent, deadline);
    } catch (...) {
      trouble = std::current_exception();
    }
  });
  try {
    for (std::size_t done = 0; done < count;) {
      done += link->read(std::span(back).subspan(done), deadline);
      if (die && done > count / 2) std::raise(SIGKILL);
    }
  } catch (...) {
    writer.join();
    throw;
  }
  writer.join();
  if (trouble) std::rethrow_exception(trouble);
  return static_cast<int>(sent == back ? Exit::ok : Exit::failed);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return static_cast<int>(Exit::usage);
  try {
    return echo(arguments[1], std::stoull(arguments[2]),
                count > 3 ? std::stoll(arguments[3]) : 120'000, count > 4);
  } catch (const adze::host::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.exit());
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(Exit::internal);
  }
}
