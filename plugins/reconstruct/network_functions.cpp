// Operators without weights.
#include <algorithm>
#include <cmath>
#include <limits>

#include "plugins/reconstruct/network_operators.hpp"

namespace reconstruct {
namespace {

std::size_t size_of(const Pass& pass, const Extent& extent) {
  return static_cast<std::size_t>(pass.samples * extent.size());
}

/// f of each element; its slope by the element and what f made of it.
template <class Function, class Slope>
class Elementwise final : public Operator {
 public:
  Elementwise(const Extent& extent, Function function, Slope slope)
      : extent_(extent), function_(function), slope_(slope) {}
  void forward(const Pass& pass) const override {
    const float* in = pass.work->values[inputs[0]].data();
    float* out = pass.work->values[output].data();
    for (std::size_t i = 0; i < size_of(pass, extent_); ++i) out[i] = function_(in[i]);
  }
  void backward(const Pass& pass) const override {
    auto& gradient = pass.work->gradients[inputs[0]];
    if (gradient.empty()) return;
    const float* in = pass.work->values[inputs[0]].data();
    const float* out = pass.work->values[output].data();
    const float* wanted = pass.work->gradients[output].data();
    for (std::size_t i = 0; i < size_of(pass, extent_); ++i)
      gradient[i] += slope_(in[i], out[i]) * wanted[i];
  }

 private:
  Extent extent_;
  Function function_;
  Slope slope_;
};

template <class Function, class Slope>
MadeOperator elementwise(const Extent& extent, Function function, Slope slope) {
  return {std::make_unique<Elementwise<Function, Slope>>(extent, function, slope), extent, {}};
}

/// A limit of Clip: an input since opset 11, an attribute before.
float limit_of(const adze_graph& graph, const adze_node& node, std::uint32_t input,
               std::string_view name, float fallback) {
  if (node.input_count > input && node.inputs[input] != ADZE_NONE) {
    const auto limit = adze::f32(graph.values[node.inputs[input]]->constant);
    return limit.empty() ? std::numeric_limits<float>::quiet_NaN() : limit[0];
  }
  return static_cast<float>(number_of(node, name, static_cast<double>(fallback)));
}

/// a + b or a * b; b may have one position, which then meets all of a.
class Binary final : public Operator {
 public:
  Binary(const Extent& first, const Extent& second, bool multiplies)
      : first_(first), second_(second), multiplies_(multiplies) {}
  void forward(const Pass& pass) const override {
    const float* a = pass.work->values[inputs[0]].data();
    const float* b = pass.work->values[inputs[1]].data();
    float* out = pass.work->values[output].data();
    for_each(pass.samples, [&](std::int64_t i, std::int64_t j) {
      out[i] = multiplies_ ? a[i] * b[j] : a[i] + b[j];
    });
  }
  void backward(const Pass& pass) const override {
    const float* a = pass.work->values[inputs[0]].data();
    const float* b = pass.work->values[inputs[1]].data();
    const float* wanted = pass.work->gradients[output].data();
    if (auto& gradient = pass.work->gradients[inputs[0]]; !gradient.empty())
      for_each(pass.samples, [&](std::int64_t i, std::int64_t j) {
        gradient[static_cast<std::size_t>(i)] += multiplies_ ? wanted[i] * b[j] : wanted[i];
      });
    if (auto& gradient = pass.work->gradients[inputs[1]]; !gradient.empty())
      for_each(pass.samples, [&](std::int64_t i, std::int64_t j) {
        gradient[static_cast<std::size_t>(j)] += multiplies_ ? wanted[i] * a[i] : wanted[i];
      });
  }

 private:
  template <class Body>
  void for_each(std::int64_t samples, const Body& body) const {
    const bool repeats = second_.positions() != first_.positions();
    for (std::int64_t sample = 0, i = 0; sample < samples; ++sample)
      for (std::int64_t position = 0; position < first_.positions(); ++position) {
        const std::int64_t j = repeats ? sample * second_.size() : i;
        for (std::int64_t c = 0; c < first_.channels; ++c) body(i + c, j + c);
        i += first_.channels;
      }
  }
  Extent first_, second_;
  bool multiplies_;
};

class Concatenation final : public Operator {
 public:
  explicit Concatenation(std::vector<Extent> parts) : parts_(std::move(parts)) {
    for (const Extent& part : parts_) channels_ += part.channels;
  }
  void forward(const Pass& pass) const override {
    float* out = pass.work->values[output].data();
    for_parts([&](std::size_t part, std::int64_t first) {
      const float* in = pass.work->values[inputs[part]].data();
      const std::int64_t width = parts_[part].channels;
      for (std::int64_t row = 0; row < pass.samples * parts_[part].positions(); ++row)
        std::copy_n(in + row * width, width, out + row * channels_ + first);
    });
  }
  void backward(const Pass& pass) const override {
    const float* wanted = pass.work->gradients[output].data();
    for_parts([&](std::size_t part, std::int64_t first) {
      auto& gradient = pass.work->gradients[inputs[part]];
      if (gradient.empty()) return;
      const std::int64_t width = parts_[part].channels;
      for (std::int64_t row = 0; row < pass.samples * parts_[part].positions(); ++row)
        for (std::int64_t c = 0; c < width; ++c)
          gradient[static_cast<std::size_t>(row * width + c)] +=
              wanted[row * channels_ + first + c];
    });
  }

 private:
  template <class Body>
  void for_parts(const Body& body) const {
    std::int64_t first = 0;
    for (std::size_t part = 0; part < parts_.size(); first += parts_[part].channels, ++part)
      body(part, first);
  }
  std::vector<Extent> parts_;
  std::int64_t channels_ = 0;
};

enum class Pool { largest, mean, mean_with_padding };

class Pooling final : public Operator {
 public:
  Pooling(const Extent& in, const Extent& out, const Window& window, Pool pool)
      : in_(in), out_(out), window_(window), pool_(pool) {}
  void forward(const Pass& pass) const override {
    const float* in = pass.work->values[inputs[0]].data();
    float* out = pass.work->values[output].data();
    for_each_window(pass.samples, [&](std::int64_t row, const std::vector<std::int64_t>& places) {
      const float scale = scale_of(places);
      for (std::int64_t c = 0; c < out_.channels; ++c) {
        float found = pool_ == Pool::largest ? -std::numeric_limits<float>::infinity() : 0.0f;
        for (const std::int64_t place : places) {
          const float x = in[place * in_.channels + c];
          found = pool_ == Pool::largest ? std::max(found, x) : found + x * scale;
        }
        out[row * out_.channels + c] = found;
      }
    });
  }
  void backward(const Pass& pass) const override {
    auto& gradient = pass.work->gradients[inputs[0]];
    if (gradient.empty()) return;
    const float* in = pass.work->values[inputs[0]].data();
    const float* wanted = pass.work->gradients[output].data();
    for_each_window(pass.samples, [&](std::int64_t row, const std::vector<std::int64_t>& places) {
      const float scale = scale_of(places);
      for (std::int64_t c = 0; c < out_.channels; ++c) {
        const float asked = wanted[row * out_.channels + c];
        if (pool_ == Pool::largest) {
          const std::int64_t best =
              *std::max_element(places.begin(), places.end(), [&](std::int64_t a, std::int64_t b) {
                return in[a * in_.channels + c] < in[b * in_.channels + c];
              });
          gradient[static_cast<std::size_t>(best * in_.channels + c)] += asked;
          continue;
        }
        for (const std::int64_t place : places)
          gradient[static_cast<std::size_t>(place * in_.channels + c)] += asked * scale;
      }
    });
  }

 private:
  float scale_of(const std::vector<std::int64_t>& places) const {
    return 1.0f / static_cast<float>(pool_ == Pool::mean_with_padding ? window_.positions()
                                                                      : std::ssize(places));
  }
  /// body(output row, the input positions that it sees).
  template <class Body>
  void for_each_window(std::int64_t samples, const Body& body) const {
    std::vector<std::int64_t> places;
    for_each_tap(window_, in_, out_, samples,
                 [&](std::int64_t row, std::int64_t tap, std::int64_t from) {
                   if (from >= 0) places.push_back(from);
                   if (tap + 1 < window_.positions()) return;
                   body(row, places);
                   places.clear();
                 });
  }
  Extent in_, out_;
  Window window_;
  Pool pool_;
};

/// To one row a sample in ONNX's order: channel by channel.
class Flattening final : public Operator {
 public:
  explicit Flattening(const Extent& in) : in_(in) {}
  void forward(const Pass& pass) const override {
    const float* in = pass.work->values[inputs[0]].data();
    float* out = pass.work->values[output].data();
    for_each(pass.samples, [&](std::int64_t from, std::int64_t to) { out[to] = in[from]; });
  }
  void backward(const Pass& pass) const override {
    auto& gradient = pass.work->gradients[inputs[0]];
    if (gradient.empty()) return;
    const float* wanted = pass.work->gradients[output].data();
    for_each(pass.samples, [&](std::int64_t from, std::int64_t to) {
      gradient[static_cast<std::size_t>(from)] += wanted[to];
    });
  }

 private:
  template <class Body>
  void for_each(std::int64_t samples, const Body& body) const {
    for (std::int64_t sample = 0; sample < samples; ++sample)
      for (std::int64_t p = 0; p < in_.positions(); ++p)
        for (std::int64_t c = 0; c < in_.channels; ++c)
          body(sample * in_.size() + p * in_.channels + c,
               sample * in_.size() + c * in_.positions() + p);
  }
  Extent in_;
};

}  // namespace

MadeOperator function_operator(const adze_graph& graph, const adze_node& node,
                               const Extent& input) {
  const std::string_view op = node.op;
  if (op == "Relu")
    return elementwise(
        input, [](float x) { return std::max(x, 0.0f); },
        [](float x, float) { return x > 0 ? 1.0f : 0.0f; });
  if (op == "Clip") {
    constexpr float kMost = std::numeric_limits<float>::max();
    const float low = limit_of(graph, node, 1, "min", -kMost);
    const float high = limit_of(graph, node, 2, "max", kMost);
    if (!(low <= high)) return {};
    return elementwise(
        input, [=](float x) { return std::min(std::max(x, low), high); },
        [=](float x, float) { return x > low && x < high ? 1.0f : 0.0f; });
  }
  if (op == "LeakyRelu") {
    const auto alpha = static_cast<float>(number_of(node, "alpha", 0.01));
    return elementwise(
        input, [=](float x) { return x > 0 ? x : alpha * x; },
        [=](float x, float) { return x > 0 ? 1.0f : alpha; });
  }
  if (op == "Sigmoid")
    return elementwise(
        input, [](float x) { return 1 / (1 + std::exp(-x)); },
        [](float, float y) { return y * (1 - y); });
  if (op == "Tanh")
    return elementwise(
        input, [](float x) { return std::tanh(x); }, [](float, float y) { return 1 - y * y; });
  if (op == "HardSigmoid" || op == "HardSwish") {
    const bool swish = op == "HardSwish";
    const auto alpha = static_cast<float>(swish ? 1.0 / 6 : number_of(node, "alpha", 0.2));
    const auto beta = static_cast<float>(swish ? 0.5 : number_of(node, "beta", 0.5));
    const auto gate = [=](float x) { return std::min(std::max(alpha * x + beta, 0.0f), 1.0f); };
    const auto slope = [=](float x) {
      const float y = alpha * x + beta;
      return y > 0 && y < 1 ? alpha : 0.0f;
    };
    if (swish)
      return elementwise(
          input, [=](float x) { return x * gate(x); },
          [=](float x, float) { return gate(x) + x * slope(x); });
    return elementwise(input, gate, [=](float x, float) { return slope(x); });
  }
  if (op == "Identity" || op == "Dropout")
    return elementwise(
        input, [](float x) { return x; }, [](float, float) { return 1.0f; });
  return {};
}

MadeOperator joining_operator(const adze_node& node, std::span<const Extent> inputs) {
  if (std::any_of(inputs.begin(), inputs.end(), [](const Extent& in) { return in.channels == 0; }))
    return {};
  MadeOperator found;
  if (std::string_view(node.op) == "Concat") {
    const std::int64_t axis = integer_of(node, "axis", 0);
    if (axis != 1 && axis != -3) return {};
    found.extent = {inputs[0].height, inputs[0].width, 0};
    for (const Extent& in : inputs) {
      if (in.height != inputs[0].height || in.width != inputs[0].width) return {};
      found.extent.channels += in.channels;
    }
    found.made = std::make_unique<Concatenation>(std::vector<Extent>(inputs.begin(), inputs.end()));
    found.made->inputs.assign(node.inputs, node.inputs + node.input_count);
    return found;
  }
  if (inputs.size() != 2 || inputs[0].channels != inputs[1].channels) return {};
  const bool swapped = inputs[0].positions() < inputs[1].positions();
  const Extent first = inputs[swapped ? 1 : 0], second = inputs[swapped ? 0 : 1];
  if (second.positions() != 1 && (second.height != first.height || second.width != first.width))
    return {};
  found.extent = first;
  found.made = std::make_unique<Binary>(first, second, std::string_view(node.op) == "Mul");
  found.made->inputs = {node.inputs[swapped ? 1 : 0], node.inputs[swapped ? 0 : 1]};
  return found;
}

MadeOperator pooling_operator(const adze_node& node, const Extent& input) {
  MadeOperator found;
  const std::string_view op = node.op;
  Window window{.height = input.height, .width = input.width};
  if (op != "GlobalAveragePool") {
    const adze_property* kernel = attribute_of(node, "kernel_shape");
    if (!kernel || kernel->count != 2 || integer_of(node, "ceil_mode", 0) != 0 ||
        node.output_count > 1)
      return {};
    window = window_of(node, kernel->i64[0], kernel->i64[1], input);
    if (window.height == 0) return {};
  }
  found.extent = {window.outputs_y(input), window.outputs_x(input), input.channels};
  const Pool pool = op == "MaxPool"                                 ? Pool::largest
                    : integer_of(node, "count_include_pad", 0) != 0 ? Pool::mean_with_padding
                                                                    : Pool::mean;
  found.made = std::make_unique<Pooling>(input, found.extent, window, pool);
  return found;
}

MadeOperator shape_operator(const adze_graph& graph, const adze_node& node, const Extent& input) {
  const adze_value& output = *graph.values[node.outputs[0]];
  if (output.rank != 2 || output.batch_axis != 0) return {};
  return {std::make_unique<Flattening>(input), {1, 1, input.size()}, {}};
}

const adze_property* attribute_of(const adze_node& node, std::string_view name) {
  for (std::uint64_t i = 0; i < node.attribute_count; ++i)
    if (node.attributes[i]->name == name) return node.attributes[i];
  return nullptr;
}

std::int64_t integer_of(const adze_node& node, std::string_view name, std::int64_t fallback) {
  const adze_property* found = attribute_of(node, name);
  return found && found->i64 ? found->i64[0] : fallback;
}

double number_of(const adze_node& node, std::string_view name, double fallback) {
  const adze_property* found = attribute_of(node, name);
  return found && found->f64 ? found->f64[0] : fallback;
}

std::int64_t Window::outputs_y(const Extent& input) const {
  return (input.height + top + bottom - dilation_y * (height - 1) - 1) / stride_y + 1;
}
std::int64_t Window::outputs_x(const Extent& input) const {
  return (input.width + left + right - dilation_x * (width - 1) - 1) / stride_x + 1;
}

Window window_of(const adze_node& node, std::int64_t height, std::int64_t width,
                 const Extent& input) {
  Window window{.height = height, .width = width};
  if (const adze_property* strides = attribute_of(node, "strides"); strides && strides->count == 2)
    window.stride_y = strides->i64[0], window.stride_x = strides->i64[1];
  if (const adze_property* dilations = attribute_of(node, "dilations");
      dilations && dilations->count == 2)
    window.dilation_y = dilations->i64[0], window.dilation_x = dilations->i64[1];
  const adze_property* automatic = attribute_of(node, "auto_pad");
  const std::string_view rule = automatic && automatic->text ? automatic->text[0] : "NOTSET";
  if (rule == "SAME_UPPER" || rule == "SAME_LOWER") {
    const auto share = [&](std::int64_t size, std::int64_t stride, std::int64_t reach,
                           std::int64_t& before, std::int64_t& after) {
      const std::int64_t outputs = (size + stride - 1) / stride;
      const std::int64_t all = std::max<std::int64_t>((outputs - 1) * stride + reach - size, 0);
      before = rule == "SAME_UPPER" ? all / 2 : all - all / 2;
      after = all - before;
    };
    share(input.height, window.stride_y, window.dilation_y * (height - 1) + 1, window.top,
          window.bottom);
    share(input.width, window.stride_x, window.dilation_x * (width - 1) + 1, window.left,
          window.right);
  } else if (const adze_property* pads = attribute_of(node, "pads"); pads && rule == "NOTSET") {
    if (pads->count != 4) return {.height = 0};
    window.top = pads->i64[0], window.left = pads->i64[1];
    window.bottom = pads->i64[2], window.right = pads->i64[3];
  }
  if (std::min({window.top, window.left, window.bottom, window.right}) < 0 || window.stride_y < 1 ||
      window.stride_x < 1)
    return {.height = 0};
  return window;
}

}  // namespace reconstruct
