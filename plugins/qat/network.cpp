#include "plugins/qat/network.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/nll_loss.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sum.h>

#include <algorithm>
#include <map>
#include <utility>

#include "plugins/qat/fake_quant.hpp"
#include "plugins/qat/operators.hpp"
#include "plugins/qat/rounding.hpp"

namespace qat {
namespace {

at::Tensor tensor_of(const adze_tensor& shown) {
  const std::vector<std::int64_t> shape(shown.shape, shown.shape + shown.ndim);
  if (shown.code != ADZE_FLOAT || shown.bits != 32)
    throw adze::Error(ADZE_UNIMPLEMENTED,
                      "cannot train with inputs or outputs that are not float32");
  void* data = const_cast<char*>(static_cast<const char*>(shown.data) + shown.byte_offset);
  return at::from_blob(data, shape);
}

at::Tensor channels_last(const at::Tensor& x) {
  return x.dim() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

}  // namespace

struct Network::Impl {
  struct Step {
    const adze_node* node;
    Operator compute;
  };

  const adze_graph& graph;
  NetworkOptions options;
  std::vector<Step> steps;
  std::vector<at::Tensor> constants;  ///< by value; undefined: computed
  std::vector<at::Tensor> untrained;  ///< the constants as they came
  std::vector<Parameter> parameters;
  std::vector<at::Tensor> leaves, gradients;  ///< by parameter; undefined for ranges
  Grids grids;
  std::map<std::uint32_t, at::Tensor> log_scales;  ///< of a value with a grid of its own
  std::vector<std::uint32_t> reads_left;           ///< by value; of one pass
  std::uint32_t logits = ADZE_NONE;                ///< what the first output is the Softmax of
  bool rounds = false;

  Impl(const adze_graph& shown, const NetworkOptions& wanted)
      : graph(shown), options(wanted), grids(shown, wanted.plan, wanted.grids) {
    constants.resize(graph.value_count);
    for (std::uint32_t i = 0; i < graph.node_count; ++i)
      steps.push_back({graph.nodes[i], make_operator(graph, *graph.nodes[i])});
    for (std::uint32_t value = 0; value < graph.value_count; ++value) {
      const adze_tensor* constant = graph.values[value]->constant;
      if (constant && constant->code == ADZE_FLOAT && constant->bits == 32)
        constants[value] = tensor_of(*constant).clone();
    }
    untrained = constants;
    for (std::uint32_t i = 0; i < graph.target_count; ++i)
      add_constants(*graph.nodes[graph.targets[i]]);
    add_grids();
    find_logits();
  }

  std::size_t add(Parameter::Kind kind, std::uint32_t value, at::Tensor leaf) {
    leaf.set_requires_grad(true);
    Parameter& made = parameters.emplace_back();
    made.kind = kind;
    made.value = value;
    made.elements = {leaf.data_ptr<float>(), static_cast<std::size_t>(leaf.numel())};
    leaves.push_back(std::move(leaf));
    return parameters.size() - 1;
  }

  void add_constants(const adze_node& node) {
    const std::string_view op = node.op;
    std::uint32_t last = 0;  // inputs 1 to this are trained
    if (op == "Conv" || op == "ConvTranspose" || op == "Gemm" || op == "BatchNormalization")
      last = 2;
    if (op == "LayerNormalization") last = 2;
    if (op == "MatMul" || op == "PRelu") last = 1;
    // A MatMul's other factor, an Add's constant (its bias in transformers) too.
    const std::uint32_t first = op == "MatMul" || op == "Add" || op == "Mul" ? 0 : 1;
    if (op == "Add" || op == "Mul") last = 1;
    for (std::uint32_t i = first; last && i <= last && i < node.input_count; ++i)
      add_constant(node.inputs[i],
                   op == "Conv" || op == "Gemm" || op == "MatMul" || op == "ConvTranspose");
  }

  void add_constant(std::uint32_t value, bool is_product) {
    if (value == ADZE_NONE || !constants[value].defined()) return;
    const adze_value& shown = *graph.values[value];
    for (std::uint64_t i = 0; i < shown.consumer_count; ++i)
      if (!std::binary_search(graph.targets, graph.targets + graph.target_count,
                              shown.consumers[i]))
        return;  // somebody else's too
    for (const Parameter& known : parameters)
      if (known.value == value) return;
    // A constant with a grid of its own, as that of an Add, stays as it is.
    if (options.plan &&
        std::count(options.plan->constants.begin(), options.plan->constants.end(), value))
      return;
    constants[value] = untrained[value].clone();
    Parameter& made = parameters[add(Parameter::Kind::constant, value, constants[value])];
    const bool is_weight = is_product && shown.rank >= 2;
    if (!shown.keep && !is_weight) return;
    made.keep.assign(made.elements.size(), 1);
    bool any = false;
    for (std::size_t i = 0; i < made.keep.size(); ++i) {
      const bool masked = shown.keep && !shown.keep[i];
      if (masked || (is_weight && made.elements[i] == 0)) made.keep[i] = 0, any = true;
    }
    if (!any) made.keep.clear();
  }

  at::Tensor add_log_scales(std::uint32_t value, std::vector<float>& logs, bool learned) {
    const at::Tensor made =
        at::from_blob(logs.data(), {static_cast<std::int64_t>(logs.size())}, at::kFloat);
    if (learned) add(Parameter::Kind::log_scale, value, made);
    return log_scales[value] = made;
  }

  void add_grids() {
    for (const std::uint32_t value : grids.own()) {
      ActivationGrid& grid = grids.activation(value);
      add_log_scales(value, grid.log_scale, options.grids.learned && !grid.is_constant);
      Parameter& range = parameters.emplace_back();
      range.kind = Parameter::Kind::range;
      range.value = value;
      range.elements = grid.range;
      leaves.emplace_back();
    }
    for (auto& [value, grid] : grids.weights())
      add_log_scales(value, grid.log_scales, options.grids.learned);
  }

  void find_logits() {
    const std::uint32_t output = graph.outputs[0];
    const std::uint32_t producer = graph.values[output]->producer;
    if (producer == ADZE_NONE) return;
    const adze_node& node = *graph.nodes[producer];
    if (std::string_view(node.op) == "Softmax" && !*node.domain) logits = node.inputs[0];
  }

  static std::span<const float> elements_of(const at::Tensor& tensor) {
    return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
  }
  std::span<const float> bias_of(const WeightGrid& grid) const {
    return grid.plan.bias == ADZE_NONE ? std::span<const float>()
                                       : elements_of(constants[grid.plan.bias]);
  }

  at::Tensor weight(std::uint32_t value, WeightGrid& grid) {
    const at::Tensor w = constants[value];
    if (!options.grids.learned) Grids::set_from_weights(grid, elements_of(w));
    return round_channels(w, log_scales.at(value), grid.channels);
  }

  enum class Use { learn, judge, observe, imitate };

  /// A Relu whose result goes onto a grid that begins at 0: rounding clips there, too, and their
  /// gradients are the same. Grids that follow ranges must see what the Relu makes of them.
  bool rounding_does_it(const adze_node& node, Use use) {
    if (!rounds || !options.grids.learned || (use != Use::learn && use != Use::judge)) return false;
    if (std::string_view(node.op) != "Relu" || *node.domain) return false;
    const ActivationGrid* grid = grids.of(node.outputs[0]);
    return grid && grid->low == 0;
  }

  at::Tensor rounded(std::uint32_t value, const at::Tensor& x, Use use) {
    const ActivationGrid* grid = grids.of(value);
    if (!grid || use == Use::imitate) return x;
    const std::uint32_t producer = graph.values[value]->producer;
    const bool has_it = producer != ADZE_NONE && !grids.is_rounded_itself(value) &&
                        only_moves(*graph.nodes[producer]);
    if (has_it) return x;
    if (use == Use::observe) {
      if (!graph.values[value]->constant) grids.observe(value, elements_of(dense(x)));
      return x;
    }
    if (!rounds) return x;
    if (use == Use::learn && !options.grids.learned) grids.follow(value, elements_of(dense(x)));
    return round_tensor(x, log_scales.at(grids.source_of(value)), grid->low, grid->high);
  }

  /// All values that are read after the pass: the outputs, and the logits.
  std::map<std::uint32_t, at::Tensor> forward(const adze_batch& batch, Use use) {
    std::vector<at::Tensor> values(graph.value_count);
    const std::vector<at::Tensor>& from = use == Use::imitate ? untrained : constants;
    for (std::uint32_t value = 0; value < graph.value_count; ++value) {
      if (!from[value].defined()) continue;
      const auto grid = grids.weights().find(value);
      const bool on_grid =
          rounds && grid != grids.weights().end() && use != Use::imitate && use != Use::observe;
      values[value] = on_grid ? weight(value, grid->second) : rounded(value, from[value], use);
    }
    for (std::uint32_t i = 0; i < graph.input_count; ++i)
      values[graph.inputs[i]] =
          rounded(graph.inputs[i], channels_last(tensor_of(*batch.inputs[i])), use);
    reads_left.assign(graph.value_count, 0);
    for (const Step& step : steps)
      for (std::uint32_t i = 0; i < step.node->input_count; ++i)
        if (step.node->inputs[i] != ADZE_NONE) ++reads_left[step.node->inputs[i]];
    std::map<std::uint32_t, at::Tensor> found;
    for (const Step& step : steps) {
      Tensors inputs;
      for (std::uint32_t i = 0; i < step.node->input_count; ++i) {
        const std::uint32_t input = step.node->inputs[i];
        inputs.push_back(input == ADZE_NONE ? at::Tensor() : values[input]);
        if (input != ADZE_NONE && --reads_left[input] == 0) values[input] = at::Tensor();
      }
      const Tensors outputs =
          rounding_does_it(*step.node, use) ? Tensors{inputs[0]} : compute(step, inputs);
      for (std::uint32_t i = 0; i < outputs.size() && i < step.node->output_count; ++i) {
        const std::uint32_t output = step.node->outputs[i];
        if (output == ADZE_NONE) continue;
        const at::Tensor made = rounded(output, outputs[i], use);
        if (output == logits || (graph.values[output]->flags & ADZE_VALUE_OUTPUT))
          found[output] = made;
        if (reads_left[output]) values[output] = made;
      }
    }
    for (std::uint32_t i = 0; i < graph.output_count;
         ++i)  // an input or a constant that is an output
      if (!found.contains(graph.outputs[i])) found[graph.outputs[i]] = values[graph.outputs[i]];
    return found;
  }

  static Tensors compute(const Step& step, const Tensors& inputs) {
    try {
      return step.compute(inputs);
    } catch (const adze::Error&) {
      throw;
    } catch (const std::exception& error) {
      const std::string_view text = error.what();
      throw adze::Error(ADZE_INTERNAL,
                        "node '" + std::string(step.node->name) + "' (" + step.node->op +
                            "): LibTorch: " + std::string(text.substr(0, text.find('\n'))));
    }
  }

  std::vector<at::Tensor> wanted_outputs(const adze_batch& batch,
                                         std::span<const adze_tensor* const> reference) {
    std::vector<at::Tensor> wanted;
    for (const adze_tensor* one : reference) wanted.push_back(tensor_of(*one));
    if (!wanted.empty()) return wanted;
    const at::NoGradGuard no_gradients;
    const auto found = forward(batch, Use::imitate);
    for (std::uint32_t i = 0; i < graph.output_count; ++i)
      wanted.push_back(found.at(graph.outputs[i]));
    return wanted;
  }

  /// Sample by row. Probabilities become logits, up to a constant that no softmax sees.
  at::Tensor rows(const at::Tensor& x, bool probabilities) const {
    const at::Tensor flat = x.reshape({x.size(0), -1});
    return probabilities ? at::log(flat + 1e-12) : flat;
  }

  /// Mean over the batch.
  at::Tensor loss_of(const std::map<std::uint32_t, at::Tensor>& found, const adze_batch& batch,
                     std::span<const adze_tensor* const> reference, const Loss& loss, Sums& sums) {
    at::Tensor total;
    const auto add = [&](const at::Tensor& term, double share) {
      total = total.defined() ? total + term * share : term * share;
    };
    const bool by_label = batch.labels && loss.labels > 0;
    if (batch.labels) {
      const at::Tensor x = rows(found.at(logits == ADZE_NONE ? graph.outputs[0] : logits), false);
      const at::Tensor labels = labels_of(batch, x);
      sums.right +=
          static_cast<std::uint64_t>(at::sum(x.detach().argmax(1) == labels).item<std::int64_t>());
      if (by_label) add(at::nll_loss(at::log_softmax(x, 1), labels), loss.labels);
    }
    if (loss.distillation > 0 || !by_label) {
      const double share = by_label ? loss.distillation : 1;
      const std::vector<at::Tensor> wanted = wanted_outputs(batch, reference);
      if (batch.labels) {
        const bool softmax = logits != ADZE_NONE;
        const at::Tensor teacher = at::log_softmax(rows(wanted[0], softmax) / loss.temperature, 1);
        const at::Tensor student = at::log_softmax(
            rows(found.at(softmax ? logits : graph.outputs[0]), false) / loss.temperature, 1);
        const at::Tensor divergence =
            at::sum(teacher.exp() * (teacher - student)) / static_cast<double>(batch.sample_count);
        add(divergence, share * loss.temperature * loss.temperature);
      } else {
        // Any task: the error of each output as a share of its variance.
        for (std::uint32_t i = 0; i < graph.output_count && i < wanted.size(); ++i) {
          const at::Tensor difference = found.at(graph.outputs[i]) - wanted[i];
          const at::Tensor spread = at::mean((wanted[i] - at::mean(wanted[i])).square()) + 1e-12;
          add(at::mean(difference.square()) / spread, share / graph.output_count);
        }
      }
    }
    sums.samples += batch.sample_count;
    const double mean = static_cast<double>(total.item<float>());
    sums.loss += mean * static_cast<double>(batch.sample_count);
    return total;
  }

  at::Tensor labels_of(const adze_batch& batch, const at::Tensor& x) const {
    const adze_tensor& shown = *batch.labels;
    auto* elements = reinterpret_cast<std::int64_t*>(
        const_cast<char*>(static_cast<const char*>(shown.data) + shown.byte_offset));
    for (std::uint64_t i = 0; i < batch.sample_count; ++i)
      if (elements[i] < 0 || elements[i] >= x.size(1))
        throw adze::Error(
            ADZE_INVALID_ARGUMENT,
            "a label is " + std::to_string(elements[i]) + ", but the first output '" +
                graph.values[graph.outputs[0]]->name + "' has " + std::to_string(x.size(1)) +
                " elements a sample: leave the labels out to imitate the float model");
    return at::from_blob(elements, {static_cast<std::int64_t>(batch.sample_count)}, at::kLong);
  }

  void take_gradients() {
    gradients.assign(leaves.size(), at::Tensor());
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      parameters[i].gradients = {};
      if (!leaves[i].defined() || !leaves[i].grad().defined()) continue;
      gradients[i] = leaves[i].grad().contiguous();
      leaves[i].mutable_grad().reset();
      parameters[i].gradients = {gradients[i].data_ptr<float>(), parameters[i].elements.size()};
    }
  }

  void start() {
    grids.start();
    for (auto& [value, grid] : grids.weights())
      Grids::set_from_weights(grid, elements_of(constants[value]));
    rounds = true;
  }
};

Network::Network(const adze_graph& graph, const NetworkOptions& options)
    : impl_(std::make_unique<Impl>(graph, options)) {}
Network::~Network() = default;

std::vector<Parameter>& Network::parameters() { return impl_->parameters; }

Sums Network::learn(const adze_batch& batch, std::span<const adze_tensor* const> reference,
                    const Loss& loss) {
  const at::AutoGradMode gradients(true);
  Sums sums;
  const at::Tensor total =
      impl_->loss_of(impl_->forward(batch, Impl::Use::learn), batch, reference, loss, sums);
  total.backward();
  impl_->take_gradients();
  return sums;
}

Sums Network::judge(const adze_batch& batch, std::span<const adze_tensor* const> reference,
                    const Loss& loss) {
  const at::NoGradGuard no_gradients;
  Sums sums;
  impl_->loss_of(impl_->forward(batch, Impl::Use::judge), batch, reference, loss, sums);
  return sums;
}

std::vector<std::vector<float>> Network::run(const adze_batch& batch) {
  const at::NoGradGuard no_gradients;
  const auto found = impl_->forward(batch, Impl::Use::judge);
  std::vector<std::vector<float>> outputs;
  for (std::uint32_t i = 0; i < impl_->graph.output_count; ++i) {
    const at::Tensor output = found.at(impl_->graph.outputs[i]).contiguous();
    outputs.emplace_back(output.data_ptr<float>(), output.data_ptr<float>() + output.numel());
  }
  return outputs;
}

void Network::observe(const adze_batch& batch) {
  const at::NoGradGuard no_gradients;
  impl_->forward(batch, Impl::Use::observe);
}

void Network::start_quantizing() { impl_->start(); }

void Network::continue_quantizing() {
  impl_->grids.resume();
  impl_->rounds = true;
}

bool Network::quantizes() const { return impl_->rounds; }

std::vector<Quantized> Network::quantized() const {
  if (!impl_->rounds) return {};
  std::vector<Quantized> all = impl_->grids.quantized_activations();
  for (auto& [value, grid] : impl_->grids.weights()) {
    if (!impl_->options.grids.learned)
      Grids::set_from_weights(grid, Impl::elements_of(impl_->constants[value]));
    all.push_back({.value = value,
                   .axis = grid.plan.axis,
                   .code = ADZE_INT,
                   .bits = 8,
                   .scales = impl_->grids.scales_of(grid, impl_->bias_of(grid)),
                   .zero_point = 0});
  }
  return all;
}

std::vector<float> Network::contents(const Parameter& parameter) const {
  std::vector<float> made(parameter.elements.begin(), parameter.elements.end());
  const auto found = impl_->grids.weights().find(parameter.value);
  if (!impl_->rounds || found == impl_->grids.weights().end()) return made;
  WeightGrid& grid = found->second;
  if (!impl_->options.grids.learned)
    Grids::set_from_weights(grid, Impl::elements_of(impl_->constants[parameter.value]));
  const std::vector<float> scales = impl_->grids.scales_of(grid, impl_->bias_of(grid));
  for_each_run(grid.channels, [&](std::int64_t c, std::int64_t first) {
    round_to_grid(made.data() + first, made.data() + first,
                  static_cast<std::size_t>(grid.channels.inner),
                  {scales[static_cast<std::size_t>(c)], -kLargestWeight, kLargestWeight});
  });
  return made;
}

ThreadCount::ThreadCount(std::uint32_t threads) : before_(at::get_num_threads()) {
  at::set_num_threads(static_cast<int>(threads));
}

ThreadCount::~ThreadCount() { at::set_num_threads(before_); }

}  // namespace qat
