#include "plugins/reconstruct/tuning.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

#include "plugins/reconstruct/block.hpp"
#include "plugins/reconstruct/network.hpp"
#include "plugins/reconstruct/tuning_samples.hpp"

namespace reconstruct {
namespace {

constexpr std::int64_t kPart = 16;  ///< samples that one thread works on
constexpr std::int64_t kBatch = 32;
constexpr double kMostSteps = 1000, kFewestSteps = 100;
constexpr std::int64_t kHeldOut = 8;  ///< of so many samples one judges
/// Largest step, in relation to the size of a layer's weights.
constexpr double kRate = 0.015;
/// Steps until it is reached: the first ones know little of how far they may go.
constexpr double kWarmUp = 20;
/// What the model's outputs weigh beside a block's: they are what the user sees.
constexpr double kOutputs = 30;
constexpr double kFirstMoment = 0.9, kSecondMoment = 0.999, kTiny = 1e-8;
constexpr double kMostBytes = 1e9;  ///< of samples, and of activations

/// A value that is compared with what it was.
struct Compared {
  std::uint32_t value = 0;
  double weight = 1;
  double power = 0;  ///< of what it was, an element of it, around its mean
};

/// Forward twice, backward as much again.
double step_operations(double model_operations) {
  return 4 * model_operations * static_cast<double>(kBatch);
}

int steps_of(double model_operations, double most) {
  const double affordable = model_operations > 0 ? most / step_operations(model_operations) : 0;
  return affordable < kFewestSteps ? 0 : static_cast<int>(std::min(affordable, kMostSteps));
}

/// What the user sees of a model output: it, or what a Softmax that is not known here reads.
std::uint32_t answer_of(const adze_graph& graph, const Network& network, std::uint32_t output) {
  if (network.knows(output)) return output;
  const std::uint32_t producer = graph.values[output]->producer;
  if (producer == ADZE_NONE) return ADZE_NONE;
  const adze_node& node = *graph.nodes[producer];
  const std::string_view op = node.op;
  const bool is_softmax = op == "Softmax" || op == "LogSoftmax";
  return is_softmax && network.knows(node.inputs[0]) ? node.inputs[0] : ADZE_NONE;
}

class Tuner {
 public:
  Tuner(adze_call* call, std::span<Tunable> layers, const TuningOptions& options,
        const pruning::ForEach& for_each)
      : call_(call),
        layers_(layers),
        for_each_(for_each),
        network_(*call->graph),
        random_(call->seed) {
    const adze_graph& graph = *call->graph;
    std::vector<std::uint32_t> values, tuned;
    for (const Tunable& layer : layers) {
      if (layer.may_change) {
        tuned.push_back(layer.layer->weight);
        if (!layer.bias.empty()) tuned.push_back(layer.layer->bias);
      }
      if (layer.is_dense) continue;
      const BlockOutput block = block_output_of(graph, layer.layer->node);
      const std::uint32_t activation = activation_of(graph, block.value);
      for (const std::uint32_t value : {activation, block.value}) {
        if (value == ADZE_NONE || !network_.knows(value)) continue;
        if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
        break;
      }
    }
    std::vector<std::uint32_t> answers;
    for (std::uint32_t i = 0; i < graph.output_count; ++i) {
      const std::uint32_t answer = answer_of(graph, network_, graph.outputs[i]);
      if (answer == ADZE_NONE) continue;
      answers.push_back(answer);
      if (std::find(values.begin(), values.end(), answer) == values.end()) values.push_back(answer);
    }
    network_.restrict_to(values, tuned);
    for (const std::uint32_t value : values) {
      const bool is_answer = std::find(answers.begin(), answers.end(), value) != answers.end();
      compared_.push_back({.value = value, .weight = is_answer ? kOutputs : 1.0});
    }
    count_ = static_cast<std::int64_t>(options.samples);
    held_out_ = count_ / kHeldOut;
    if (held_out_ >= kPart) steps_ = steps_of(network_.operations(), options.operations);
    double elements = network_.activation_elements() * static_cast<double>(3 * kBatch);
    for (const std::uint32_t input : network_.inputs())
      elements += static_cast<double>(count_ * network_.extent(input).size());
    if (4 * elements > kMostBytes) steps_ = 0;
  }

  Tuned run(const std::function<void(double)>& progress) {
    if (steps_ == 0) return {};
    set_up();
    Tuned tuned{.steps = steps_, .error_before = error_on_held_out(), .error_after = 0};
    for (int number = 0; number < steps_; ++number) {
      progress(static_cast<double>(number) / steps_);
      step(number);
    }
    tuned.error_after = error_on_held_out();
    if (!tuned.accepted()) return tuned;
    for (Tunable& layer : layers_) {
      if (!layer.may_change || now_[layer.layer->weight].empty()) continue;
      layer.weights = network_.stored(layer.layer->weight, now_[layer.layer->weight]);
      if (!layer.bias.empty()) layer.bias = now_[layer.layer->bias];
    }
    return tuned;
  }

 private:
  /// What is changed: a weight or a bias.
  struct Parameter {
    std::uint32_t value = 0;
    std::vector<std::uint8_t> keep;    ///< empty: all
    std::vector<float> first, second;  ///< moments of the gradient
    double size = 0;
  };

  void set_up() {
    samples_ = TuningSamples(call_, network_, count_);
    before_.resize(call_->graph->value_count);
    for (const std::uint32_t value : network_.parameters())
      before_[value] =
          network_.ordered<float>(value, adze::f32(call_->graph->values[value]->constant));
    now_ = before_;
    for (const Tunable& layer : layers_) {
      const std::uint32_t weight = layer.layer->weight, bias = layer.layer->bias;
      if (before_[weight].empty()) continue;  // of no value that is compared
      now_[weight] = network_.ordered<float>(weight, layer.weights);
      if (!layer.bias.empty()) now_[bias] = layer.bias;
      if (!layer.may_change) continue;
      parameters_.push_back(
          {.value = weight, .keep = network_.ordered<std::uint8_t>(weight, layer.keep)});
      if (!layer.bias.empty()) parameters_.push_back({.value = bias});
    }
    for (Parameter& parameter : parameters_) {
      const auto& elements = now_[parameter.value];
      parameter.first.resize(elements.size());
      parameter.second.resize(elements.size());
      double sum = 0, count = 0;
      for (std::size_t i = 0; i < elements.size(); ++i) {
        sum += static_cast<double>(elements[i]) * static_cast<double>(elements[i]);
        count += parameter.keep.empty() || parameter.keep[i];
      }
      parameter.size = std::sqrt(sum / std::max(count, 1.0));
    }
    for (std::int64_t part = 0; part < (kBatch + kPart - 1) / kPart; ++part) {
      dense_work_.push_back(network_.workspace(kPart, false));
      work_.push_back(network_.workspace(kPart, true));
      for (const Parameter& parameter : parameters_)
        work_.back().parameter_gradients[parameter.value].resize(now_[parameter.value].size());
    }
    find_powers();
  }

  /// Of the values compared, on the first samples.
  void find_powers() {
    const std::int64_t count = std::min(kPart * std::ssize(work_), count_ - held_out_);
    std::vector<std::vector<double>> sums(dense_work_.size());
    for_parts(plain(0, count), [&](std::size_t part, std::int64_t samples) {
      network_.forward(samples, before_, dense_work_[part]);
      for (const Compared& compared : compared_) {
        double sum = 0, squares = 0;
        const std::int64_t size = samples * network_.extent(compared.value).size();
        for (std::int64_t i = 0; i < size; ++i) {
          const auto x = static_cast<double>(
              dense_work_[part].values[compared.value][static_cast<std::size_t>(i)]);
          sum += x;
          squares += x * x;
        }
        sums[part].insert(sums[part].end(), {sum, squares});
      }
    });
    for (std::size_t i = 0; i < compared_.size(); ++i) {
      double sum = 0, squares = 0;
      for (const auto& part : sums)
        if (!part.empty()) sum += part[2 * i], squares += part[2 * i + 1];
      const double elements =
          static_cast<double>(count * network_.extent(compared_[i].value).size());
      compared_[i].power = squares / elements - (sum / elements) * (sum / elements);
    }
    std::erase_if(compared_, [](const Compared& one) { return !(one.power > 1e-12); });
  }

  static std::vector<View> plain(std::int64_t first, std::int64_t last) {
    std::vector<View> views;
    for (std::int64_t i = first; i < last; ++i)
      views.push_back({.first = {.index = i}, .second = {}});
    return views;
  }

  /// body(part, samples in it) with the inputs of these views in both work spaces.
  template <class Body>
  void for_parts(const std::vector<View>& views, const Body& body) {
    const std::int64_t count = std::ssize(views);
    for_each_(static_cast<std::uint64_t>((count + kPart - 1) / kPart), [&](std::uint64_t part) {
      const auto first = static_cast<std::int64_t>(part) * kPart;
      const std::int64_t samples = std::min(kPart, count - first);
      for (const std::uint32_t input : network_.inputs()) {
        const Extent& extent = network_.extent(input);
        for (std::int64_t i = 0; i < samples; ++i)
          samples_.place(input, extent, views[static_cast<std::size_t>(first + i)],
                         dense_work_[part].values[input].data() + i * extent.size());
        work_[part].values[input] = dense_work_[part].values[input];
      }
      body(part, samples);
    });
  }

  double error_on_held_out() {
    double error = 0;
    for (std::int64_t first = count_ - held_out_; first < count_; first += kBatch) {
      const std::vector<View> views = plain(first, std::min(first + kBatch, count_));
      error += compare(views, false) * static_cast<double>(views.size());
    }
    return error / static_cast<double>(held_out_);
  }

  /// The error on these views, its gradients in the work spaces with `differentiates`.
  double compare(const std::vector<View>& views, bool differentiates) {
    std::vector<double> errors(dense_work_.size(), 0);
    const auto all = static_cast<double>(views.size());
    for_parts(views, [&](std::size_t part, std::int64_t samples) {
      Workspace& work = work_[part];
      Workspace& dense = dense_work_[part];
      network_.forward(samples, before_, dense);
      network_.forward(samples, now_, work);
      if (differentiates) network_.clear_gradients(work);
      for (const Compared& one : compared_) {
        const std::int64_t size = network_.extent(one.value).size();
        const float* y = dense.values[one.value].data();
        const float* z = work.values[one.value].data();
        float* gradient = differentiates && !work.gradients[one.value].empty()
                              ? work.gradients[one.value].data()
                              : nullptr;
        errors[part] +=
            squares(one, y, z, samples * size, all * static_cast<double>(size), gradient);
      }
      if (differentiates) network_.backward(samples, now_, work);
    });
    double error = 0;
    for (const double part : errors) error += part;
    return error;
  }

  /// Of `count` elements of the `all` that the error is a mean of; adds to `gradient`.
  static double squares(const Compared& one, const float* y, const float* z, std::int64_t count,
                        double all, float* gradient) {
    const double scale = one.weight / (one.power * all);
    const auto slope = static_cast<float>(2 * scale);
    double sum = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const float difference = z[i] - y[i];
      sum += static_cast<double>(difference) * static_cast<double>(difference);
      if (gradient) gradient[i] += slope * difference;
    }
    return scale * sum;
  }

  std::vector<View> draw() {
    const std::int64_t count = count_ - held_out_;
    std::vector<View> batch;
    while (std::ssize(batch) < kBatch) {
      if (order_.empty()) {
        for (std::int64_t i = 0; i < count; ++i) order_.push_back(i);
        for (std::int64_t i = count - 1; i > 0; --i)
          std::swap(order_[static_cast<std::size_t>(i)],
                    order_[static_cast<std::size_t>(random_.below(i + 1))]);
      }
      batch.push_back(varied(order_.back(), count, random_));
      order_.pop_back();
    }
    return batch;
  }

  /// Steps become smaller towards the last.
  void step(int number) {
    compare(draw(), true);
    const double rate = kRate * 0.5 * (1 + std::cos(std::numbers::pi * number / steps_)) *
                        std::min(1.0, (number + 1) / (kWarmUp + 1));
    const double correct_first = 1 - std::pow(kFirstMoment, number + 1);
    const double correct_second = 1 - std::pow(kSecondMoment, number + 1);
    for (Parameter& parameter : parameters_) {
      auto& elements = now_[parameter.value];
      for (std::size_t i = 0; i < elements.size(); ++i) {
        if (!parameter.keep.empty() && !parameter.keep[i]) continue;
        double gradient = 0;
        for (const Workspace& work : work_)
          gradient += static_cast<double>(work.parameter_gradients[parameter.value][i]);
        const double first =
            kFirstMoment * static_cast<double>(parameter.first[i]) + (1 - kFirstMoment) * gradient;
        const double second = kSecondMoment * static_cast<double>(parameter.second[i]) +
                              (1 - kSecondMoment) * gradient * gradient;
        parameter.first[i] = static_cast<float>(first);
        parameter.second[i] = static_cast<float>(second);
        elements[i] -= static_cast<float>(rate * parameter.size * (first / correct_first) /
                                          (std::sqrt(second / correct_second) + kTiny));
      }
    }
  }

  adze_call* call_;
  std::span<Tunable> layers_;
  const pruning::ForEach& for_each_;
  Network network_;
  Random random_;
  std::vector<Compared> compared_;
  std::int64_t count_ = 0, held_out_ = 0;
  int steps_ = 0;
  TuningSamples samples_;
  ByValue before_, now_;
  std::vector<Parameter> parameters_;
  std::vector<Workspace> dense_work_, work_;  ///< one a part of a batch
  std::vector<std::int64_t> order_;
};

}  // namespace

double tuning_operations(double model_operations, double most) {
  return steps_of(model_operations, most) * step_operations(model_operations);
}

Tuned tune(adze_call* call, std::span<Tunable> layers, const TuningOptions& options,
           const pruning::ForEach& for_each, const std::function<void(double)>& progress) {
  return Tuner(call, layers, options, for_each).run(progress);
}

}  // namespace reconstruct
