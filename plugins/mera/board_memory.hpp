// The memory that the board set aside for DRP-AI.
#pragma once

#include <cstdint>
#include <string>

namespace adze::mera {

/// Its physical address, as the driver behind `device` ("/dev/drpai0") says. Errors:
/// FAILED_PRECONDITION when there is no such driver.
std::uint64_t drpai_memory_address(const std::string& device);

}  // namespace adze::mera
