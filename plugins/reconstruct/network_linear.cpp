// Conv, Gemm and MatMul as matrix products over unfolded inputs; depthwise convolutions directly.
#include <cblas.h>

#include <algorithm>

#include "plugins/reconstruct/network_operators.hpp"

namespace reconstruct {
namespace {

/// Rows of an unfolded input that are multiplied at once: they stay in the cache.
constexpr std::int64_t kRowsAtOnce = 1024;

blasint size_of(std::int64_t size) { return static_cast<blasint>(size); }

/// Weights: a row an output; in it the kernel's positions, channels fastest.
class Linear final : public Operator {
 public:
  Linear(const Extent& in, const Extent& out, const Window& window, std::int64_t groups)
      : in_(in), out_(out), window_(window), groups_(groups) {}

  double operations() const override {
    return 2 * static_cast<double>(out_.size()) * static_cast<double>(columns());
  }

  void forward(const Pass& pass) const override {
    const float* in = pass.work->values[inputs[0]].data();
    float* out = pass.work->values[output].data();
    const float* weight = (*pass.parameters)[parameters[0]].data();
    add_bias(pass, out);
    for_parts(pass.samples, [&](std::int64_t first, std::int64_t count) {
      for (std::int64_t group = 0; group < groups_; ++group) {
        std::int64_t stride = columns();
        const float* unfolded = unfold(in + first * in_.size(), count, group, *pass.work, stride);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, size_of(count * out_.positions()),
                    size_of(group_outputs()), size_of(columns()), 1, unfolded, size_of(stride),
                    weight + group * group_outputs() * columns(), size_of(columns()), 1,
                    out + first * out_.size() + group * group_outputs(), size_of(out_.channels));
      }
    });
  }

  void backward(const Pass& pass) const override {
    Workspace& work = *pass.work;
    const float* in = work.values[inputs[0]].data();
    const float* out_gradient = work.gradients[output].data();
    const float* weight = (*pass.parameters)[parameters[0]].data();
    float* in_gradient =
        work.gradients[inputs[0]].empty() ? nullptr : work.gradients[inputs[0]].data();
    auto& weight_gradient = work.parameter_gradients[parameters[0]];
    bias_gradient(pass, out_gradient);
    if (weight_gradient.empty() && !in_gradient) return;
    for_parts(pass.samples, [&](std::int64_t first, std::int64_t count) {
      const blasint rows = size_of(count * out_.positions());
      for (std::int64_t group = 0; group < groups_; ++group) {
        const float* wanted = out_gradient + first * out_.size() + group * group_outputs();
        const std::int64_t at = group * group_outputs() * columns();
        if (!weight_gradient.empty()) {
          std::int64_t stride = columns();
          const float* unfolded = unfold(in + first * in_.size(), count, group, work, stride);
          cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, size_of(group_outputs()),
                      size_of(columns()), rows, 1, wanted, size_of(out_.channels), unfolded,
                      size_of(stride), 1, weight_gradient.data() + at, size_of(columns()));
        }
        if (!in_gradient) continue;
        const bool direct = is_plain();
        float* to = direct ? in_gradient + first * in_.size() + group * group_inputs()
                           : room(work.other, count * out_.positions() * columns());
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, size_of(columns()),
                    size_of(group_outputs()), 1, wanted, size_of(out_.channels), weight + at,
                    size_of(columns()), direct ? 1.0f : 0.0f, to,
                    size_of(direct ? in_.channels : columns()));
        if (!direct) fold(to, count, group, in_gradient + first * in_.size());
      }
    });
  }

 private:
  std::int64_t group_inputs() const { return in_.channels / groups_; }
  std::int64_t group_outputs() const { return out_.channels / groups_; }
  std::int64_t columns() const { return window_.positions() * group_inputs(); }
  /// The input is its own unfolded form.
  bool is_plain() const {
    return window_.positions() == 1 && in_.positions() == out_.positions() && window_.top == 0 &&
           window_.left == 0;
  }
  /// Positions whose inputs lie side by side in memory when these positions do.
  std::int64_t run_length() const { return groups_ == 1 ? window_.width : 1; }
  static float* room(std::vector<float>& memory, std::int64_t size) {
    if (memory.size() < static_cast<std::size_t>(size))
      memory.resize(static_cast<std::size_t>(size));
    return memory.data();
  }

  template <class Body>
  void for_parts(std::int64_t samples, const Body& body) const {
    const std::int64_t most =
        is_plain() ? samples : std::max<std::int64_t>(1, kRowsAtOnce / out_.positions());
    for (std::int64_t first = 0; first < samples; first += most)
      body(first, std::min(most, samples - first));
  }

  void add_bias(const Pass& pass, float* out) const {
    const std::int64_t rows = pass.samples * out_.positions();
    if (parameters.size() < 2) {
      std::fill(out, out + rows * out_.channels, 0.0f);
      return;
    }
    const float* bias = (*pass.parameters)[parameters[1]].data();
    for (std::int64_t row = 0; row < rows; ++row)
      std::copy(bias, bias + out_.channels, out + row * out_.channels);
  }

  void bias_gradient(const Pass& pass, const float* out_gradient) const {
    if (parameters.size() < 2) return;
    auto& gradient = pass.work->parameter_gradients[parameters[1]];
    if (gradient.empty()) return;
    for (std::int64_t row = 0; row < pass.samples * out_.positions(); ++row)
      for (std::int64_t channel = 0; channel < out_.channels; ++channel)
        gradient[static_cast<std::size_t>(channel)] += out_gradient[row * out_.channels + channel];
  }

  const float* unfold(const float* in, std::int64_t count, std::int64_t group, Workspace& work,
                      std::int64_t& stride) const {
    if (is_plain()) {
      stride = in_.channels;
      return in + group * group_inputs();
    }
    float* to = room(work.unfolded, count * out_.positions() * columns());
    const std::int64_t width = group_inputs();
    for_each_run(window_, in_, out_, count, run_length(),
                 [&](std::int64_t row, std::int64_t tap, std::int64_t taps, std::int64_t from) {
                   float* place = to + row * columns() + tap * width;
                   if (from < 0)
                     std::fill(place, place + taps * width, 0.0f);
                   else
                     std::copy_n(in + from * in_.channels + group * width, taps * width, place);
                 });
    return to;
  }

  void fold(const float* unfolded, std::int64_t count, std::int64_t group, float* in) const {
    const std::int64_t width = group_inputs();
    for_each_run(window_, in_, out_, count, run_length(),
                 [&](std::int64_t row, std::int64_t tap, std::int64_t taps, std::int64_t from) {
                   if (from < 0) return;
                   const float* __restrict place = unfolded + row * columns() + tap * width;
                   float* __restrict to = in + from * in_.channels + group * width;
                   for (std::int64_t i = 0; i < taps * width; ++i) to[i] += place[i];
                 });
  }

  Extent in_, out_;
  Window window_;
  std::int64_t groups_;
};

/// One input channel an output. Weights: the kernel's positions, channels fastest.
class Depthwise final : public Operator {
 public:
  Depthwise(const Extent& in, const Extent& out, const Window& window)
      : in_(in), out_(out), window_(window) {}

  double operations() const override {
    return 2 * static_cast<double>(out_.size() * window_.positions());
  }

  void forward(const Pass& pass) const override {
    const float* in = pass.work->values[inputs[0]].data();
    float* out = pass.work->values[output].data();
    const float* weight = (*pass.parameters)[parameters[0]].data();
    const std::int64_t channels = out_.channels;
    for (std::int64_t row = 0; row < pass.samples * out_.positions(); ++row)
      for (std::int64_t c = 0; c < channels; ++c)
        out[row * channels + c] =
            parameters.size() > 1 ? (*pass.parameters)[parameters[1]][static_cast<std::size_t>(c)]
                                  : 0.0f;
    for_each_tap(window_, in_, out_, pass.samples,
                 [&](std::int64_t row, std::int64_t tap, std::int64_t from) {
                   if (from < 0) return;
                   float* __restrict to = out + row * channels;
                   const float* __restrict x = in + from * channels;
                   const float* __restrict w = weight + tap * channels;
                   for (std::int64_t c = 0; c < channels; ++c) to[c] += x[c] * w[c];
                 });
  }

  void backward(const Pass& pass) const override {
    Workspace& work = *pass.work;
    const float* in = work.values[inputs[0]].data();
    const float* out_gradient = work.gradients[output].data();
    const float* weight = (*pass.parameters)[parameters[0]].data();
    float* in_gradient =
        work.gradients[inputs[0]].empty() ? nullptr : work.gradients[inputs[0]].data();
    float* weight_gradient = work.parameter_gradients[parameters[0]].empty()
                                 ? nullptr
                                 : work.parameter_gradients[parameters[0]].data();
    const std::int64_t channels = out_.channels;
    if (parameters.size() > 1 && !work.parameter_gradients[parameters[1]].empty()) {
      float* bias = work.parameter_gradients[parameters[1]].data();
      for (std::int64_t row = 0; row < pass.samples * out_.positions(); ++row)
        for (std::int64_t c = 0; c < channels; ++c) bias[c] += out_gradient[row * channels + c];
    }
    for_each_tap(window_, in_, out_, pass.samples,
                 [&](std::int64_t row, std::int64_t tap, std::int64_t from) {
                   if (from < 0) return;
                   const float* __restrict wanted = out_gradient + row * channels;
                   if (in_gradient) {
                     float* __restrict to = in_gradient + from * channels;
                     const float* __restrict w = weight + tap * channels;
                     for (std::int64_t c = 0; c < channels; ++c) to[c] += wanted[c] * w[c];
                   }
                   if (weight_gradient) {
                     float* __restrict to = weight_gradient + tap * channels;
                     const float* __restrict x = in + from * channels;
                     for (std::int64_t c = 0; c < channels; ++c) to[c] += wanted[c] * x[c];
                   }
                 });
  }

 private:
  Extent in_, out_;
  Window window_;
};

MadeOperator convolution(const adze_node& node, const adze_tensor& weight, const Extent& input) {
  if (weight.ndim != 4) return {};
  const std::int64_t outputs = weight.shape[0], channels = weight.shape[1];
  const std::int64_t groups = integer_of(node, "group", 1);
  const Window window = window_of(node, weight.shape[2], weight.shape[3], input);
  if (window.height == 0 || groups < 1 || channels * groups != input.channels ||
      outputs % groups != 0)
    return {};
  MadeOperator found;
  found.extent = {window.outputs_y(input), window.outputs_x(input), outputs};
  const bool depthwise = channels == 1 && groups == outputs && groups > 1;
  const std::int64_t taps = window.positions();
  for (std::int64_t i = 0; i < outputs * channels * taps; ++i) {
    // Depthwise: position, output. Else: output, position, channel.
    const std::int64_t output = depthwise ? i % outputs : i / (channels * taps);
    const std::int64_t tap = depthwise ? i / outputs : i / channels % taps;
    const std::int64_t channel = depthwise ? 0 : i % channels;
    found.weight_order.push_back(
        static_cast<std::uint32_t>((output * channels + channel) * taps + tap));
  }
  if (depthwise)
    found.made = std::make_unique<Depthwise>(input, found.extent, window);
  else
    found.made = std::make_unique<Linear>(input, found.extent, window, groups);
  return found;
}

}  // namespace

MadeOperator linear_operator(const adze_graph& graph, const adze_node& node, const Extent& input) {
  const std::uint32_t weight = adze::weight_of(graph, node);
  if (weight == ADZE_NONE) return {};
  const adze_tensor& tensor = *graph.values[weight]->constant;
  const std::string_view op = node.op;
  MadeOperator found;
  if (op == "Conv") {
    found = convolution(node, tensor, input);
  } else {
    if (tensor.ndim != 2 || input.positions() != 1 || integer_of(node, "transA", 0) != 0 ||
        number_of(node, "alpha", 1) != 1 || number_of(node, "beta", 1) != 1)
      return {};
    const bool by_output = op == "Gemm" && integer_of(node, "transB", 0) != 0;
    const std::int64_t outputs = tensor.shape[by_output ? 0 : 1];
    const std::int64_t columns = tensor.shape[by_output ? 1 : 0];
    if (columns != input.channels) return {};
    found.extent = {1, 1, outputs};
    for (std::int64_t i = 0; !by_output && i < outputs * columns; ++i)
      found.weight_order.push_back(static_cast<std::uint32_t>(i % columns * outputs + i / columns));
    found.made = std::make_unique<Linear>(input, found.extent, Window{}, 1);
  }
  if (!found.made) return {};
  found.made->parameters = {weight};
  if (node.input_count > 2 && node.inputs[2] != ADZE_NONE) {
    const auto bias = adze::f32(graph.values[node.inputs[2]]->constant);
    if (static_cast<std::int64_t>(bias.size()) != found.extent.channels) return {};
    found.made->parameters.push_back(node.inputs[2]);
  }
  return found;
}

}  // namespace reconstruct
