// @ID@: runs models of elementwise operators on the CPU, in floats.
//
// The shape of every backend: place() says which nodes it takes and why not the others, compile()
// makes an executable, run() runs it, release() drops it. Add kernels to kOperators, and what they
// cannot do to why_not(). The table at the end has room for estimate, load, profile, artifacts.
#include <adze/adze.hpp>
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>

namespace {

struct Operator {
  std::string_view op;
  uint32_t input_count;
  float (*compute)(float, float);
};

constexpr Operator kOperators[] = {
    {"Relu", 1, [](float a, float) { return a < 0 ? 0 : a; }},  // NaN stays NaN
    {"Neg", 1, [](float a, float) { return -a; }},
    {"Abs", 1, [](float a, float) { return std::abs(a); }},
    {"Identity", 1, [](float a, float) { return a; }},
    {"Add", 2, [](float a, float b) { return a + b; }},
    {"Mul", 2, [](float a, float b) { return a * b; }}};

const Operator* find(const adze_node& node) {
  const auto* found = std::ranges::find_if(kOperators, [&](const Operator& known) {
    return !*node.domain && known.op == node.op && known.input_count == node.input_count;
  });
  return found == std::end(kOperators) ? nullptr : found;
}

bool same_shape(const adze_value& a, const adze_value& b) {
  if (a.rank < 0 || a.rank != b.rank || a.batch_axis != b.batch_axis) return false;
  return std::equal(a.shape, a.shape + a.rank, b.shape,
                    [](int64_t x, int64_t y) { return x >= 0 && x == y; });
}

/// Why this backend cannot run a node, for people; empty: it can.
std::string why_not(const adze_graph& graph, const adze_node& node) {
  if (!find(node)) return std::string("there is no kernel for ") + node.op;
  const adze_value& output = *graph.values[node.outputs[0]];
  for (const uint32_t index : std::span(node.inputs, node.input_count)) {
    const adze_value& input = *graph.values[index];
    if (input.constant) return "operands that are constants are not supported";
    if (input.code != ADZE_FLOAT || input.bits != 32) return "only 32-bit floats are supported";
    if (input.quant || output.quant) return "quantized values are not supported";
    if (!same_shape(input, output)) return "operands must have one shape, known beforehand";
  }
  return "";
}

adze_status place(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {  // turns what is thrown into a status and a text for the user
    for (uint32_t n = 0; n < call->graph->node_count; ++n) {
      const std::string reason = why_not(*call->graph, *call->graph->nodes[n]);
      adze::check(call->report->placement(call, n, reason.empty() ? ADZE_PLACED : ADZE_REFUSED,
                                          reason.empty() ? "CPU" : "", reason.c_str()));
    }
  });
}

struct Step {
  const Operator* kernel;
  uint32_t first, last, output;  // values of the graph that was compiled
};

/// All that run() needs: it may not look at the graph of compile() again.
struct Executable {
  std::vector<Step> steps;
  std::vector<uint32_t> inputs;
  std::set<uint32_t> reported;
};

adze_status compile(void*, adze_call* call, const adze_compile* options, void** out) noexcept {
  return adze::guard(call, [&] {
    const adze_graph& graph = *call->graph;
    auto made = std::make_unique<Executable>();
    for (uint32_t n = 0; n < graph.node_count; ++n) {  // topological order: ready to run
      const adze_node& node = *graph.nodes[n];
      if (const std::string reason = why_not(graph, node); !reason.empty())
        throw adze::Error(ADZE_UNIMPLEMENTED, "node '" + std::string(node.name) + "': " + reason);
      made->steps.push_back({find(node), node.inputs[0], node.inputs[node.input_count - 1],
                             node.outputs[0]});
    }
    made->inputs.assign(graph.inputs, graph.inputs + graph.input_count);
    for (const uint32_t value : std::span(graph.outputs, graph.output_count)) {
      if (graph.values[value]->constant)
        throw adze::Error(ADZE_UNIMPLEMENTED, "an output of the model is a constant");
      made->reported.insert(value);
    }
    for (uint64_t i = 0; i < options->extra_output_count; ++i) {  // asked for by comparisons
      const uint32_t value = options->extra_outputs[i];
      if (graph.values[value]->constant)
        adze::check(call->report->unavailable(call, value, "a constant"));
      else
        made->reported.insert(value);
    }
    *out = made.release();
  });
}

adze_status run(void* executable, adze_call* call, const adze_tensor* const* inputs,
                uint64_t count) noexcept {
  return adze::guard(call, [&] {
    const Executable& made = *static_cast<const Executable*>(executable);
    std::map<uint32_t, adze_tensor> tensors;  // by value
    std::vector<std::vector<float>> results;
    for (uint64_t i = 0; i < count; ++i) tensors[made.inputs.at(i)] = *inputs[i];
    for (const Step& step : made.steps) {
      const adze_tensor& first = tensors.at(step.first);
      const std::span<const float> x = adze::f32(&first), y = adze::f32(&tensors.at(step.last));
      std::vector<float>& result = results.emplace_back(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) result[i] = step.kernel->compute(x[i], y[i]);
      tensors[step.output] = adze::with_contents(first, result);  // one shape, whatever the batch
    }
    for (const uint32_t value : made.reported)
      adze::check(call->report->output(call, value, &tensors.at(value)));
  });
}

void release(void* executable) noexcept { delete static_cast<Executable*>(executable); }

constexpr adze_backend kBackend = {
    sizeof(adze_backend), 0, place, nullptr, compile, nullptr, run, nullptr, nullptr, release};
constexpr adze_component kComponent =
    adze::component("@ID@", "Runs elementwise operators on the CPU.", {}, nullptr, &kBackend);
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin = adze::plugin("@ID@", "0.1.0", "@VENDOR@", "Apache-2.0", kComponents);

}  // namespace

const adze_plugin* adze_plugin_v1(void) noexcept { return &kPlugin; }  // the one export
