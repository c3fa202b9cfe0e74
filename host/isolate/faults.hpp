// In a worker: says in its last moments why it dies, for the host to name the rule.
#pragma once

#include <cstdint>

#include "host/base/error.hpp"

namespace adze::host {

/// Installs the handlers of memory faults and of exceptions that nobody catches.
void watch_faults();
/// Bounds the address space of this process. Nothing under AddressSanitizer, which reserves
/// terabytes: its own limit is set by the host.
void limit_memory(std::uint64_t memory_mb);
/// What a WatchedRange of memory that the host shows says: a write to it is called by its name.
inline constexpr const char* kShownReadOnly =
    "X03 it wrote to memory that the host shows read-only";
/// Says why the worker itself ends: no fault of the plugin, unless memory ran out.
void give_up(const Error& error) noexcept;
/// The socket to the host is broken.
[[noreturn]] void end_of_link(const char* why) noexcept;

}  // namespace adze::host
