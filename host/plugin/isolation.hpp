// How components of foreign plugins are run: what the registry needs to know of it.
#pragma once

#include <adze/backend.h>
#include <adze/pruner.h>
#include <adze/quantizer.h>

#include <cstdint>
#include <filesystem>

namespace adze::host {

/// Functions that stand in for those of a plugin whose code is not in this process.
struct ComponentTables {
  adze_status (*create)(adze_call*, void** out_self) ADZE_NOEXCEPT;
  void (*destroy)(void* self) ADZE_NOEXCEPT;
  const adze_pruner* pruner;
  const adze_quantizer* quantizer;
  const adze_backend* backend;  ///< all slots; a component shows those that its plugin has
};

/// What a worker may use up before it is killed.
struct IsolationLimits {
  std::int64_t deadline_ms = 300'000;  ///< without progress, log or a call of a service
  std::uint64_t memory_mb = 0;         ///< address space; 0: most of the memory that is free
};

/// A worker does not start with less, whatever its plugin needs.
inline constexpr std::uint64_t kLeastMemoryMb = 256;
/// `memory_mb`; when that is 0, three quarters of free_memory_mb(): a plugin that takes too much
/// shall meet its own limit, which is an error with a name, before the system kills something.
std::uint64_t memory_limit_mb(const IsolationLimits& limits);
/// What is left of the machine's memory and of the control groups (containers) that this process is
/// in. `root`: where /proc and /sys are.
std::uint64_t free_memory_mb(const std::filesystem::path& root = "/");

/// A program that runs one component, the functions that reach it, and its limits.
struct Isolation {
  std::filesystem::path program;  ///< adze-worker
  const ComponentTables* tables = nullptr;
  IsolationLimits limits;
};

}  // namespace adze::host
