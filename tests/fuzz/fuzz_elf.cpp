// Any file may lie in a plugin folder and be scanned.
#include <cstdlib>

#include "host/base/error.hpp"
#include "host/plugin/elf_scan.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace adze::host;
  try {
    const ElfScan scan = scan_elf(std::as_bytes(std::span(data, size)));
    sanitizer_of(scan);
    machine_name(scan.machine);
  } catch (const Error& error) {
    if (error.code != ADZE_DATA_LOSS) std::abort();
  }
  return 0;
}
