#include "host/plugin/build_id.hpp"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "host/base/hash.hpp"
#include "host/base/owned_fd.hpp"

namespace adze::host {
namespace {

constexpr std::size_t kMostHeaders = 256, kMostNoteBytes = 64u << 10;

bool read_at(const OwnedFd& file, std::uint64_t offset, void* to, std::size_t size) {
  return ::pread(file.get(), to, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

/// The id in the notes of one segment; "" when it is not there.
std::string id_in(std::span<const std::byte> notes) {
  const auto padded = [](std::size_t size) { return (size + 3) / 4 * 4; };
  Elf64_Nhdr header;
  while (notes.size() >= sizeof header) {
    std::memcpy(&header, notes.data(), sizeof header);
    notes = notes.subspan(sizeof header);
    const std::size_t name = padded(header.n_namesz), size = padded(header.n_descsz);
    if (name > notes.size() || size > notes.size() - name) return "";
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == sizeof ELF_NOTE_GNU &&
        std::memcmp(notes.data(), ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0)
      return hex(notes.subspan(name, header.n_descsz));
    notes = notes.subspan(name + size);
  }
  return "";
}

}  // namespace

std::string build_id_of(const std::filesystem::path& path) {
  const OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  Elf64_Ehdr header;
  if (!file || !read_at(file, 0, &header, sizeof header) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(Elf64_Phdr))
    return "";
  std::vector<Elf64_Phdr> segments(std::min<std::size_t>(header.e_phnum, kMostHeaders));
  if (!read_at(file, header.e_phoff, segments.data(), segments.size() * sizeof(Elf64_Phdr)))
    return "";
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_NOTE || segment.p_filesz > kMostNoteBytes) continue;
    std::vector<std::byte> notes(segment.p_filesz);
    if (!read_at(file, segment.p_offset, notes.data(), notes.size())) continue;
    if (std::string id = id_in(notes); !id.empty()) return id;
  }
  return "";
}

}  // namespace adze::host
