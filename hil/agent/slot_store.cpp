#include "hil/agent/slot_store.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "hil/protocol/sha256_stream.hpp"
#include "host/base/deadline.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::hil {
namespace {

namespace fs = std::filesystem;
using host::Error;
using host::OwnedFd;
using host::RigError;

constexpr std::size_t kPieceBytes = 256u << 10;

[[noreturn]] void storage_fault(const char* doing, const fs::path& path, int error) {
  throw RigError(error == ENOSPC ? ADZE_RESOURCE_EXHAUSTED : ADZE_DATA_LOSS,
                 std::string("the board cannot ") + doing + " '" + path.string() +
                     "': " + std::strerror(error) + "; check its storage");
}

OwnedFd open_or_fault(const fs::path& path, int flags, mode_t mode = 0) {
  OwnedFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) storage_fault("open", path, errno);
  return fd;
}

void write_all(int fd, std::span<const std::byte> bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) storage_fault("write", path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
}

void sync(const fs::path& path) {
  const OwnedFd fd = open_or_fault(path, O_RDONLY);
  if (::fsync(fd.get())) storage_fault("sync", path, errno);
}

/// The hash of what is on the storage, not of what the page cache still holds.
std::string stored_hash(const fs::path& path, const std::function<void()>& pulse) {
  const OwnedFd fd = open_or_fault(path, O_RDONLY);
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  Sha256Stream hash;
  std::vector<std::byte> piece(kPieceBytes);
  for (;;) {
    const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) storage_fault("read back", path, errno);
    if (got == 0) return hash.hex();
    hash.add(std::span(piece).first(static_cast<std::size_t>(got)));
    pulse();
  }
}

constexpr std::int64_t kLockMs = 2000;

bool is_id(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) storage_fault("remove", path, error.value());
}

}  // namespace

SlotStore::SlotStore(Options options)
    : options_(std::move(options)),
      staging_(options_.root / "slot.new"),
      slots_(options_.root / "slots") {
  host::require_writable_folder(slots_);
  lock_ = open_or_fault(options_.root / "lock", O_RDWR | O_CREAT, 0600);
  // What an agent that was killed had just started holds the lock for a moment longer.
  const host::Deadline end = host::after_ms(kLockMs);
  while (::flock(lock_.get(), LOCK_EX | LOCK_NB) && host::remaining_ms(end) > 0) ::usleep(10'000);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB))
    throw Error(ADZE_ALREADY_EXISTS, "another agent uses the folder '" + options_.root.string() +
                                         "'; stop it or give this one another --root");
  // A pointer to nothing can only come from outside, such as a removed folder.
  if (target_of("current").empty()) {
    fs::remove(options_.root / "current");
    if (!target_of("previous").empty()) point("current", target_of("previous"));
  }
  fs::remove_all(staging_ / "tree");
}

std::string SlotStore::target_of(const char* link) const {
  std::error_code error;
  const fs::path target = fs::read_symlink(options_.root / link, error);
  const std::string id = target.filename().string();
  if (error || !is_id(id) || !fs::exists(slots_ / id / kManifestPath)) return {};
  return id;
}

void SlotStore::point(const char* link, const std::string& bundle) {
  const fs::path fresh = options_.root / (std::string(link) + ".new");
  fs::remove(fresh);
  fs::create_symlink(fs::path("slots") / bundle, fresh);
  if (::rename(fresh.c_str(), (options_.root / link).c_str()))
    storage_fault("switch", options_.root / link, errno);
  sync(options_.root);
}

FlashBeginReply SlotStore::begin(const FlashBegin& request, const Pulse& pulse) {
  if (!is_id(request.bundle))
    throw Error(ADZE_INVALID_ARGUMENT, "'" + request.bundle + "' is no bundle id");
  if (request.board_type != options_.board_type)
    throw Error(ADZE_FAILED_PRECONDITION, "the bundle is for board type '" + request.board_type +
                                              "', this board is '" + options_.board_type +
                                              "'; make the bundle for this type");
  if (fs::exists(slots_ / request.bundle)) {
    try {
      check_slot(slots_ / request.bundle, request.bundle, pulse);
      check_trust(slots_ / request.bundle);
      return {.present = true, .offset = 0};
    } catch (const Error& error) {
      // Damaged since, or to be signed by somebody else: flash it again.
      if (error.code != ADZE_DATA_LOSS && error.code != ADZE_PERMISSION_DENIED) throw;
    }
  }
  const std::string wanted = request.bundle + " " + std::to_string(request.size_bytes) + "\n";
  const fs::path incoming = staging_ / "incoming.adze";
  expected_ = request;
  std::error_code none;
  if (fs::exists(staging_ / "id") && host::read_text_file(staging_ / "id", 256) == wanted) {
    const std::uint64_t have = fs::file_size(incoming, none);
    if (!none && have <= request.size_bytes) return {.present = false, .offset = have};
  }
  remove_tree(staging_);
  struct statvfs space {};
  const bool known = ::statvfs(options_.root.c_str(), &space) == 0;
  if (known && std::uint64_t{space.f_bavail} * space.f_frsize / 2 < request.size_bytes)
    throw RigError(ADZE_RESOURCE_EXHAUSTED, "the board's storage has no room for a bundle of " +
                                                std::to_string(request.size_bytes) +
                                                " bytes and its unpacked copy");
  fs::create_directories(staging_);
  open_or_fault(incoming, O_WRONLY | O_CREAT | O_EXCL, 0600);
  host::write_file(staging_ / "id", wanted);
  return {.present = false, .offset = 0};
}

std::uint64_t SlotStore::append(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (expected_.bundle.empty())
    throw Error(ADZE_FAILED_PRECONDITION, "flash_data came before flash_begin");
  const fs::path incoming = staging_ / "incoming.adze";
  const OwnedFd fd = open_or_fault(incoming, O_WRONLY | O_APPEND);
  struct stat found {};
  if (::fstat(fd.get(), &found)) storage_fault("look at", incoming, errno);
  const auto have = static_cast<std::uint64_t>(found.st_size);
  if (offset != have)
    throw Error(ADZE_FAILED_PRECONDITION, "bytes for offset " + std::to_string(offset) +
                                              " came, but " + std::to_string(have) +
                                              " are stored; begin the flash again to resume");
  if (bytes.size() > expected_.size_bytes - std::min(have, expected_.size_bytes))
    throw Error(ADZE_OUT_OF_RANGE, "more bytes came than the bundle was announced to have");
  if (options_.full_at && have + bytes.size() > *options_.full_at)
    storage_fault("write", incoming, ENOSPC);
  write_all(fd.get(), bytes, incoming);
  return have + bytes.size();
}

std::string SlotStore::commit(const std::string& bundle, const Pulse& pulse) {
  const fs::path incoming = staging_ / "incoming.adze", tree = staging_ / "tree";
  if (expected_.bundle.empty() || bundle != expected_.bundle)
    throw Error(ADZE_FAILED_PRECONDITION, "flash_commit is not for the bundle that was begun");
  if (fs::file_size(incoming) != expected_.size_bytes)
    throw Error(ADZE_FAILED_PRECONDITION,
                "the bundle is not complete: " + std::to_string(fs::file_size(incoming)) + " of " +
                    std::to_string(expected_.size_bytes) + " bytes");
  try {
    sync(incoming);
    const auto source = file_source(incoming);
    const Bundle received(*source);
    if (received.id() != bundle)
      throw Error(ADZE_DATA_LOSS, "what was received is not the announced bundle");
    if (received.manifest().board_type != options_.board_type)
      throw Error(ADZE_FAILED_PRECONDITION, "the bundle is for board type '" +
                                                received.manifest().board_type +
                                                "', this board is '" + options_.board_type + "'");
    const std::string signer = received.signed_by(options_.trust());
    remove_tree(tree);
    unpack(received, tree, pulse);
    host::write_file(tree / "signed_by", signer);
    if (options_.before_read_back) options_.before_read_back(tree);
    check_slot(tree, bundle, pulse);
    sync(tree);
    sync(staging_);
    const fs::path slot = slots_ / bundle;
    // A damaged slot of the same bundle may be the current one: swap, so that there always is one.
    const unsigned how = fs::exists(slot) ? RENAME_EXCHANGE : RENAME_NOREPLACE;
    if (::renameat2(AT_FDCWD, tree.c_str(), AT_FDCWD, slot.c_str(), how))
      storage_fault("rename", tree, errno);
    sync(slots_);
    forget_flash();
    return signer;
  } catch (const Error&) {
    forget_flash();
    throw;
  }
}

void SlotStore::unpack(const Bundle& bundle, const fs::path& tree, const Pulse& pulse) const {
  std::vector<std::string> paths{kManifestPath};
  if (!bundle.signature().empty()) paths.emplace_back(kSignaturePath);
  for (const BundleFile& file : bundle.manifest().files) paths.push_back(file.path);
  std::vector<fs::path> folders{tree};
  fs::create_directories(tree / kArtifactFolder);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const fs::path path = tree / paths[i];
    fs::create_directories(path.parent_path());
    folders.push_back(path.parent_path());
    const OwnedFd fd = open_or_fault(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    bundle.read(paths[i], [&](std::span<const std::byte> part) {
      write_all(fd.get(), part, path);
      pulse(0.5 * static_cast<double>(i) / static_cast<double>(paths.size()), "storing");
    });
    if (::fsync(fd.get())) storage_fault("sync", path, errno);
  }
  std::sort(folders.begin(), folders.end());
  folders.erase(std::unique(folders.begin(), folders.end()), folders.end());
  for (const fs::path& folder : folders) sync(folder);
}

void SlotStore::check_slot(const fs::path& folder, const std::string& bundle,
                           const Pulse& pulse) const {
  const auto mismatch = [&](const std::string& path) {
    throw RigError(ADZE_DATA_LOSS, "the board's storage does not give back what was written: '" +
                                       path + "' of bundle " + bundle.substr(0, 12) +
                                       " is damaged; flash again, and check the storage");
  };
  const auto quiet = [&] { pulse(0.75, "reading back"); };
  if (!fs::exists(folder / kManifestPath) || stored_hash(folder / kManifestPath, quiet) != bundle)
    mismatch(kManifestPath);
  const Manifest manifest =
      Manifest::decode(host::read_file(folder / kManifestPath, kMaxManifestBytes));
  for (const BundleFile& file : manifest.files)
    if (!fs::exists(folder / file.path) || stored_hash(folder / file.path, quiet) != file.sha256)
      mismatch(file.path);
}

void SlotStore::check_trust(const fs::path& folder) const {
  const fs::path file = folder / kSignaturePath;
  const std::vector<std::byte> signature =
      fs::exists(file) ? host::read_file(file, sizeof(Signature)) : std::vector<std::byte>{};
  signer_of(host::read_file(folder / kManifestPath, kMaxManifestBytes), signature,
            options_.trust());
}

std::string SlotStore::activate(const std::string& bundle) {
  folder_of(bundle);
  const std::string before = active();
  if (before != bundle) {
    if (!before.empty()) point("previous", before);
    point("current", bundle);
  }
  const std::string kept = previous();
  for (const auto& entry : fs::directory_iterator(slots_)) {
    const std::string id = entry.path().filename().string();
    if (id != bundle && id != kept) remove_tree(entry.path());
  }
  return kept;
}

std::vector<SlotInfo> SlotStore::list() const {
  std::vector<SlotInfo> slots;
  const std::string current = active(), before = previous();
  for (const auto& entry : fs::directory_iterator(slots_)) {
    const std::string id = entry.path().filename().string();
    if (!is_id(id)) continue;
    const fs::path signer = entry.path() / "signed_by";
    slots.push_back({.bundle = id,
                     .model = manifest_of(id).model,
                     .signed_by = fs::exists(signer) ? host::read_text_file(signer, 4096) : "",
                     .active = id == current,
                     .previous = id == before});
  }
  std::sort(slots.begin(), slots.end(),
            [](const SlotInfo& a, const SlotInfo& b) { return a.bundle < b.bundle; });
  return slots;
}

fs::path SlotStore::folder_of(const std::string& bundle) const {
  if (!is_id(bundle) || !fs::exists(slots_ / bundle / kManifestPath))
    throw Error(ADZE_NOT_FOUND, "the board does not hold bundle '" + bundle +
                                    "'; flash it with `adze board flash`");
  return slots_ / bundle;
}

fs::path SlotStore::trusted_folder_of(const std::string& bundle) const {
  fs::path folder = folder_of(bundle);
  check_trust(folder);
  return folder;
}

Manifest SlotStore::manifest_of(const std::string& bundle) const {
  return Manifest::decode(host::read_file(folder_of(bundle) / kManifestPath, kMaxManifestBytes));
}

void SlotStore::forget_flash() {
  expected_ = {};
  remove_tree(staging_);
}

}  // namespace adze::hil
