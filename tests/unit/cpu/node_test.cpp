// The ONNX project's own operator tests, as Debian ships them, through adze.cpu.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include "host/abi/backend.hpp"
#include "host/base/file.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"
#include "host/onnx/tensors.hpp"
#include "tests/needs.hpp"

namespace adze::host {
namespace {

const std::filesystem::path kNodeTests = "/usr/share/libonnx-testdata/data/node";

Component cpu() {
  static const LoadedPlugin plugin = load_plugin(
      std::filesystem::path(std::getenv("ADZE_BINARY_DIR")) / "lib/adze/plugins/adze_cpu.so");
  return {plugin.plugin->components[0], &plugin};
}

Tensor read_tensor(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path);
  onnx::TensorProto proto;
  EXPECT_TRUE(proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return tensor_from_proto(proto, {}, path.string());
}

/// Weights, shapes and limits are constants in models; in these tests they are inputs.
bool is_parameter(const std::string& op, std::size_t input) {
  static const std::set<std::string> kParameterized = {
      "Conv",      "Gemm", "Clip",  "Reshape", "Squeeze",
      "Unsqueeze", "Pad",  "Slice", "Resize",  "BatchNormalization",
      "Dropout"};
  return input > 0 && kParameterized.count(op) > 0;
}

struct Case {
  Graph graph;
  std::vector<Tensor> inputs;
  std::vector<Tensor> expected;
};

Case load_case(const std::string& name) {
  const std::filesystem::path folder = kNodeTests / name, data = folder / "test_data_set_0";
  Case made{load_model(folder / "model.onnx"), {}, {}};
  Graph& graph = made.graph;
  std::vector<std::uint32_t> left;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const Tensor tensor = read_tensor(data / ("input_" + std::to_string(i) + ".pb"));
    const Node& node = graph.nodes.front();
    std::size_t position = 0;
    while (node.inputs[position] != graph.inputs[i]) ++position;
    if (is_parameter(node.op, position)) {
      graph.values[graph.inputs[i]].constant = tensor;
    } else {
      left.push_back(graph.inputs[i]);
      made.inputs.push_back(tensor);
    }
  }
  graph.inputs = left;
  graph.relink();
  made.expected.push_back(read_tensor(data / "output_0.pb"));
  // Inference did not know the parameters, and so not the shapes that follow from them.
  Value& output = graph.values[graph.outputs.front()];
  if (output.shape != made.expected.front().shape()) {
    output.shape = made.expected.front().shape();
    output.batch_axis = -1;
  }
  return made;
}

class NodeTest : public ::testing::TestWithParam<const char*> {};

TEST_P(NodeTest, gives_the_expected_output) {
  ADZE_NEEDS(std::filesystem::exists(kNodeTests / GetParam()), "libonnx-testdata");
  const Case test = load_case(GetParam());
  BackendRunner runner(cpu(), {}, test.graph, GetParam(), {}, {});
  const auto outputs = runner.run(test.inputs);
  const Tensor& expected = test.expected.front();
  ASSERT_EQ(outputs.front().tensor.shape(), expected.shape());
  const std::vector<float> want = to_f32(expected), got = to_f32(outputs.front().tensor);
  for (std::size_t i = 0; i < want.size(); ++i)
    ASSERT_NEAR(got[i], want[i], 1e-5 + 1e-5 * std::fabs(want[i])) << "element " << i;
}

INSTANTIATE_TEST_SUITE_P(
    Onnx, NodeTest,
    ::testing::Values(
        "test_add", "test_add_bcast", "test_averagepool_1d_default", "test_averagepool_2d_ceil",
        "test_averagepool_2d_default", "test_averagepool_2d_pads",
        "test_averagepool_2d_pads_count_include_pad", "test_averagepool_2d_precomputed_pads",
        "test_averagepool_2d_precomputed_pads_count_include_pad",
        "test_averagepool_2d_precomputed_same_upper", "test_averagepool_2d_precomputed_strides",
        "test_averagepool_2d_same_lower", "test_averagepool_2d_same_upper",
        "test_averagepool_2d_strides", "test_batchnorm_epsilon", "test_batchnorm_example",
        "test_clip", "test_clip_default_inbounds", "test_clip_default_max", "test_clip_default_min",
        "test_clip_example", "test_clip_outbounds", "test_clip_splitbounds",
        "test_concat_2d_axis_1", "test_concat_3d_axis_1", "test_concat_3d_axis_2",
        "test_concat_3d_axis_negative_1", "test_conv_with_autopad_same",
        "test_conv_with_strides_and_asymmetric_padding", "test_conv_with_strides_no_padding",
        "test_conv_with_strides_padding", "test_div", "test_div_bcast", "test_dropout_default",
        "test_elu", "test_elu_default", "test_flatten_axis0", "test_flatten_axis1",
        "test_flatten_axis2", "test_flatten_axis3", "test_flatten_default_axis",
        "test_flatten_negative_axis1", "test_gemm_alpha", "test_gemm_beta",
        "test_gemm_default_no_bias", "test_gemm_default_scalar_bias",
        "test_gemm_default_vector_bias", "test_gemm_transposeB", "test_globalaveragepool",
        "test_globalaveragepool_precomputed", "test_hardsigmoid", "test_hardsigmoid_default",
        "test_hardswish", "test_identity", "test_leakyrelu", "test_leakyrelu_default",
        "test_matmul_2d", "test_matmul_3d", "test_matmul_4d", "test_maxpool_1d_default",
        "test_maxpool_2d_ceil", "test_maxpool_2d_default", "test_maxpool_2d_dilations",
        "test_maxpool_2d_pads", "test_maxpool_2d_precomputed_pads",
        "test_maxpool_2d_precomputed_same_upper", "test_maxpool_2d_precomputed_strides",
        "test_maxpool_2d_same_lower", "test_maxpool_2d_same_upper", "test_maxpool_2d_strides",
        "test_mul", "test_mul_bcast", "test_constant_pad",
        "test_reduce_mean_default_axes_keepdims_random", "test_reduce_mean_do_not_keepdims_random",
        "test_reduce_mean_keepdims_random", "test_reduce_mean_negative_axes_keepdims_random",
        "test_relu", "test_reshape_negative_dim", "test_reshape_reduced_dims",
        "test_reshape_zero_dim", "test_resize_downsample_scales_linear",
        "test_resize_downsample_scales_nearest",
        "test_resize_downsample_sizes_linear_pytorch_half_pixel",
        "test_resize_upsample_scales_linear", "test_resize_upsample_scales_linear_align_corners",
        "test_resize_upsample_scales_nearest", "test_resize_upsample_sizes_nearest_ceil_half_pixel",
        "test_resize_upsample_sizes_nearest_floor_align_corners", "test_sigmoid", "test_slice",
        "test_slice_default_axes", "test_slice_neg", "test_slice_neg_steps",
        "test_slice_negative_axes", "test_slice_start_out_of_bounds", "test_softmax_axis_0",
        "test_softmax_axis_1", "test_softmax_axis_2", "test_softmax_default_axis",
        "test_softmax_large_number", "test_squeeze", "test_sub", "test_sub_bcast", "test_tanh",
        "test_transpose_all_permutations_1", "test_transpose_all_permutations_4",
        "test_transpose_default", "test_unsqueeze_axis_1", "test_unsqueeze_two_axes"),
    [](const auto& name) { return std::string(name.param).substr(5); });

}  // namespace
}  // namespace adze::host
