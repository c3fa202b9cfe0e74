// Layer errors and speed of adze.prune.reconstruct.
//
//   adze_bench_pruning errors         the 3x3 layers of the residual fixture against other methods
//   adze_bench_pruning speed [N [D]]  layers of ResNet-50's shapes, those with at most D inputs, on
//                                     N threads beside OpenBLAS; rates are of processor time
//
// The errors are those of the fixture's own Gram matrices over 512 training images; the speed is of
// random ones, since it does not depend on the numbers.
#include <adze/ext/calibration.h>
#include <cblas.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <random>
#include <string>

#include "host/abi/parallel.hpp"
#include "host/calibrate/calibration.hpp"
#include "host/dataset/dataset.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"
#include "plugins/pruning/mask.hpp"
#include "plugins/pruning/statistics.hpp"
#include "plugins/reconstruct/prune_layer.hpp"
#include "plugins/reconstruct/sweep.hpp"
#include "tests/unit/reconstruct/exact_obs.hpp"

namespace {

using namespace reconstruct;
using adze::host::ThreadPool;

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double processor_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

ForEach on(ThreadPool& pool) {
  return [&pool](std::uint64_t count, const std::function<void(std::uint64_t)>& body) {
    pool.for_each(
        count,
        [&](std::uint64_t i) {
          const pruning::OneBlasThread one;
          body(i);
        },
        [] { return false; });
  };
}

/// The 3x3 layers of the residual fixture but the first, with their moments.
std::vector<std::pair<Layer, std::vector<RefitProblem>>> layers_of_fixture() {
  using namespace adze::host;
  Graph graph = load_model(ADZE_FIXTURE_MODELS "/fmnist_resnet10.onnx");
  simplify(graph);
  DataSpec spec;
  spec.source = "idx";
  spec.images = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz";
  spec.preprocess.scale = 1 / 255.0;
  spec.preprocess.mean = {0.2860};
  spec.preprocess.std = {0.3530};
  const auto data = open_dataset(spec, input_specs(graph));
  const Registry registry;
  const Component backend = registry.find("adze.cpu");
  const CallOptions options{.threads = 2};
  Calibration calibration(graph, *data, sample_indices(data->size(), 512, 1), backend, options);
  Call call(backend, {}, options);
  const View view(graph);
  call.show(view);
  call.offer(calibration);
  std::vector<std::pair<Layer, std::vector<RefitProblem>>> found;
  for (std::uint32_t node = 0; node < view.graph()->node_count; ++node) {
    const auto layer = adze::weight_of(*view.graph(), *view.graph()->nodes[node]) == ADZE_NONE
                           ? std::nullopt
                           : pruning::layer_of(*view.graph(), node);
    if (!layer || layer->positions != 9 || layer->columns == 9) continue;
    pruning::MomentsRequest request;
    request.layer = &*layer;
    found.emplace_back(*layer, pruning::collect_moments(call.get(), {&request, 1})[0].groups);
  }
  return found;
}

/// Error against the Gram matrix alone, as all methods minimize it: the bias stays.
void errors() {
  ThreadPool pool(2);
  const ForEach threads = on(pool);
  fmt::print(
      "| zeros | layer | inputs | ADMM / ExactOBS | sweep / ADMM | sweep + refit / ADMM | "
      "magnitude + refit / ADMM |\n|---|---|---:|---:|---:|---:|---:|\n");
  auto layers = layers_of_fixture();
  for (const double sparsity : {0.7, 0.9}) {
    double log_sums[4] = {};
    double worst = 0;
    int number = 0;
    for (auto& [layer, problems] : layers) {
      const Goal goal{.sparsity = sparsity};
      const LayerOptions options;
      const PrunedLayer best = prune_layer(layer, problems, goal, {}, {}, options, threads);
      const Quadratic problem = quadratic_of(problems, options.damping);
      const auto centred = [&](const RowMatrix& weights) {
        const RowMatrix change = weights - problem.dense;
        return (change * problem.gram[0]).cwiseProduct(change).sum();
      };
      std::vector<double> magnitudes;
      for (Eigen::Index i = 0; i < problem.dense.size(); ++i)
        magnitudes.push_back(std::abs(problem.dense.data()[i]));
      const Swept swept = sweep(problem, layer, goal, threads);
      const RowMatrix best_weights = best.weights.leftCols(layer.columns);
      const RowMatrix obs_weights =
          refit_mask(problems, exact_obs::find_mask(problem.gram[0], problem.dense, sparsity),
                     options.damping, threads)
              .leftCols(layer.columns);
      const double own = centred(best_weights);
      const auto of_mask = [&](const std::vector<std::uint8_t>& keep) {
        return centred(
            refit_mask(problems, keep, options.damping, threads).leftCols(layer.columns));
      };
      const double ratios[] = {own / centred(obs_weights), centred(swept.weights) / own,
                               of_mask(swept.keep) / own,
                               of_mask(pruning::choose_mask(layer, goal, magnitudes, {})) / own};
      fmt::print("| {:.0f} % | {} | {} | {:.3f} | {:.2f} | {:.2f} | {:.2f} |\n", 100 * sparsity,
                 ++number, layer.columns, ratios[0], ratios[1], ratios[2], ratios[3]);
      std::fflush(stdout);
      for (int i = 0; i < 4; ++i) log_sums[i] += std::log(ratios[i]);
      worst = std::max(worst, ratios[0]);
    }
    const auto mean = [&](int i) {
      return std::exp(log_sums[i] / static_cast<double>(layers.size()));
    };
    fmt::print(
        "| {:.0f} % | geometric mean (worst) | | {:.3f} ({:.3f}) | {:.2f} | {:.2f} | "
        "{:.2f} |\n",
        100 * sparsity, mean(0), worst, mean(1), mean(2), mean(3));
  }
}

struct Shape {
  std::int64_t rows, channels, positions;
  int count;
};

/// Operations of one search and refit, from what was done.
double operations_of(const Shape& shape, const PrunedLayer& pruned) {
  const auto rows = static_cast<double>(shape.rows);
  const auto size = static_cast<double>(shape.channels * shape.positions);
  double refit = 0;
  for (std::int64_t row = 0; row < shape.rows; ++row) {
    const auto first = pruned.keep.begin() + row * shape.channels * shape.positions;
    const auto kept = static_cast<double>(
        std::count(first, first + static_cast<std::ptrdiff_t>(size), std::uint8_t{1}));
    refit += kept * kept * kept / 3;
  }
  return 2 * pruned.iterations * rows * size * size +
         pruned.factorizations * size * size * size / 3 + refit;
}

/// Double-precision GEMM of a layer's sizes, a part of the rows a thread.
double gemm_rate(const Shape& shape, unsigned threads, const ForEach& for_each) {
  const int rows = static_cast<int>(shape.rows / threads);
  const int size = static_cast<int>(shape.channels * shape.positions);
  const Eigen::MatrixXd a = Eigen::MatrixXd::Random(size, rows * static_cast<int>(threads));
  const Eigen::MatrixXd b = Eigen::MatrixXd::Random(size, size);
  Eigen::MatrixXd c(size, a.cols());
  const double once = 2.0 * static_cast<double>(a.cols()) * size * size;
  const int repeats = std::max(1, static_cast<int>(4e9 / once));
  const double started = processor_s();
  for (int i = 0; i < repeats; ++i)
    for_each(threads, [&](std::uint64_t part) {
      cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, size, rows, size, 1, b.data(), size,
                  &a(0, static_cast<Eigen::Index>(part) * rows), size, 0,
                  &c(0, static_cast<Eigen::Index>(part) * rows), size);
    });
  return once * repeats / (processor_s() - started);
}

void speed(unsigned thread_count, std::int64_t most_inputs) {
  ThreadPool pool(thread_count);
  const ForEach threads = on(pool);
  const Shape shapes[] = {
      {64, 64, 1, 1},   {64, 64, 9, 3},    {256, 64, 1, 4},    {64, 256, 1, 2},   {128, 256, 1, 1},
      {128, 128, 9, 4}, {512, 128, 1, 4},  {512, 256, 1, 1},   {128, 512, 1, 3},  {256, 512, 1, 1},
      {256, 256, 9, 6}, {1024, 256, 1, 6}, {1024, 512, 1, 1},  {256, 1024, 1, 5}, {512, 1024, 1, 1},
      {512, 512, 9, 3}, {2048, 512, 1, 3}, {2048, 1024, 1, 1}, {512, 2048, 1, 2}};
  fmt::print(
      "| outputs x inputs | layers | iterations, factorizations | s a layer (processor) | "
      "GFLOP/s a processor | dgemm | share |\n|---|---:|---:|---:|---:|---:|---:|\n");
  double all_operations = 0, all_seconds = 0, all_processor = 0, all_gemm_seconds = 0;
  int layers = 0;
  for (const Shape& shape : shapes) {
    if (shape.channels * shape.positions > most_inputs) continue;
    layers += shape.count;
    Layer layer;
    layer.rows = shape.rows;
    layer.columns = shape.channels * shape.positions;
    layer.positions = shape.positions;
    layer = layer.by_rows();
    std::srand(1);
    std::vector<RefitProblem> problems(1);
    RefitProblem& problem = problems[0];
    const Eigen::Index size = layer.columns;
    // Neighbours are alike, as in images, and a few directions hold most of the power.
    const Eigen::MatrixXd mix = Eigen::MatrixXd::Random(size, std::min<Eigen::Index>(size, 256));
    problem.gram = Eigen::MatrixXd::Zero(size + 1, size + 1);
    problem.gram.topLeftCorner(size, size).noalias() =
        mix * mix.transpose() / static_cast<double>(mix.cols());
    problem.gram.diagonal().array() += 0.05;
    problem.gram(size, size) = 1;
    problem.dense = RowMatrix::Random(shape.rows, size + 1);
    problem.answers = problem.dense * problem.gram;
    const double rate = gemm_rate(shape, thread_count, threads);
    const double started = now_s(), processor = processor_s();
    const PrunedLayer pruned = prune_layer(layer, problems, {.sparsity = 0.7}, {}, {}, {}, threads);
    const double seconds = now_s() - started, busy = processor_s() - processor;
    const double operations = operations_of(shape, pruned);
    fmt::print("| {} x {} | {} | {}, {} | {:.2f} ({:.2f}) | {:.0f} | {:.0f} | {:.0f} % |\n",
               shape.rows, size, shape.count, pruned.iterations, pruned.factorizations, seconds,
               busy, operations / busy * 1e-9, rate * 1e-9, 100 * operations / busy / rate);
    std::fflush(stdout);
    all_operations += shape.count * operations;
    all_seconds += shape.count * seconds;
    all_processor += shape.count * busy;
    all_gemm_seconds += shape.count * operations / rate;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "| all | {} | | {:.0f} ({:.0f}) | {:.0f} | {:.0f} | {:.0f} % |\n\nPeak memory: {} MB\n",
      layers, all_seconds, all_processor, all_operations / all_processor * 1e-9,
      all_operations / all_gemm_seconds * 1e-9, 100 * all_gemm_seconds / all_processor,
      usage.ru_maxrss / 1024);
}

}  // namespace

int main(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  if (what == "errors")
    errors();
  else if (what == "speed")
    speed(count > 2 ? static_cast<unsigned>(std::max(1, std::atoi(arguments[2]))) : 2,
          count > 3 ? std::atoll(arguments[3]) : 1 << 20);
  else {
    fmt::print(stderr, "usage: adze_bench_pruning errors | speed [threads [inputs]]\n");
    return 2;
  }
  return 0;
}
