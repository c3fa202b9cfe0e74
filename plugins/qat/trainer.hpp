// The whole training of one call: batches, schedule, early stop, checkpoints, and the edits.
#pragma once

#include <adze/adze.hpp>

namespace qat {

/// Trains the graph of the call as its arguments say and hands the result back as edits. Errors:
/// adze::Error, adze::HostError.
void train(adze_call* call);

}  // namespace qat
