// The bundles on a board: received, checked on the storage itself, and switched in one step.
//
//   slot.new/    a flash in progress: "id" (what is coming), "incoming.adze", "tree/" (unpacked)
//   slots/ID/    a bundle whose every file was read back and matched its SHA-256
//   current, previous    symbolic links to slots
//
// Whenever the agent dies, `current` leads to a whole slot: the old one or the new one.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hil/protocol/bundle.hpp"
#include "hil/protocol/messages.hpp"
#include "host/base/owned_fd.hpp"

namespace adze::hil {

class SlotStore {
 public:
  struct Options {
    std::filesystem::path root;
    std::string board_type;
    /// Asked whenever it matters: a key that is removed is not trusted from then on.
    std::function<Trust()> trust;
    /// Called between writing the unpacked tree and reading it back: where a test damages it.
    std::function<void(const std::filesystem::path& tree)> before_read_back;
    std::optional<std::uint64_t> full_at;  ///< bytes of a bundle that a simulated storage takes
  };
  using Pulse = std::function<void(double fraction, const char* doing)>;

  /// Puts things right after a crash. Errors: ALREADY_EXISTS when another agent uses the folder.
  explicit SlotStore(Options options);

  /// Errors: INVALID_ARGUMENT, FAILED_PRECONDITION (another board type), RESOURCE_EXHAUSTED.
  FlashBeginReply begin(const FlashBegin& request, const Pulse& pulse);
  /// Returns how much is stored now. Errors: FAILED_PRECONDITION when `offset` is not the end of
  /// what is stored; OUT_OF_RANGE for more than was announced.
  std::uint64_t append(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Unpacks, syncs, reads back, renames. Returns who signed. What came is thrown away when it is
  /// wrong. Errors: DATA_LOSS (damaged on the way: DATA_LOSS; on storage: RigError),
  /// FAILED_PRECONDITION (incomplete, other board type), PERMISSION_DENIED (signature).
  std::string commit(const std::string& bundle, const Pulse& pulse);
  /// Makes it the current one and forgets all but it and the one before. Returns the latter.
  std::string activate(const std::string& bundle);

  std::string active() const { return target_of("current"); }  ///< empty: none
  std::string previous() const { return target_of("previous"); }
  std::vector<SlotInfo> list() const;
  /// Errors: NOT_FOUND.
  std::filesystem::path folder_of(const std::string& bundle) const;
  /// The folder of a bundle that may run: who signed it is still trusted. Errors: NOT_FOUND,
  /// PERMISSION_DENIED.
  std::filesystem::path trusted_folder_of(const std::string& bundle) const;
  Manifest manifest_of(const std::string& bundle) const;

 private:
  std::string target_of(const char* link) const;
  void point(const char* link, const std::string& bundle);
  void check_slot(const std::filesystem::path& folder, const std::string& bundle,
                  const Pulse& pulse) const;
  void unpack(const Bundle& bundle, const std::filesystem::path& tree, const Pulse& pulse) const;
  void check_trust(const std::filesystem::path& folder) const;
  void forget_flash();

  Options options_;
  std::filesystem::path staging_, slots_;
  host::OwnedFd lock_;
  FlashBegin expected_;
};

}  // namespace adze::hil
