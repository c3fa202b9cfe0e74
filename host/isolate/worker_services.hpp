// In a worker: the host's services (adze.calibration/1, ...) for one call, each function a message.
#pragma once

#include <atomic>
#include <list>
#include <optional>
#include <vector>

#include "host/abi/parallel.hpp"
#include "host/isolate/call_codec.hpp"
#include "host/isolate/kept_memory.hpp"

namespace adze::host {

/// The tables that get_extension() gives, and what their functions keep until the call ends.
class WorkerServices {
 public:
  explicit WorkerServices(const ReadCall& read);
  /// NULL when the host does not offer it to this call.
  const void* find(const char* id) const;

  struct Statistics {
    explicit Statistics(Message&& came) : answer(std::move(came)) {}
    HeldMessage answer;
    std::vector<const adze_stat*> live;  ///< not released
    std::vector<std::uint64_t> handles;  ///< of the host, for each in `live`
  };
  struct Groups {
    explicit Groups(Message&& came) : answer(std::move(came)) {}
    HeldMessage answer;
    std::uint32_t count = 0;
    const adze_group* const* shown = nullptr;
  };
  struct Reference {
    explicit Reference(Message&& came) : answer(std::move(came)) {}
    HeldMessage answer;
    std::uint32_t count = 0;
    const adze_tensor* const* shown = nullptr;
  };
  std::list<Statistics> statistics;
  std::optional<Groups> groups;
  std::optional<HeldMessage> batch, onnx_bytes;
  std::optional<Reference> reference;  ///< of `batch`
  ThreadPool threads;
  std::atomic_flag threads_are_busy;

 private:
  ReadCall offered_;
  adze_calibration calibration_;
  adze_evaluate evaluate_;
  adze_latency latency_;
  adze_dataset dataset_;
  adze_structure structure_;
  adze_refit refit_;
  adze_onnx_bytes onnx_;
  adze_parallel parallel_;
};

}  // namespace adze::host
