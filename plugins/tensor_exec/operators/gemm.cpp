// Gemm: with constant weights and bias as a fully connected layer, otherwise in floats.
#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/axes.hpp"
#include "plugins/tensor_exec/operators/matmul.hpp"
#include "plugins/tensor_exec/operators/weighted.hpp"

namespace adze::exec {
namespace {

struct GemmMatrices {
  Shape a, b;  ///< as stored
  bool a_transposed = false, b_transposed = false;
  std::int64_t rows = 0, depth = 0, columns = 0;
};

GemmMatrices gemm_matrices(const Site& site) {
  GemmMatrices m;
  m.a = site.shape(site.input(0));
  m.b = site.shape(site.input(1));
  m.a_transposed = site.node.integer("transA", 0) != 0;
  m.b_transposed = site.node.integer("transB", 0) != 0;
  if (m.a.size() != 2 || m.b.size() != 2) site.malformed("its matrices have other than 2 axes");
  m.rows = m.a[m.a_transposed ? 1 : 0];
  m.depth = m.a[m.a_transposed ? 0 : 1];
  m.columns = m.b[m.b_transposed ? 0 : 1];
  if (m.depth != m.b[m.b_transposed ? 1 : 0])
    site.malformed("matrices " + to_string(m.a) + " and " + to_string(m.b) + " do not fit");
  site.keep_samples_apart(site.input(0), m.a_transposed ? 0 : 1);
  site.keep_samples_apart(site.input(1), m.b_transposed ? 1 : 0);
  return m;
}

bool is_fully_connected(const Site& site, const GemmMatrices& m) {
  if (m.a_transposed || !site.value(site.input(1)).is_constant() ||
      std::min({m.rows, m.depth, m.columns}) == 0)
    return false;
  if (!site.has_input(2)) return true;
  const Shape bias = site.shape(site.input(2));
  const std::int64_t count = element_count(bias);
  return site.value(site.input(2)).is_constant() &&
         (count == 1 || (count == m.columns && bias.back() == count));
}

WeightedLayer gemm_layer(const Site& site, const GemmMatrices& m) {
  WeightedLayer layer;
  layer.input = site.input(0);
  layer.weights = site.input(1);
  if (site.has_input(2)) layer.bias = site.input(2);
  layer.weight_factor = static_cast<float>(site.node.number("alpha", 1));
  layer.bias_factor = static_cast<float>(site.node.number("beta", 1));
  layer.geometry.batch = m.rows;
  layer.geometry.in_channels = m.depth;
  layer.geometry.out_channels = m.columns;
  layer.output_axis = m.b_transposed ? 0 : 1;
  layer.output_stride = m.b_transposed ? m.depth : 1;
  layer.depth_stride = m.b_transposed ? 1 : m.columns;
  layer.layout = Layout::plain;
  return layer;
}

MatMulProblem::Operand gemm_operand(const Shape& stored, bool transposed) {
  Shape shape = stored, strides = strides_of(stored);
  if (transposed) {
    std::swap(shape[0], shape[1]);
    std::swap(strides[0], strides[1]);
  }
  return {std::move(shape), std::move(strides)};
}

}  // namespace

void check_gemm(const Site& site) {
  const GemmMatrices m = gemm_matrices(site);
  const Shape result{m.rows, m.columns};
  site.expect_output_shape(result);
  if (site.has_input(2)) broadcast_map(site, site.shape(site.input(2)), result);
}

Planned plan_gemm(const Site& site) {
  const GemmMatrices m = gemm_matrices(site);
  if (is_fully_connected(site, m)) return plan_weighted(site, gemm_layer(site, m));
  MatMulProblem problem;
  problem.a = gemm_operand(m.a, m.a_transposed);
  problem.b = gemm_operand(m.b, m.b_transposed);
  problem.result = {m.rows, m.columns};
  problem.alpha = static_cast<float>(site.node.number("alpha", 1));
  problem.beta = static_cast<float>(site.node.number("beta", 1));
  problem.clamp = site.clamp;
  Planned planned;
  planned.inputs = {{site.input(0), {}}, {site.input(1), {}}};
  if (site.has_input(2)) {
    problem.addend = broadcast_map(site, site.shape(site.input(2)), problem.result);
    planned.inputs.push_back({site.input(2), {}});
  }
  planned.outputs = {{site.output, {}}};
  planned.kernel = make_matmul(std::move(problem));
  return planned;
}

}  // namespace adze::exec
