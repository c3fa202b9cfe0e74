// Rows of the operator table beside those of all.hpp: operators that choose or limit elements of
// any type.
#pragma once

#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

void check_where(const Site& site);
Planned plan_where(const Site& site);
void check_trilu(const Site& site);
Planned plan_trilu(const Site& site);
void check_cum_sum(const Site& site);
Planned plan_cum_sum(const Site& site);
void check_one_hot(const Site& site);
Planned plan_one_hot(const Site& site);
void check_reverse_sequence(const Site& site);
Planned plan_reverse_sequence(const Site& site);
void check_eye_like(const Site& site);
Planned plan_eye_like(const Site& site);
void check_shape_of(const Site& site);
Planned plan_shape_of(const Site& site);
void check_range(const Site& site);
Planned plan_range(const Site& site);
void check_compress(const Site& site);
Planned plan_compress(const Site& site);
void check_constant(const Site& site);
Planned plan_constant(const Site& site);
void check_clip(const Site& site);
Planned plan_clip(const Site& site);

}  // namespace adze::exec
