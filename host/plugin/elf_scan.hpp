// A look at a shared library without running it: what it exports and what it needs, from the
// dynamic symbol table that the loader itself uses (so stripped files are no different).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace adze::host {

struct ElfScan {
  std::uint16_t machine = 0;           ///< e_machine: EM_X86_64, EM_AARCH64, ...
  std::vector<std::string> exported;   ///< defined, global or weak, visible; sorted
  std::vector<std::string> undefined;  ///< names the loader has to find elsewhere; sorted
  std::vector<std::string> needed;     ///< DT_NEEDED, in order
  std::vector<std::string> unique;     ///< defined, one for the whole process (GNU_UNIQUE); sorted
  /// Of each function that runs when it is loaded (DT_INIT_ARRAY), its first bytes; "" when they
  /// are not in the file. No more than some thousand.
  std::vector<std::string> constructors;
};

/// Every offset is checked against the file. Errors: DATA_LOSS saying what is wrong (not ELF, cut
/// short, not a shared library, tables outside the file).
ElfScan scan_elf(std::span<const std::byte> file);

/// The machine of this process, and a name for people ("x86-64", "AArch64", "machine 8").
std::uint16_t own_machine();
std::string machine_name(std::uint16_t machine);

/// "AddressSanitizer" and the like when the library was built with one, else "".
std::string sanitizer_of(const ElfScan& scan);
/// The same of this process.
std::string own_sanitizer();

}  // namespace adze::host
