#include "host/plugin/scan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "host/base/cbor.hpp"
#include "host/base/error.hpp"
#include "host/plugin/descriptor.hpp"
#include "host/plugin/descriptor_codec.hpp"
#include "host/plugin/file_check.hpp"
#include "host/plugin/isolation.hpp"
#include "host/plugin/library.hpp"
#include "host/plugin/registry.hpp"
#include "host/plugin/worker_end.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Descriptors are constant data: whoever computes longer does work when he is only looked at. On a
/// busy machine the time that passes says nothing, so that has a limit of its own.
constexpr std::int64_t kScanMs = 2000, kWaitMs = 20'000, kSliceMs = 100;
/// A crash or a hang may have been the machine's: asked again after this time.
constexpr std::int64_t kRetrySeconds = 3600;

json refused(const fs::path& path, const std::string& why, bool transient = false) {
  return {{"reason", fmt::format("cannot load plugin '{}': {}", path.string(), why)},
          {"transient", transient}};
}

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// A fault that is remembered would puzzle whoever has just mended its cause.
json with_hint(const fs::path& path, json found) {
  if (!found.contains("retry_after")) return found;
  const std::int64_t left_s = found.at("retry_after").get<std::int64_t>() - unix_seconds();
  found["reason"] = fmt::format(
      "{}; it is looked at again in {} min or when the file changes, or now by "
      "'adze plugin info {}'",
      found.at("reason").get<std::string>(), std::max<std::int64_t>(1, (left_s + 59) / 60),
      path.string());
  return found;
}

/// The worker program as it is now: its rules made the results.
std::string identity_of(const fs::path& program) {
  const FileKey key = key_of(program);
  return fmt::format("{} {} {}", key.build_id, key.size, key.mtime_ns);
}

}  // namespace

json describe_here(const fs::path& path) {
  if (const auto faults = file_faults(path); !faults.empty())
    return refused(path, to_string(faults.front()));
  const adze_plugin* plugin = nullptr;
  try {
    plugin = load_entry(path)();
  } catch (const Error& error) {
    return {{"reason", error.what()}, {"transient", true}};
  }
  const std::string fault = descriptor_fault(plugin, is_own_plugin(path));
  if (!fault.empty()) return refused(path, fault);
  return {{"descriptor", encode_descriptor(*plugin)}};
}

Scanner::Scanner(fs::path program, fs::path cache)
    : program_(std::move(program)), cache_(std::move(cache), identity_of(program_)) {}

json Scanner::scan(const fs::path& path, bool own, Faults faults) const {
  // The permissions are no part of the key.
  if (writable_by_all(path)) return refused(path, to_string(file_faults(path).front()));
  const FileKey key = key_of(path);
  if (auto known = cache_.find(key))
    if (!known->contains("retry_after") ||
        (faults == Faults::remembered && known->at("retry_after") > unix_seconds()))
      return with_hint(path, *std::move(known));
  json found;
  try {
    found = own ? describe_here(path) : describe_in_worker(path);
  } catch (const Error& error) {
    return refused(path, error.what(), true);
  }
  const bool remembered = !found.value("transient", false) && cache_.store(key, found);
  return remembered ? with_hint(path, std::move(found)) : found;
}

json Scanner::describe_in_worker(const fs::path& path) const {
  // Most files that are no plugins end here, without a process.
  if (const auto faults = file_faults(path); !faults.empty())
    return refused(path, to_string(faults.front()));
  const std::uint64_t memory_mb = memory_limit_mb({});
  WorkerProcess process(program_, {"--mode", "describe", "--plugin", path.string(), "--memory-mb",
                                   std::to_string(memory_mb)});
  const auto died = [&](const std::string& how) {
    json found = refused(path, "when it was only looked at, " + how);
    found["retry_after"] = unix_seconds() + kRetrySeconds;
    return found;
  };
  try {
    const Deadline deadline = after_ms(kWaitMs);
    std::optional<Frame> frame;
    while (!(frame = process.receive_before(after_ms(kSliceMs)))) {
      const bool computes = process.computed_ms() >= kScanMs;
      if (computes || remaining_ms(deadline) <= 0)
        return died(fmt::format("it {} for {} s without an answer (X07){}",
                                computes ? "computed" : "waited",
                                (computes ? kScanMs : kWaitMs) / 1000, process.last_words()));
    }
    json found =
        decode_cbor(frame->payload, "the description of a plugin", {.max_bytes = 1u << 20});
    if (found.contains("descriptor"))
      OwnedDescriptor(found.at("descriptor"), unloaded_tables());  // throws when it is none
    else if (!found.contains("reason"))
      throw Error(ADZE_DATA_LOSS, "neither a description nor a reason");
    return found;
  } catch (const ChannelClosed&) {
    return died(describe_fault(process, memory_mb));
  } catch (const Error& error) {
    return died(fmt::format("it sent {} (X08)", error.what()));
  }
}

}  // namespace adze::host
