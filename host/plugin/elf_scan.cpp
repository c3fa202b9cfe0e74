#include "host/plugin/elf_scan.hpp"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

constexpr std::uint64_t kShownCodeBytes = 64, kMostConstructors = 4096;

[[noreturn]] void refuse(const std::string& why) { throw Error(ADZE_DATA_LOSS, why); }

class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> file) : file_(file) {}

  template <class T>
  T at(std::uint64_t offset) const {
    if (offset > file_.size() || file_.size() - offset < sizeof(T))
      refuse("cut short, or a table lies outside the file");
    T value;
    std::memcpy(&value, file_.data() + offset, sizeof value);
    return value;
  }
  /// Element `index` of a table at `offset`.
  template <class T>
  T at(std::uint64_t offset, std::uint64_t index) const {
    std::uint64_t where = 0;
    if (__builtin_mul_overflow(index, sizeof(T), &where) ||
        __builtin_add_overflow(where, offset, &where))
      refuse("a table lies outside the file");
    return at<T>(where);
  }
  /// The text at `offset` of a string table of `size` bytes at `table`.
  std::string text(std::uint64_t table, std::uint64_t size, std::uint64_t offset) const {
    if (table > file_.size() || size > file_.size() - table || offset >= size)
      refuse("a name lies outside the string table");
    const char* from = reinterpret_cast<const char*>(file_.data()) + table + offset;
    const std::size_t length = ::strnlen(from, size - offset);
    if (length == size - offset) refuse("a name has no end");
    return {from, length};
  }
  /// Up to `most` bytes from `offset` on.
  std::string up_to(std::uint64_t offset, std::uint64_t most) const {
    if (offset > file_.size()) return "";
    const auto found = file_.subspan(offset, std::min(most, file_.size() - offset));
    return {reinterpret_cast<const char*>(found.data()), found.size()};
  }
  std::uint64_t size() const { return file_.size(); }

 private:
  std::span<const std::byte> file_;
};

struct Dynamic {
  std::optional<std::uint64_t> symbols, strings, string_size, sysv_hash, gnu_hash;
  std::vector<std::uint64_t> needed;
  std::optional<std::uint64_t> constructors, relocations;  // addresses
  std::uint64_t constructors_bytes = 0, relocations_bytes = 0;
};

Elf64_Ehdr header_of(const Bytes& file) {
  if (file.size() < SELFMAG ||
      std::memcmp(file.at<std::array<char, SELFMAG>>(0).data(), ELFMAG, SELFMAG) != 0)
    refuse("not an ELF file");
  if (file.size() < sizeof(Elf64_Ehdr)) refuse("cut short within the ELF header");
  const auto header = file.at<Elf64_Ehdr>(0);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
    refuse("not a 64-bit little-endian ELF file");
  if (header.e_type != ET_DYN) refuse("not a shared library");
  if (header.e_phnum != 0 && header.e_phentsize != sizeof(Elf64_Phdr))
    refuse("program headers of an unknown size");
  return header;
}

/// Where an address of the loaded library lies in the file, if it does.
std::optional<std::uint64_t> find_offset(const std::vector<Elf64_Phdr>& segments,
                                         std::uint64_t address) {
  for (const Elf64_Phdr& segment : segments)
    if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
        address - segment.p_vaddr < segment.p_filesz) {
      std::uint64_t offset = 0;
      if (__builtin_add_overflow(segment.p_offset, address - segment.p_vaddr, &offset)) break;
      return offset;
    }
  return std::nullopt;
}

std::uint64_t offset_of(const std::vector<Elf64_Phdr>& segments, std::uint64_t address) {
  if (const auto offset = find_offset(segments, address)) return *offset;
  refuse("an address of the dynamic section is not in the file");
}

Dynamic dynamic_of(const Bytes& file, const std::vector<Elf64_Phdr>& segments) {
  const auto found = std::ranges::find(segments, Elf64_Word{PT_DYNAMIC}, &Elf64_Phdr::p_type);
  if (found == segments.end()) refuse("no dynamic section: not a shared library");
  Dynamic dynamic;
  for (std::uint64_t i = 0; i < found->p_filesz / sizeof(Elf64_Dyn); ++i) {
    const auto entry = file.at<Elf64_Dyn>(found->p_offset, i);
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_NEEDED) dynamic.needed.push_back(entry.d_un.d_val);
    if (entry.d_tag == DT_INIT_ARRAY) dynamic.constructors = entry.d_un.d_ptr;
    if (entry.d_tag == DT_INIT_ARRAYSZ) dynamic.constructors_bytes = entry.d_un.d_val;
    if (entry.d_tag == DT_RELA) dynamic.relocations = entry.d_un.d_ptr;
    if (entry.d_tag == DT_RELASZ) dynamic.relocations_bytes = entry.d_un.d_val;
    if (entry.d_tag == DT_STRSZ) dynamic.string_size = entry.d_un.d_val;
    if (entry.d_tag == DT_SYMTAB) dynamic.symbols = offset_of(segments, entry.d_un.d_ptr);
    if (entry.d_tag == DT_STRTAB) dynamic.strings = offset_of(segments, entry.d_un.d_ptr);
    if (entry.d_tag == DT_HASH) dynamic.sysv_hash = offset_of(segments, entry.d_un.d_ptr);
    if (entry.d_tag == DT_GNU_HASH) dynamic.gnu_hash = offset_of(segments, entry.d_un.d_ptr);
    if (entry.d_tag == DT_SYMENT && entry.d_un.d_val != sizeof(Elf64_Sym))
      refuse("symbols of an unknown size");
  }
  if (!dynamic.symbols || !dynamic.strings || !dynamic.string_size)
    refuse("the dynamic section names no symbol table");
  return dynamic;
}

/// The GNU hash table covers the symbols from `first` on; the last one ends the longest chain.
std::uint64_t count_by_gnu_hash(const Bytes& file, std::uint64_t table) {
  const auto buckets = file.at<std::uint32_t>(table), first = file.at<std::uint32_t>(table + 4),
             bloom_words = file.at<std::uint32_t>(table + 8);
  const std::uint64_t bucket_at = table + 16 + std::uint64_t{bloom_words} * 8,
                      chain_at = bucket_at + std::uint64_t{buckets} * 4;
  std::uint64_t last = 0;
  for (std::uint64_t i = 0; i < buckets; ++i)
    last = std::max<std::uint64_t>(last, file.at<std::uint32_t>(bucket_at, i));
  if (last < first) return first;
  while (!(file.at<std::uint32_t>(chain_at, last - first) & 1u)) ++last;
  return last + 1;
}

/// A library without exports has an empty hash table, but its section headers may still tell.
std::uint64_t count_by_sections(const Bytes& file, const Elf64_Ehdr& header,
                                std::uint64_t symbols) {
  if (header.e_shoff == 0 || header.e_shentsize != sizeof(Elf64_Shdr)) return 0;
  for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
    const auto section = file.at<Elf64_Shdr>(header.e_shoff, i);
    if (section.sh_type == SHT_DYNSYM && section.sh_offset == symbols)
      return section.sh_size / sizeof(Elf64_Sym);
  }
  return 0;
}

std::uint64_t symbol_count(const Bytes& file, const Elf64_Ehdr& header, const Dynamic& dynamic) {
  std::uint64_t count = count_by_sections(file, header, *dynamic.symbols);
  if (dynamic.sysv_hash)
    count = std::max<std::uint64_t>(count, file.at<std::uint32_t>(*dynamic.sysv_hash + 4));
  else if (dynamic.gnu_hash)
    count = std::max(count, count_by_gnu_hash(file, *dynamic.gnu_hash));
  return count;
}

/// Where the functions of DT_INIT_ARRAY lie: some linkers leave zeros in the table and tell the
/// loader what to write there.
std::vector<std::uint64_t> constructor_addresses(const Bytes& file, const Elf64_Ehdr& header,
                                                 const std::vector<Elf64_Phdr>& segments,
                                                 const Dynamic& dynamic) {
  std::vector<std::uint64_t> addresses;
  if (!dynamic.constructors || dynamic.constructors_bytes < sizeof(Elf64_Addr)) return addresses;
  const std::uint64_t table = offset_of(segments, *dynamic.constructors);
  const std::uint64_t count =
      std::min(dynamic.constructors_bytes / sizeof(Elf64_Addr), kMostConstructors);
  for (std::uint64_t i = 0; i < count; ++i) addresses.push_back(file.at<Elf64_Addr>(table, i));
  if (!dynamic.relocations || dynamic.relocations_bytes < sizeof(Elf64_Rela)) return addresses;
  const std::uint64_t relocations = offset_of(segments, *dynamic.relocations);
  const std::uint64_t relative =
      header.e_machine == EM_AARCH64 ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;
  for (std::uint64_t i = 0; i < dynamic.relocations_bytes / sizeof(Elf64_Rela); ++i) {
    const auto relocation = file.at<Elf64_Rela>(relocations, i);
    const std::uint64_t at = relocation.r_offset - *dynamic.constructors;
    if (at / sizeof(Elf64_Addr) < addresses.size() && ELF64_R_TYPE(relocation.r_info) == relative)
      addresses[at / sizeof(Elf64_Addr)] = static_cast<std::uint64_t>(relocation.r_addend);
  }
  return addresses;
}

bool is_exported(const Elf64_Sym& symbol) {
  const unsigned binding = ELF64_ST_BIND(symbol.st_info);
  const unsigned visibility = ELF64_ST_VISIBILITY(symbol.st_other);
  return (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE) &&
         (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

}  // namespace

ElfScan scan_elf(std::span<const std::byte> contents) {
  const Bytes file(contents);
  const Elf64_Ehdr header = header_of(file);
  std::vector<Elf64_Phdr> segments;
  for (std::uint64_t i = 0; i < header.e_phnum; ++i)
    segments.push_back(file.at<Elf64_Phdr>(header.e_phoff, i));
  const Dynamic dynamic = dynamic_of(file, segments);

  ElfScan scan;
  scan.machine = header.e_machine;
  for (const std::uint64_t address : constructor_addresses(file, header, segments, dynamic)) {
    const auto offset = find_offset(segments, address);
    scan.constructors.push_back(offset ? file.up_to(*offset, kShownCodeBytes) : "");
  }
  const auto name = [&](std::uint64_t offset) {
    return file.text(*dynamic.strings, *dynamic.string_size, offset);
  };
  for (const std::uint64_t offset : dynamic.needed) scan.needed.push_back(name(offset));
  const std::uint64_t count = symbol_count(file, header, dynamic);
  for (std::uint64_t i = 1; i < count; ++i) {  // the first is always empty
    const auto symbol = file.at<Elf64_Sym>(*dynamic.symbols, i);
    if (symbol.st_name == 0) continue;
    if (symbol.st_shndx != SHN_UNDEF && ELF64_ST_BIND(symbol.st_info) == STB_GNU_UNIQUE)
      scan.unique.push_back(name(symbol.st_name));
    if (symbol.st_shndx == SHN_UNDEF)
      scan.undefined.push_back(name(symbol.st_name));
    else if (is_exported(symbol))
      scan.exported.push_back(name(symbol.st_name));
  }
  std::ranges::sort(scan.exported);
  std::ranges::sort(scan.undefined);
  std::ranges::sort(scan.unique);
  return scan;
}

std::uint16_t own_machine() {
#if defined(__x86_64__)
  return EM_X86_64;
#elif defined(__aarch64__)
  return EM_AARCH64;
#else
#error "the host runs on x86-64 and AArch64"
#endif
}

std::string machine_name(std::uint16_t machine) {
  if (machine == EM_X86_64) return "x86-64";
  if (machine == EM_AARCH64) return "AArch64";
  if (machine == EM_RISCV) return "RISC-V";
  if (machine == EM_ARM) return "32-bit ARM";
  return "machine " + std::to_string(machine);
}

std::string sanitizer_of(const ElfScan& scan) {
  const auto calls = [&](std::string_view symbol) {
    return std::ranges::binary_search(scan.undefined, symbol);
  };
  if (calls("__asan_init")) return "AddressSanitizer";
  if (calls("__tsan_init")) return "ThreadSanitizer";
  if (calls("__msan_init")) return "MemorySanitizer";
  return "";
}

std::string own_sanitizer() {
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADZE_HOST_ASAN
#elif __has_feature(thread_sanitizer)
#define ADZE_HOST_TSAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(ADZE_HOST_ASAN)
  return "AddressSanitizer";
#elif defined(__SANITIZE_THREAD__) || defined(ADZE_HOST_TSAN)
  return "ThreadSanitizer";
#else
  return "";
#endif
}

}  // namespace adze::host
