// In a worker: says in its last moments why it dies, for the host to name the rule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace adze::host {

/// Installs the handlers of memory faults and of exceptions that nobody catches.
void watch_faults();
/// Bounds the address space of this process. Nothing under AddressSanitizer, which reserves
/// terabytes: its own limit is set by the host.
void limit_memory(std::uint64_t memory_mb);
/// A write to it is called by its name. Empty: none any more.
void watch_read_only(std::span<const std::byte> memory);
/// The socket to the host is broken.
[[noreturn]] void end_of_link(const char* why) noexcept;

}  // namespace adze::host
