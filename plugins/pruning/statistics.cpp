#include "plugins/pruning/statistics.hpp"

#include <algorithm>
#include <cmath>

namespace pruning {
namespace {

/// Results of one collect(); the host refuses more than 2 GB.
constexpr double kMaxPassBytes = 1.2e9;

const double* elements_of(const adze_stat& stat) {
  return static_cast<const double*>(stat.data.data) + stat.data.byte_offset / sizeof(double);
}

adze_stat_request request_of(const MomentsRequest& wanted) {
  return {.struct_size = sizeof(adze_stat_request),
          .kind = ADZE_STAT_GRAM,
          .node = wanted.layer->node,
          .value = ADZE_NONE,
          .state = wanted.state,
          .value_state = 0,
          .first = wanted.first,
          .count = wanted.count,
          .bins = 0};
}

/// Of the results, and of one product in single precision.
double bytes_of(const MomentsRequest& wanted) {
  const auto size = static_cast<double>(wanted.layer->columns + 1);
  return (wanted.gram ? size * size * (8.0 * static_cast<double>(wanted.layer->groups) + 4) : 0) +
         12.0 * size * static_cast<double>(wanted.layer->rows) *
             static_cast<double>(wanted.answers.size());
}

RowMatrix dense_of(const adze_graph& graph, const Layer& layer) {
  const std::vector<double> weights = weights_of(graph, layer);
  RowMatrix dense = RowMatrix::Zero(layer.rows, layer.columns + 1);
  for (std::int64_t row = 0; row < layer.rows; ++row)
    for (std::int64_t column = 0; column < layer.columns; ++column)
      dense(row, column) = weights[layer.index(row, column)];
  if (layer.bias != ADZE_NONE) {
    const std::vector<double> bias = bias_of(graph, layer);
    for (std::int64_t row = 0; row < layer.rows; ++row)
      dense(row, layer.columns) = bias[static_cast<std::size_t>(row)] * layer.bias_factor;
  }
  return dense;
}

std::size_t count_of(const MomentsRequest& wanted) {
  return (wanted.gram ? 1 : 0) + wanted.answers.size();
}

/// `stats`: the Gram matrix if it is wanted, then a cross moment an answer.
Moments moments_of(const adze_graph& graph, const MomentsRequest& wanted,
                   std::span<const adze_stat* const> stats) {
  const Layer& layer = *wanted.layer;
  const Eigen::Index size = layer.columns + 1, rows = layer.group_rows();
  if (wanted.gram) {
    const adze_tensor& gram = stats[0]->data;
    if (gram.ndim != 3 || gram.shape[0] != layer.groups || gram.shape[1] != size)
      throw adze::Error(ADZE_INTERNAL, "the host's Gram matrix does not have the layer's size");
  }
  const RowMatrix dense = dense_of(graph, layer);
  Moments moments;
  moments.terms = stats[0]->terms;
  for (std::int64_t group = 0; group < layer.groups; ++group) {
    RefitProblem problem;
    problem.has_bias = layer.bias != ADZE_NONE;
    if (wanted.gram)
      problem.gram = Eigen::Map<const Eigen::MatrixXd>(elements_of(*stats[0]) + group * size * size,
                                                       size, size);
    problem.dense = dense.middleRows(group * rows, rows);
    if (wanted.answers.empty()) {
      const OneBlasThread one;
      problem.answers = problem.dense * problem.gram;
    } else {
      problem.answers = RowMatrix::Zero(rows, size);
      for (std::size_t i = 0; i < wanted.answers.size(); ++i) {
        const adze_stat& stat = *stats[(wanted.gram ? 1 : 0) + i];
        const adze_tensor& cross = stat.data;
        if (cross.ndim != 2 || cross.shape[0] != layer.rows || cross.shape[1] != size)
          throw adze::Error(ADZE_INTERNAL, "the host's cross moments do not have the layer's size");
        problem.answers +=
            wanted.answers[i].factor / layer.output_factor *
            Eigen::Map<const RowMatrix>(elements_of(stat) + group * rows * size, rows, size);
      }
    }
    moments.groups.push_back(std::move(problem));
  }
  return moments;
}

}  // namespace

std::vector<double> weights_of(const adze_graph& graph, const Layer& layer) {
  const auto elements = adze::f32(graph.values[layer.weight]->constant);
  if (!std::all_of(elements.begin(), elements.end(), [](float x) { return std::isfinite(x); }))
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "its weights hold NaN or infinity: the model is broken");
  return {elements.begin(), elements.end()};
}

std::vector<double> bias_of(const adze_graph& graph, const Layer& layer) {
  const auto elements = adze::f32(graph.values[graph.nodes[layer.node]->inputs[2]]->constant);
  return {elements.begin(), elements.end()};
}

std::vector<Moments> collect_moments(adze_call* call, std::span<const MomentsRequest> requests) {
  const auto& calibration = adze::need<adze_calibration>(call, ADZE_CALIBRATION);
  std::vector<Moments> found;
  for (std::size_t begin = 0; begin < requests.size();) {
    std::vector<adze_stat_request> asked;
    double bytes = 0;
    std::size_t end = begin;
    for (; end < requests.size(); ++end) {
      bytes += bytes_of(requests[end]);
      if (end > begin && bytes > kMaxPassBytes) break;
      const adze_stat_request gram = request_of(requests[end]);
      if (requests[end].gram) asked.push_back(gram);
      for (const Answer& answer : requests[end].answers) {
        adze_stat_request cross = gram;
        cross.kind = ADZE_STAT_CROSS;
        cross.value = answer.value;
        cross.value_state = answer.state;
        asked.push_back(cross);
      }
    }
    std::vector<const adze_stat*> stats(asked.size());
    adze::check(calibration.collect(call, asked.data(), asked.size(), stats.data()));
    for (std::size_t at = 0; begin < end; ++begin) {
      const std::size_t count = count_of(requests[begin]);
      found.push_back(moments_of(*call->graph, requests[begin],
                                 std::span<const adze_stat* const>(stats).subspan(at, count)));
      for (std::size_t i = at; i < at + count; ++i) calibration.release(call, stats[i]);
      at += count;
    }
  }
  return found;
}

}  // namespace pruning
