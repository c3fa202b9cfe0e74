// The rows of the operator table, one function an operator family.
#pragma once

#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

void check_conv(const Site& site);
Planned plan_conv(const Site& site);
void check_gemm(const Site& site);
Planned plan_gemm(const Site& site);
void check_matmul(const Site& site);
Planned plan_matmul(const Site& site);
void check_unary(const Site& site);
Planned plan_unary(const Site& site);
void check_binary(const Site& site);
Planned plan_binary(const Site& site);
void check_max_pool(const Site& site);
Planned plan_max_pool(const Site& site);
void check_average_pool(const Site& site);
Planned plan_average_pool(const Site& site);
void check_reduce_mean(const Site& site);
Planned plan_reduce_mean(const Site& site);
void check_same_elements(const Site& site);
Planned plan_same_elements(const Site& site);
void check_transpose(const Site& site);
Planned plan_transpose(const Site& site);
void check_slice(const Site& site);
Planned plan_slice(const Site& site);
void check_concat(const Site& site);
Planned plan_concat(const Site& site);
void check_softmax(const Site& site);
Planned plan_softmax(const Site& site);
void check_pad(const Site& site);
Planned plan_pad(const Site& site);
void check_batch_normalization(const Site& site);
Planned plan_batch_normalization(const Site& site);
void check_resize(const Site& site);
Planned plan_resize(const Site& site);
void check_activation(const Site& site);
Planned plan_activation(const Site& site);
void check_axes_normalization(const Site& site);
Planned plan_axes_normalization(const Site& site);
void check_conv_transpose(const Site& site);
Planned plan_conv_transpose(const Site& site);
void check_general_pool(const Site& site);
Planned plan_general_pool(const Site& site);
void check_grid_sample(const Site& site);
Planned plan_grid_sample(const Site& site);
void check_group_normalization(const Site& site);
Planned plan_group_normalization(const Site& site);
void check_layer_normalization(const Site& site);
Planned plan_layer_normalization(const Site& site);
void check_lrn(const Site& site);
Planned plan_lrn(const Site& site);
void check_prelu(const Site& site);
Planned plan_prelu(const Site& site);
void check_elementwise(const Site& site);
Planned plan_elementwise(const Site& site);
void check_elementwise_unary(const Site& site);
Planned plan_elementwise_unary(const Site& site);
void check_reduce(const Site& site);
Planned plan_reduce(const Site& site);
void check_gather(const Site& site);
Planned plan_gather(const Site& site);
void check_gather_elements(const Site& site);
Planned plan_gather_elements(const Site& site);
void check_gather_nd(const Site& site);
Planned plan_gather_nd(const Site& site);
void check_scatter_elements(const Site& site);
Planned plan_scatter_elements(const Site& site);
void check_scatter_nd(const Site& site);
Planned plan_scatter_nd(const Site& site);
void check_expand(const Site& site);
Planned plan_expand(const Site& site);
void check_tile(const Site& site);
Planned plan_tile(const Site& site);
void check_depth_and_space(const Site& site);
Planned plan_depth_and_space(const Site& site);
void check_split(const Site& site);
Planned plan_split(const Site& site);
void check_cast(const Site& site);
Planned plan_cast(const Site& site);

}  // namespace adze::exec
