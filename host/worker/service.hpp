// What a worker does for its owner: loads a bundle's slot, runs it, times it.
//
// Requests: describe {} · load {dir} · run (hil::RunRequest; the inputs are sealed descriptors in
// order) · profile {}. Responses: a map · {} · hil::RunReply (descriptors: the outputs in order,
// then the times) · {size_bytes} (one descriptor: hil::ProfileReply). Errors: hil::ErrorNote.
#pragma once

#include <memory>

#include "hil/protocol/messages.hpp"
#include "host/abi/loaded_executable.hpp"
#include "host/worker/channel.hpp"

namespace adze::host {

class WorkerService {
 public:
  WorkerService(Channel& channel, const Component& backend, Settings settings, CallOptions options);
  /// Returns when the owner closes the socket.
  void serve();

 private:
  struct Answer {
    std::vector<std::byte> payload;
    std::vector<OwnedFd> descriptors;
  };
  Answer answer(const Frame& request);
  Answer describe() const;
  Answer load(const std::filesystem::path& slot);
  Answer run(const hil::RunRequest& request, std::uint32_t seq);
  Answer profile();

  Channel& channel_;
  Component backend_;
  Settings settings_;
  CallOptions options_;
  std::unique_ptr<LoadedExecutable> executable_;
  std::vector<hil::TensorSpec> outputs_;
};

}  // namespace adze::host
