// Which training a checkpoint is of.
#pragma once

#include <adze/ext/draft/dataset.h>

#include <adze/adze.hpp>
#include <cstdint>

#include "plugins/qat/options.hpp"

namespace qat {

/// Of all that the result follows from: graph, constants, samples, options, seed.
std::uint64_t fingerprint(const adze_call& call, const Options& options,
                          const adze_dataset& dataset);

}  // namespace qat
