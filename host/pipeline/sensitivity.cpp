#include "host/pipeline/sensitivity.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "host/base/error.hpp"
#include "host/calibrate/collector.hpp"
#include "host/calibrate/single_threaded_blas.hpp"

namespace adze::host {
namespace {

constexpr double kMostGramBytes = 1e9;  ///< collected in one pass over the samples

/// A layer's weight, a row an output, as the Gram matrix of its inputs orders them.
struct Matrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> elements;  ///< row-major
};

Matrix matrix_of(const Graph& graph, std::uint32_t node_index) {
  const Node& node = graph.nodes[node_index];
  const Tensor& tensor = *graph.value(weight_of(graph, node)).constant;
  const std::vector<float> elements = to_f32(tensor);
  const Shape& shape = tensor.shape();
  Matrix matrix;
  const bool by_output = node.op == "Conv" ||
                         (node.op == "Gemm" && attribute_or<std::int64_t>(node, "transB", 0) != 0);
  matrix.rows = by_output ? shape.front() : shape.back();
  matrix.columns = matrix.rows ? tensor.count() / matrix.rows : 0;
  matrix.elements.resize(elements.size());
  for (std::int64_t r = 0; r < matrix.rows; ++r)
    for (std::int64_t c = 0; c < matrix.columns; ++c)
      matrix.elements[static_cast<std::size_t>(r * matrix.columns + c)] =
          elements[static_cast<std::size_t>(by_output ? r * matrix.columns + c
                                                      : c * matrix.rows + r)];
  return matrix;
}

/// By ascending score; of equals the later leaves first.
std::vector<std::size_t> order_of_leaving(std::span<const double> scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return scores[a] != scores[b] ? scores[a] < scores[b] : a > b;
  });
  return order;
}

std::size_t leaving(double level, std::size_t count) {
  return static_cast<std::size_t>(std::llround(level * static_cast<double>(count)));
}

/// Covariance of the inputs of one group: the Gram matrix without its last row, which is the mean.
std::vector<double> covariance(std::span<const double> gram, std::int64_t columns) {
  const auto size = static_cast<std::size_t>(columns);
  std::vector<double> result(size * size);
  for (std::size_t r = 0; r < size; ++r)
    for (std::size_t c = 0; c < size; ++c)
      result[r * size + c] =
          gram[r * (size + 1) + c] - gram[r * (size + 1) + size] * gram[c * (size + 1) + size];
  return result;
}

/// Sum over rows of e C e^T.
double energy(std::span<const double> rows, std::int64_t row_count, std::int64_t columns,
              std::span<const double> matrix) {
  std::vector<double> product(rows.size());
  const auto n = static_cast<blasint>(columns);
  cblas_dsymm(CblasRowMajor, CblasRight, CblasUpper, static_cast<blasint>(row_count), n, 1.0,
              matrix.data(), n, rows.data(), n, 0.0, product.data(), n);
  return std::inner_product(rows.begin(), rows.end(), product.begin(), 0.0);
}

Sensitivity from_gram(const Graph& graph, std::uint32_t node, std::span<const double> gram,
                      std::int64_t groups, std::span<const double> levels) {
  const Matrix weights = matrix_of(graph, node);
  const std::int64_t rows = weights.rows / groups, columns = weights.columns;
  const auto block = static_cast<std::size_t>(rows * columns);
  std::vector<std::vector<double>> covariances;
  std::vector<double> scores(weights.elements.size());
  double whole = 0;
  for (std::int64_t g = 0; g < groups; ++g) {
    const auto gram_size = static_cast<std::size_t>((columns + 1) * (columns + 1));
    covariances.push_back(
        covariance(gram.subspan(static_cast<std::size_t>(g) * gram_size, gram_size), columns));
    const std::size_t first = static_cast<std::size_t>(g) * block;
    for (std::size_t i = 0; i < block; ++i) {
      const auto c = i % static_cast<std::size_t>(columns);
      const double variance = covariances.back()[c * static_cast<std::size_t>(columns) + c];
      scores[first + i] =
          std::abs(weights.elements[first + i]) * std::sqrt(std::max(variance, 0.0));
    }
    whole += energy(std::span(weights.elements).subspan(first, block), rows, columns,
                    covariances.back());
  }
  Sensitivity result;
  if (!(whole > 0)) {
    result.problem = "its output is the same for all samples";
    return result;
  }
  const std::vector<std::size_t> order = order_of_leaving(scores);
  for (const double level : levels) {
    std::vector<double> gone(weights.elements.size(), 0.0);
    for (std::size_t i = 0; i < leaving(level, order.size()); ++i)
      gone[order[i]] = weights.elements[order[i]];
    double lost = 0;
    for (std::int64_t g = 0; g < groups; ++g)
      lost += energy(std::span(gone).subspan(static_cast<std::size_t>(g) * block, block), rows,
                     columns, covariances[static_cast<std::size_t>(g)]);
    result.errors.push_back(std::max(lost / whole, 0.0));
  }
  return result;
}

}  // namespace

Sensitivity data_free_sensitivity(const Graph& graph, std::uint32_t node,
                                  std::span<const double> levels) {
  std::vector<double> squares;
  for (const float weight : to_f32(*graph.value(weight_of(graph, graph.nodes[node])).constant))
    squares.push_back(static_cast<double>(weight) * static_cast<double>(weight));
  const double whole = std::accumulate(squares.begin(), squares.end(), 0.0);
  Sensitivity result;
  if (!(whole > 0)) {
    result.problem = "all of its weights are zero";
    return result;
  }
  std::ranges::sort(squares);
  for (const double level : levels) {
    const auto end = squares.begin() + static_cast<std::ptrdiff_t>(leaving(level, squares.size()));
    result.errors.push_back(std::accumulate(squares.begin(), end, 0.0) / whole);
  }
  return result;
}

std::vector<Sensitivity> calibrated_sensitivities(const Graph& graph,
                                                  std::span<const std::uint32_t> nodes,
                                                  std::span<const double> levels,
                                                  const SensitivitySamples& samples,
                                                  const std::function<void(double)>& progress) {
  Collector collector(graph, samples.samples, samples.indices, samples.make_runner, samples.threads,
                      {});
  std::vector<Sensitivity> results(nodes.size());
  std::vector<adze_stat_request> requests;
  std::vector<std::size_t> places;  // in `nodes`, of the requests
  double bytes = 0;
  const auto collect = [&] {
    if (requests.empty()) return;
    progress(static_cast<double>(places.front()) / static_cast<double>(nodes.size()));
    const std::vector<Statistic> found = collector.collect(requests, nullptr, 0);
    const SingleThreadedOpenBlas of_the_process;
    const SingleThreadedOpenMp of_this_thread;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const Tensor& gram = *found[i].data;
      results[places[i]] =
          from_gram(graph, nodes[places[i]], gram.as<double>(), gram.shape()[0], levels);
    }
    requests.clear();
    places.clear();
    bytes = 0;
  };
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    adze_stat_request request{};
    request.struct_size = sizeof request;
    request.kind = ADZE_STAT_GRAM;
    request.node = nodes[i];
    request.value = kNone;
    double own = 0;
    try {
      const Unfold unfold(graph, nodes[i]);
      own = static_cast<double>(unfold.rows()) * static_cast<double>(unfold.rows()) *
            static_cast<double>(unfold.groups()) * sizeof(double);
    } catch (const Error& error) {
      results[i].problem = error.what();
      continue;
    }
    if (own > kMostGramBytes) {
      results[i].problem = fmt::format("its statistics would take {:.0f} MB", own / 1e6);
      continue;
    }
    if (bytes + own > kMostGramBytes) collect();
    bytes += own;
    requests.push_back(request);
    places.push_back(i);
  }
  collect();
  return results;
}

}  // namespace adze::host
