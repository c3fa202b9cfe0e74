// What the plugin calls in the library that links LibTorch. Loading that takes most of a second,
// so the plugin itself, which every command looks at, does not link it.
#pragma once

#include <adze/adze.h>

extern "C" {

/// Trains and edits; the status as of adze_quantizer.quantize.
ADZE_EXPORT adze_status adze_qat_quantize(adze_call* call) noexcept;
}
