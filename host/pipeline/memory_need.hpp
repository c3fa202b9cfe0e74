// What a model needs of the memory area that a board sets aside for DRP-AI.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>

#include "host/abi/backend.hpp"
#include "host/pipeline/board_type.hpp"

namespace adze::host {

/// The regions that the toolchain's addr_map.txt lists, in bytes.
struct MemoryNeed {
  std::uint64_t input_bytes = 0, work_bytes = 0, output_bytes = 0, weight_bytes = 0,
                program_bytes = 0;
  std::uint64_t area_bytes = 0;  ///< what there is
  std::uint64_t total_bytes() const {
    return input_bytes + work_bytes + output_bytes + weight_bytes + program_bytes;
  }
  bool fits() const { return total_bytes() <= area_bytes; }
};

/// nullopt for a board type without `[memory]` figures. `placements`: one a node. What the CPU
/// keeps for itself is not in this area.
std::optional<MemoryNeed> memory_need(const Graph& graph, std::span<const Placement> placements,
                                      const Facts& facts);

/// need, area, fits and the regions.
nlohmann::json to_json(const MemoryNeed& need);

/// "45.8 of 536.9 MB".
std::string memory_text(const MemoryNeed& need);

/// Errors: RESOURCE_EXHAUSTED with both numbers when `need` does not fit.
void require_fit(const MemoryNeed& need, const std::string& model, const std::string& board_type);

}  // namespace adze::host
