// Requests to adze.calibration/1, in portions that fit its memory.
#pragma once

#include <adze/ext/calibration.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "plugins/ptq/edited_model.hpp"

namespace ptq {

/// About a value of the model as edited, over all samples.
adze_stat_request request_of(std::uint32_t kind, std::uint32_t value);

std::uint64_t sample_count(const EditedModel& model);

/// `take(i, answer)` for each request; the answer is released behind it. SAMPLES are asked for in
/// as many passes as keep a pass below 256 MB. Errors: those of the host, such as NaN in an
/// activation.
void collect(const EditedModel& model, std::span<const adze_stat_request> requests,
             const std::function<void(std::size_t, const adze_stat&)>& take);

std::span<const double> doubles_of(const adze_stat& stat);

/// Bytes of a value for one sample.
double sample_bytes(const adze_value& value);

}  // namespace ptq
