// The steps of quantization after training, in their order.
#pragma once

#include <adze/adze.hpp>

namespace ptq {

/// Reads the options of the call, asks the host for statistics and emits the edits. Errors:
/// adze::Error; those of the host.
void quantize(adze_call* call);

}  // namespace ptq
