#include <algorithm>
#include <array>

#include "plugins/tensor_exec/operators/all.hpp"

namespace adze::exec {
namespace {

constexpr std::array kOperators = std::to_array<Operator>({
    {"Add", check_binary, plan_binary, true},
    {"AveragePool", check_average_pool, plan_average_pool},
    {"BatchNormalization", check_batch_normalization, plan_batch_normalization, true},
    {"Cast", check_same_elements, plan_same_elements},
    {"Celu", check_activation, plan_activation},
    {"Clip", check_unary, plan_unary},
    {"Concat", check_concat, plan_concat},
    {"Conv", check_conv, plan_conv, true},
    {"ConvTranspose", check_conv_transpose, plan_conv_transpose, true},
    {"Div", check_binary, plan_binary, true},
    {"Dropout", check_same_elements, plan_same_elements},
    {"Elu", check_unary, plan_unary},
    {"Erf", check_activation, plan_activation},
    {"Flatten", check_same_elements, plan_same_elements},
    {"Gelu", check_activation, plan_activation},
    {"Gemm", check_gemm, plan_gemm, true},
    {"GlobalAveragePool", check_reduce_mean, plan_reduce_mean},
    {"GlobalLpPool", check_general_pool, plan_general_pool},
    {"GlobalMaxPool", check_general_pool, plan_general_pool},
    {"GridSample", check_grid_sample, plan_grid_sample},
    {"GroupNormalization", check_group_normalization, plan_group_normalization},
    {"HardSigmoid", check_unary, plan_unary},
    {"HardSwish", check_unary, plan_unary},
    {"Hardmax", check_softmax, plan_softmax},
    {"Identity", check_same_elements, plan_same_elements},
    {"InstanceNormalization", check_group_normalization, plan_group_normalization},
    {"LRN", check_lrn, plan_lrn},
    {"LayerNormalization", check_layer_normalization, plan_layer_normalization},
    {"LeakyRelu", check_unary, plan_unary},
    {"LogSoftmax", check_softmax, plan_softmax},
    {"LpNormalization", check_axes_normalization, plan_axes_normalization},
    {"LpPool", check_general_pool, plan_general_pool},
    {"MatMul", check_matmul, plan_matmul, true},
    {"MaxPool", check_max_pool, plan_max_pool},
    {"MeanVarianceNormalization", check_axes_normalization, plan_axes_normalization},
    {"Mish", check_activation, plan_activation},
    {"Mul", check_binary, plan_binary, true},
    {"PRelu", check_prelu, plan_prelu},
    {"Pad", check_pad, plan_pad},
    {"RMSNormalization", check_layer_normalization, plan_layer_normalization},
    {"ReduceMean", check_reduce_mean, plan_reduce_mean},
    {"Relu", check_unary, plan_unary},
    {"Reshape", check_same_elements, plan_same_elements},
    {"Resize", check_resize, plan_resize},
    {"Selu", check_activation, plan_activation},
    {"Sigmoid", check_unary, plan_unary},
    {"Slice", check_slice, plan_slice},
    {"Softmax", check_softmax, plan_softmax},
    {"Softplus", check_activation, plan_activation},
    {"Softsign", check_activation, plan_activation},
    {"Squeeze", check_same_elements, plan_same_elements},
    {"Sub", check_binary, plan_binary, true},
    {"Swish", check_activation, plan_activation},
    {"Tanh", check_unary, plan_unary},
    {"ThresholdedRelu", check_activation, plan_activation},
    {"Transpose", check_transpose, plan_transpose},
    {"Unsqueeze", check_same_elements, plan_same_elements},
    {"Upsample", check_resize, plan_resize},
});

}  // namespace

const Operator* find_operator(std::string_view op) {
  const auto* found = std::find_if(kOperators.begin(), kOperators.end(),
                                   [&](const Operator& candidate) { return candidate.op == op; });
  return found == kOperators.end() ? nullptr : found;
}

const Operator& check_node(const Site& site) {
  const Node& node = site.node;
  const Operator* found = node.domain.empty() ? find_operator(node.op) : nullptr;
  if (!found) site.refuse("this operator is not supported");
  const auto check_value = [&](std::uint32_t index) {
    if (index != ADZE_NONE && !site.value(index).problem.empty())
      site.refuse(site.value(index).problem);
  };
  for (const std::uint32_t input : node.inputs) {
    check_value(input);
    if (input == ADZE_NONE || site.value(input).is_constant() || node.op == "Cast") continue;
    if (site.value(input).dtype != DType::f32)
      site.refuse(std::string("its input '") + site.value(input).name + "' is " +
                  name_of(site.value(input).dtype) + "; only floats are computed");
  }
  for (const std::uint32_t output : node.outputs) {
    check_value(output);
    if (output != ADZE_NONE && site.value(output).dtype != DType::f32)
      site.refuse(std::string("its output '") + site.value(output).name + "' is " +
                  name_of(site.value(output).dtype) + "; only floats are computed");
  }
  if (node.outputs.front() == ADZE_NONE) site.refuse("its first output is left out");
  found->check(site);
  return *found;
}

}  // namespace adze::exec
