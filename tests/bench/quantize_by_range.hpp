// The simplest quantization of a model there is: ranges of its values on random inputs. Good enough
// to time INT8 inference, not to judge accuracy.
#pragma once

#include "host/abi/backend.hpp"

namespace adze::testing {

/// Inputs of `batch` samples, uniform in [-1, 1].
std::vector<host::Tensor> random_inputs(const host::Graph& graph, std::int64_t batch,
                                        std::uint32_t seed);

/// Activations unsigned per tensor, weights of Conv and Gemm signed per output channel. `backend`
/// measures the ranges.
host::Graph quantize_by_range(const host::Graph& graph, const host::Component& backend);

}  // namespace adze::testing
