// usb_echo_gadget <directory>: on a gadget like the agent's, sends back what it gets. What the bus
// itself can do, to compare the agent with.
#include <csignal>
#include <cstdio>
#include <vector>

#include "hil/agent/usb/functionfs.hpp"
#include "host/base/error.hpp"

int main(int count, char** arguments) {
  using namespace adze;
  if (count != 2) return 2;
  try {
    const auto listener = hil::open_gadget(arguments[1]);
    std::vector<std::byte> bytes(256 * 1024);
    for (;;) {
      const auto link = listener->accept(host::after_ms(1000));
      if (!link) continue;
      try {
        for (;;) {
          const std::size_t got = link->read(bytes, host::after_ms(60'000));
          link->write(std::span(bytes).first(got), host::after_ms(60'000));
        }
      } catch (const host::RigError&) {
      }
    }
  } catch (const host::Error& error) {
    std::fprintf(stderr, "usb_echo_gadget: %s\n", error.what());
    return 1;
  }
}
