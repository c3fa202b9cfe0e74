// Writes a recording while a session goes on.
#pragma once

#include <filesystem>
#include <string>

#include "hil/record/recording.hpp"
#include "host/base/owned_fd.hpp"

namespace adze::hil {

/// One session at a time. Each event is in the file before the session goes on, so that a crash
/// leaves what led to it.
class Recorder {
 public:
  /// Replaces `file`. Errors: NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED.
  Recorder(const std::filesystem::path& file, const RecordingHeader& header);
  /// Links that `open` makes, recorded; must not outlive this. Errors while they are used:
  /// FAILED_PRECONDITION for a link that shows a token, which would be in the file.
  LinkOpener record(const std::string& address, const SessionTimeouts& timeouts, LinkOpener open);
  void add(const Event& event);

 private:
  void append(const std::string& line);
  std::filesystem::path file_;
  host::OwnedFd out_;
};

}  // namespace adze::hil
