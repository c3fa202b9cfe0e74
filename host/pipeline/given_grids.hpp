// Models that come quantized (by quantization-aware training, or another tool): their grids stay.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/edit/edit.hpp"
#include "host/graph/graph.hpp"

namespace adze::host {

/// What a quantizer may still do to a model some of whose tensors have grids.
struct Missing {
  std::vector<std::uint32_t> targets;  ///< those of the stage that do not compute in integers yet
  std::int64_t given = 0;              ///< tensors whose grids stay
  std::string warning;                 ///< a sentence about both; empty when nothing was given
};

/// Errors: FAILED_PRECONDITION when nothing is missing.
Missing what_is_missing(const Graph& graph, const std::vector<std::uint32_t>& targets);

/// The edits without grids for values of `shown` that have one.
EditList only_missing(const EditList& edits, const Graph& shown,
                      const std::vector<std::uint32_t>& targets);

/// `graph`, one that follows from `shown` without its grids, with these grids again: so that what
/// is measured of it is measured on numbers as they will be.
Graph with_given_grids(Graph graph, const Graph& shown);

/// What only moves numbers of a given grid gets the same one, not one of its own. `shown`: before.
void pass_given_grids_on(Graph& graph, const Graph& shown);

}  // namespace adze::host
