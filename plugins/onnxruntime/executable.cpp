#include "plugins/onnxruntime/executable.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <numeric>

#include "plugins/onnxruntime/model_bytes.hpp"
#include "plugins/onnxruntime/placement.hpp"

namespace adze::ort {
namespace {

bool is_output(const adze_graph& graph, std::uint32_t value) {
  return graph.values[value]->flags & ADZE_VALUE_OUTPUT;
}

/// Read by an activation that ONNX Runtime computes as one with the node before it. Who asks for
/// what lies between makes it compute both in floats, and sees other numbers than the model gives.
bool is_absorbed(const adze_graph& graph, const adze_value& value) {
  if (value.consumer_count != 1) return false;
  const adze_node& reader = *graph.nodes[value.consumers[0]];
  const std::string_view op = reader.op;
  return (op == "Relu" || op == "Clip") && reader.outputs[0] != ADZE_NONE &&
         graph.values[reader.outputs[0]]->quant;
}

void report(adze_call* call, std::uint32_t value, const Shape& shape, std::int32_t onnx_type,
            const void* data) {
  const ElementType* type = element_type_of_onnx(onnx_type);
  if (!type)
    throw Error(ADZE_UNIMPLEMENTED, std::string("output '") + call->graph->values[value]->name +
                                        "' has elements that cannot be handed over (ONNX type " +
                                        std::to_string(onnx_type) + ")");
  Shape strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t axis = shape.size(); axis-- > 0; stride *= shape[axis]) strides[axis] = stride;
  const adze_tensor tensor{data,           1,          0, static_cast<std::int32_t>(shape.size()),
                           type->code,     type->bits, 1, shape.data(),
                           strides.data(), 0};
  check(call->report->output(call, value, &tensor));
}

std::size_t count_of(std::span<const std::int64_t> sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::size_t{1},
                         [](std::size_t product, std::int64_t size) {
                           return product * static_cast<std::size_t>(size);
                         });
}

}  // namespace

Executable::Executable(adze_call* call, const adze_compile& options, Api api,
                       Optimization optimization)
    : nodes_(call->graph->node_count), batch_(options.batch) {
  const adze_graph& graph = *call->graph;
  std::iota(nodes_.begin(), nodes_.end(), 0u);
  for (const std::uint32_t n : nodes_)
    if (const std::string danger = division_by_zero(graph, *graph.nodes[n]); !danger.empty())
      throw Error(ADZE_UNIMPLEMENTED,
                  std::string("node '") + graph.nodes[n]->name + "': " + danger);
  const std::span<const std::uint8_t> bytes = bytes_of_graph(call);
  const ModelBytes model(bytes);
  const auto extras = extra_outputs(call, options, model, optimization);
  const SessionOptions how{static_cast<int>(call->threads), optimization};
  if (extras.empty()) {
    session_ = std::make_unique<Session>(std::move(api), bytes, how);
  } else {
    std::vector<std::string> names;
    for (const auto& [name, value] : extras) names.push_back(name);
    session_ = std::make_unique<Session>(std::move(api), model.with_outputs(names), how);
  }
  std::map<std::string_view, std::uint32_t> value_of;
  for (std::uint32_t i = 0; i < graph.output_count; ++i)
    value_of.emplace(graph.values[graph.outputs[i]]->name, graph.outputs[i]);
  for (const auto& [name, value] : extras) value_of.emplace(name, value);
  for (const std::string& name : session_->outputs()) {
    const auto found = value_of.find(name);
    if (found == value_of.end())
      throw Error(ADZE_INTERNAL,
                  "ONNX Runtime shows an output '" + name + "' that nobody asked for");
    outputs_.push_back({found->second, graph.values[found->second]->batch_axis});
  }
  find_inputs(graph);
}

std::vector<std::pair<std::string, std::uint32_t>> Executable::extra_outputs(
    adze_call* call, const adze_compile& options, const ModelBytes& model,
    Optimization optimization) {
  const adze_graph& graph = *call->graph;
  std::vector<std::pair<std::string, std::uint32_t>> extras;
  for (std::uint64_t i = 0; i < options.extra_output_count; ++i) {
    const std::uint32_t index = options.extra_outputs[i];
    const adze_value& value = *graph.values[index];
    const auto unavailable = [&](const std::string& reason) {
      check(call->report->unavailable(call, index, reason.c_str()));
    };
    if (is_output(graph, index)) continue;
    const auto input = std::find(graph.inputs, graph.inputs + graph.input_count, index);
    if (!element_type_of(value.code, value.bits)) {
      unavailable("its type cannot be handed over");
    } else if (value.constant) {
      unavailable("a constant, not computed");
    } else if (value.quant) {
      const std::string_view name = model.behind_quantization(value.name);
      if (name.empty())
        unavailable("its quantization is not in the model's bytes");
      else
        extras.emplace_back(name, index);
    } else if (input != graph.inputs + graph.input_count) {
      echoes_.push_back({index, static_cast<std::size_t>(input - graph.inputs)});
    } else if (optimization != Optimization::none && is_absorbed(graph, value)) {
      unavailable(
          "ONNX Runtime computes it as one with the quantized activation that reads it "
          "(optimization = none shows it)");
    } else {
      extras.emplace_back(value.name, index);
    }
  }
  return extras;
}

void Executable::find_inputs(const adze_graph& graph) {
  for (std::uint32_t i = 0; i < graph.input_count; ++i) {
    const std::int32_t axis = graph.values[graph.inputs[i]]->batch_axis;
    if (axis > 0)
      throw Error(ADZE_UNIMPLEMENTED, std::string("input '") + graph.values[graph.inputs[i]]->name +
                                          "' has its samples along axis " + std::to_string(axis) +
                                          "; only axis 0 is supported");
    batched_.push_back(axis == 0);
  }
  for (const Input& input : session_->inputs()) {
    std::uint32_t place = 0;
    while (place < graph.input_count && input.name != graph.values[graph.inputs[place]]->name)
      ++place;
    if (place == graph.input_count)
      throw Error(ADZE_INTERNAL,
                  "ONNX Runtime wants an input '" + input.name + "' that the graph does not have");
    inputs_.push_back(place);
    // A batch that the file does not speak of is the host's finding; ONNX Runtime holds on to the
    // file's one.
    if (batched_[place] && batch_ > 1 && !input.shape.empty() && input.shape[0] == 1)
      sample_by_sample_ = true;
  }
}

std::vector<Result> Executable::run_samples(std::span<const adze_tensor* const> inputs,
                                            std::size_t first, std::size_t count) const {
  std::vector<Shape> shapes;
  std::vector<TensorView> views;
  shapes.reserve(inputs_.size());
  for (const std::size_t place : inputs_) {
    const adze_tensor& input = *inputs[place];
    const ElementType* type = element_type_of(input.code, input.bits);
    if (!type) throw Error(ADZE_UNIMPLEMENTED, "an input's elements cannot be handed over");
    Shape& shape = shapes.emplace_back(input.shape, input.shape + input.ndim);
    const auto* data = static_cast<const char*>(input.data) + input.byte_offset;
    std::size_t bytes = count_of(shape) * type->bits / 8;
    if (batched_[place] && count < batch_) {
      const std::size_t sample_bytes = bytes / batch_;
      data += first * sample_bytes;
      bytes = count * sample_bytes;
      shape[0] = static_cast<std::int64_t>(count);
    }
    views.push_back({data, bytes, type->onnx, shape});
  }
  return session_->run(views);
}

void Executable::run(adze_call* call, std::span<const adze_tensor* const> inputs) {
  if (inputs.size() != call->graph->input_count)
    throw Error(ADZE_INVALID_ARGUMENT, "another number of inputs than the graph has");
  const auto started = std::chrono::steady_clock::now();
  std::vector<std::vector<Result>> samples;
  if (sample_by_sample_)
    for (std::uint32_t i = 0; i < batch_; ++i) samples.push_back(run_samples(inputs, i, 1));
  else
    samples.push_back(run_samples(inputs, 0, batch_));
  const std::chrono::duration<double, std::milli> spent =
      std::chrono::steady_clock::now() - started;
  latency_ms_ = spent.count();

  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const Result& only = samples.front()[i];
    if (samples.size() > 1 && outputs_[i].batch_axis >= 0)
      report_joined(call, i, samples);
    else
      report(call, outputs_[i].value, only.shape(), only.onnx_type(), only.data());
  }
  for (const Echo& echo : echoes_)
    check(call->report->output(call, echo.value, inputs[echo.input]));
}

void Executable::report_joined(adze_call* call, std::size_t output,
                               std::span<const std::vector<Result>> samples) const {
  const Result& one = samples.front()[output];
  const auto axis = static_cast<std::size_t>(outputs_[output].batch_axis);
  const ElementType* type = element_type_of_onnx(one.onnx_type());
  if (!type || axis >= one.shape().size())
    throw Error(ADZE_UNIMPLEMENTED, std::string("output '") +
                                        call->graph->values[outputs_[output].value]->name +
                                        "' cannot be put together from single samples");
  const std::span<const std::int64_t> sizes = one.shape();
  const std::size_t rows = count_of(sizes.first(axis));
  const std::size_t row_bytes = count_of(sizes.subspan(axis)) * type->bits / 8;
  std::vector<char> joined(rows * row_bytes * samples.size());
  char* to = joined.data();
  for (std::size_t row = 0; row < rows; ++row)
    for (const std::vector<Result>& sample : samples) {
      if (sample[output].shape() != one.shape())
        throw Error(ADZE_UNIMPLEMENTED,
                    std::string("output '") + call->graph->values[outputs_[output].value]->name +
                        "' has another shape for each sample; use a batch of 1");
      if (row_bytes)
        std::memcpy(to, static_cast<const char*>(sample[output].data()) + row * row_bytes,
                    row_bytes);
      to += row_bytes;
    }
  Shape shape = one.shape();
  shape[axis] *= static_cast<std::int64_t>(samples.size());
  report(call, outputs_[output].value, shape, one.onnx_type(), joined.data());
}

void Executable::profile(adze_call* call) const {
  if (latency_ms_ < 0) return;
  const adze_profile_row row{sizeof(adze_profile_row),
                             ADZE_MEASURED,
                             nodes_.size(),
                             nodes_.data(),
                             "onnxruntime",
                             latency_ms_,
                             0};
  check(call->report->profile(call, &row));
}

}  // namespace adze::ort
