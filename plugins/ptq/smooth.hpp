// SmoothQuant: part of the spread between the channels that a normalization hands to matrix
// products moves into their weights (Xiao et al., 2023).
#pragma once

#include "plugins/ptq/edited_model.hpp"

namespace ptq {

/// Divides channel j of a normalization's scale and bias by s_j and multiplies row j of the MatMuls
/// (and Gemms) that are its only readers by it: the float model computes what it did before. s_j is
/// max |x_j|^share / max |w_j|^(1 - share). Returns how many normalizations were changed; warns
/// when there is none.
std::size_t smooth(EditedModel& model, double share);

}  // namespace ptq
