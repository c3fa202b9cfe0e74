#include <algorithm>
#include <array>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/any_type.hpp"

namespace adze::exec {
namespace {

constexpr std::array kOperators = std::to_array<Operator>({
    {"Abs", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Acos", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Acosh", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Add", check_elementwise, plan_elementwise, true, true, nullptr, binary_row},
    {"And", check_elementwise, plan_elementwise, false, true},
    {"ArgMax", check_reduce, plan_reduce, false, true},
    {"ArgMin", check_reduce, plan_reduce, false, true},
    {"Asin", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Asinh", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Atan", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Atanh", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"AveragePool", check_average_pool, plan_average_pool},
    {"BatchNormalization", check_batch_normalization, plan_batch_normalization, true},
    {"BitShift", check_elementwise, plan_elementwise, false, true},
    {"BitwiseNot", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Cast", check_cast, plan_cast, false, true},
    {"CastLike", check_cast, plan_cast, false, true},
    {"Ceil", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Celu", check_activation, plan_activation, false, false, nullptr, activation_row},
    {"Clip", check_clip, plan_clip, false, true, nullptr, unary_row},
    {"Compress", check_compress, plan_compress, false, true},
    {"Concat", check_concat, plan_concat, false, true},
    {"Constant", check_constant, plan_constant, false, true},
    {"ConstantOfShape", check_constant, plan_constant, false, true},
    {"Conv", check_conv, plan_conv, true, false, conv_takes_addend, nullptr, conv_takes_chain},
    {"ConvInteger", check_integer_conv, plan_integer_conv, false, true},
    {"ConvTranspose", check_conv_transpose, plan_conv_transpose, true},
    {"Cos", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Cosh", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"CumSum", check_cum_sum, plan_cum_sum, false, true},
    {"DepthToSpace", check_depth_and_space, plan_depth_and_space, false, true},
    {"Det", check_det, plan_det},
    {"DequantizeLinear", check_linear_quantization, plan_linear_quantization, false, true},
    {"Div", check_elementwise, plan_elementwise, true, true, nullptr, binary_row},
    {"Dropout", check_dropout, plan_dropout, false, true},
    {"DynamicQuantizeLinear", check_dynamic_quantization, plan_dynamic_quantization, false, true},
    {"Einsum", check_einsum, plan_einsum, false, true},
    {"Elu", check_unary, plan_unary, false, false, nullptr, unary_row},
    {"Equal", check_elementwise, plan_elementwise, false, true},
    {"Erf", check_activation, plan_activation, false, false, nullptr, activation_row},
    {"Exp", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Expand", check_expand, plan_expand, false, true},
    {"EyeLike", check_eye_like, plan_eye_like, false, true},
    {"Flatten", check_same_elements, plan_same_elements, false, true},
    {"Floor", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Gather", check_gather, plan_gather, false, true},
    {"GatherElements", check_gather_elements, plan_gather_elements, false, true},
    {"GatherND", check_gather_nd, plan_gather_nd, false, true},
    {"Gelu", check_activation, plan_activation, false, false, nullptr, activation_row},
    {"Gemm", check_gemm, plan_gemm, true},
    {"GlobalAveragePool", check_reduce_mean, plan_reduce_mean},
    {"GlobalLpPool", check_general_pool, plan_general_pool},
    {"GlobalMaxPool", check_general_pool, plan_general_pool},
    {"Greater", check_elementwise, plan_elementwise, false, true},
    {"GreaterOrEqual", check_elementwise, plan_elementwise, false, true},
    {"GridSample", check_grid_sample, plan_grid_sample},
    {"GroupNormalization", check_group_normalization, plan_group_normalization},
    {"HardSigmoid", check_unary, plan_unary, false, false, nullptr, unary_row},
    {"HardSwish", check_unary, plan_unary, false, false, nullptr, unary_row},
    {"Hardmax", check_softmax, plan_softmax},
    {"Identity", check_same_elements, plan_same_elements, false, true},
    {"InstanceNormalization", check_group_normalization, plan_group_normalization},
    {"IsInf", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"IsNaN", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"LRN", check_lrn, plan_lrn},
    {"LayerNormalization", check_layer_normalization, plan_layer_normalization},
    {"LeakyRelu", check_unary, plan_unary, false, false, nullptr, unary_row},
    {"Less", check_elementwise, plan_elementwise, false, true},
    {"LessOrEqual", check_elementwise, plan_elementwise, false, true},
    {"Log", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"LogSoftmax", check_softmax, plan_softmax},
    {"LpNormalization", check_axes_normalization, plan_axes_normalization},
    {"LpPool", check_general_pool, plan_general_pool},
    {"MatMul", check_matmul, plan_matmul, true},
    {"MatMulInteger", check_integer_matmul, plan_integer_matmul, false, true},
    {"Max", check_elementwise, plan_elementwise, false, true},
    {"MaxPool", check_max_pool, plan_max_pool, false, true},
    {"MaxUnpool", check_max_unpool, plan_max_unpool, false, true},
    {"Mean", check_elementwise, plan_elementwise, false, true},
    {"MeanVarianceNormalization", check_axes_normalization, plan_axes_normalization},
    {"Min", check_elementwise, plan_elementwise, false, true},
    {"Mish", check_activation, plan_activation, false, false, nullptr, activation_row},
    {"Mod", check_elementwise, plan_elementwise, false, true},
    {"Mul", check_elementwise, plan_elementwise, true, true, nullptr, binary_row},
    {"Neg", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"NegativeLogLikelihoodLoss", check_loss, plan_loss, false, true},
    {"NonMaxSuppression", check_non_max_suppression, plan_non_max_suppression, false, true},
    {"Not", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"OneHot", check_one_hot, plan_one_hot, false, true},
    {"Or", check_elementwise, plan_elementwise, false, true},
    {"PRelu", check_prelu, plan_prelu},
    {"Pad", check_pad, plan_pad, false, true},
    {"Pow", check_elementwise, plan_elementwise, false, true},
    {"QLinearConv", check_integer_conv, plan_integer_conv, false, true},
    {"QLinearMatMul", check_integer_matmul, plan_integer_matmul, false, true},
    {"QuantizeLinear", check_linear_quantization, plan_linear_quantization, false, true},
    {"RMSNormalization", check_layer_normalization, plan_layer_normalization},
    {"Range", check_range, plan_range, false, true},
    {"Reciprocal", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"ReduceL1", check_reduce, plan_reduce, false, true},
    {"ReduceL2", check_reduce, plan_reduce, false, true},
    {"ReduceLogSum", check_reduce, plan_reduce, false, true},
    {"ReduceLogSumExp", check_reduce, plan_reduce, false, true},
    {"ReduceMax", check_reduce, plan_reduce, false, true},
    {"ReduceMean", check_reduce, plan_reduce, false, true},
    {"ReduceMin", check_reduce, plan_reduce, false, true},
    {"ReduceProd", check_reduce, plan_reduce, false, true},
    {"ReduceSum", check_reduce, plan_reduce, false, true},
    {"ReduceSumSquare", check_reduce, plan_reduce, false, true},
    {"Relu", check_unary, plan_unary, false, false, nullptr, unary_row},
    {"Reshape", check_same_elements, plan_same_elements, false, true},
    {"Resize", check_resize, plan_resize},
    {"ReverseSequence", check_reverse_sequence, plan_reverse_sequence, false, true},
    {"RoiAlign", check_roi_align, plan_roi_align, false, true},
    {"Round", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Scatter", check_scatter_elements, plan_scatter_elements, false, true},
    {"ScatterElements", check_scatter_elements, plan_scatter_elements, false, true},
    {"ScatterND", check_scatter_nd, plan_scatter_nd, false, true},
    {"Selu", check_activation, plan_activation, false, false, nullptr, activation_row},
    {"Shape", check_shape_of, plan_shape_of, false, true},
    {"Shrink", check_activation, plan_activation, false, false, nullptr, activation_row},
    {"Sigmoid", check_unary, plan_unary, false, false, nullptr, unary_row},
    {"Sign", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Sin", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Sinh", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Size", check_shape_of, plan_shape_of, false, true},
    {"Slice", check_slice, plan_slice, false, true},
    {"Softmax", check_softmax, plan_softmax},
    {"SoftmaxCrossEntropyLoss", check_loss, plan_loss, false, true},
    {"Softplus", check_activation, plan_activation, false, false, nullptr, activation_row},
    {"Softsign", check_activation, plan_activation, false, false, nullptr, activation_row},
    {"SpaceToDepth", check_depth_and_space, plan_depth_and_space, false, true},
    {"Split", check_split, plan_split, false, true},
    {"Sqrt", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Squeeze", check_same_elements, plan_same_elements, false, true},
    {"Sub", check_elementwise, plan_elementwise, true, true, nullptr, binary_row},
    {"Sum", check_elementwise, plan_elementwise, false, true},
    {"Swish", check_activation, plan_activation, false, false, nullptr, activation_row},
    {"Tan", check_elementwise_unary, plan_elementwise_unary, false, true},
    {"Tanh", check_unary, plan_unary, false, false, nullptr, unary_row},
    {"ThresholdedRelu", check_activation, plan_activation, false, false, nullptr, activation_row},
    {"Tile", check_tile, plan_tile, false, true},
    {"TopK", check_top_k, plan_top_k, false, true},
    {"Transpose", check_transpose, plan_transpose, false, true},
    {"Trilu", check_trilu, plan_trilu, false, true},
    {"Unsqueeze", check_same_elements, plan_same_elements, false, true},
    {"Upsample", check_resize, plan_resize},
    {"Where", check_where, plan_where, false, true},
    {"Xor", check_elementwise, plan_elementwise, false, true},
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
    if (input == ADZE_NONE || site.value(input).is_constant() || found->any_type) continue;
    if (site.value(input).dtype != DType::f32)
      site.refuse(std::string("its input '") + site.value(input).name + "' is " +
                  name_of(site.value(input).dtype) + "; only floats are computed");
  }
  for (const std::uint32_t output : node.outputs) {
    check_value(output);
    if (output != ADZE_NONE && site.value(output).dtype != DType::f32 && !found->any_type)
      site.refuse(std::string("its output '") + site.value(output).name + "' is " +
                  name_of(site.value(output).dtype) + "; only floats are computed");
  }
  if (node.outputs.front() == ADZE_NONE) site.refuse("its first output is left out");
  found->check(site);
  return *found;
}

}  // namespace adze::exec
