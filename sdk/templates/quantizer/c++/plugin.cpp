// @ID@: INT8 from the ranges that calibration samples show.
//
// Quantizes the weights of Conv, Gemm and MatMul, and what flows into them. A quantizer does not
// change numbers: it tells the host the grid of a value, and the host quantizes.
#include <adze/adze.hpp>
#include <algorithm>
#include <cmath>
#include <set>

namespace {

constexpr adze_param kParams[] = {  // what a recipe may set; the host checks it
    adze::i64("bits", "Bits of the activations.", 8, 7, 8)};

/// The layers among the nodes this stage may change: f32 activations times a constant weight.
std::vector<const adze_node*> layers_of(const adze_graph& graph) {
  std::vector<const adze_node*> layers;
  for (const uint32_t n : adze::targets(graph)) {
    const adze_node& node = *graph.nodes[n];
    if (*node.domain || adze::weight_of(graph, node) == ADZE_NONE) continue;
    const adze_value& input = *graph.values[node.inputs[0]];
    if (!input.constant && input.code == ADZE_FLOAT && input.bits == 32) layers.push_back(&node);
  }
  return layers;
}

/// A range of zeros must not give a scale of zero.
float scale_of(double bound, int levels) {
  const auto scale = static_cast<float>(bound / levels);
  return scale > 0 ? scale : 1.0f;
}

void set_quant(adze_call* call, uint32_t value, int32_t axis, uint8_t code, int bits,
               std::span<const float> scales, const int32_t* zero_point) {
  const adze_quant quant = {sizeof quant, 0, axis, code, static_cast<uint8_t>(bits), 0,
                            scales.size(), scales.data(), zero_point};
  adze::check(call->edit->set_quant(call, value, &quant));
}

/// One unsigned grid for a whole activation: from 0, or around the middle when it has negative
/// values. Boards compute fastest without any other zero point.
void set_activation(adze_call* call, uint32_t value, const adze_stat& range) {
  const int bits = static_cast<int>(call->arguments[0]->i64[0]);
  const bool has_negative = range.low < 0;
  const int levels = has_negative ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
  const float scale = scale_of(std::max(-range.low, range.high), levels);
  const int32_t zero_point = has_negative ? 1 << (bits - 1) : 0;
  set_quant(call, value, -1, ADZE_UINT, bits, {&scale, 1}, &zero_point);
}

void set_activations(adze_call* call, std::span<const adze_node* const> layers) {
  std::set<uint32_t> values;  // several layers may read one
  for (const adze_node* node : layers) values.insert(node->inputs[0]);
  std::vector<adze_stat_request> requests;
  for (const uint32_t value : values)
    requests.push_back({sizeof(adze_stat_request), ADZE_STAT_HISTOGRAM, ADZE_NONE, value,
                        ADZE_STATE_SHOWN, ADZE_STATE_SHOWN, 0, 0, 0});  // no bins: the range alone
  if (requests.empty()) return;
  std::vector<const adze_stat*> ranges(requests.size());  // one pass over the samples for all
  adze::check(adze::need<adze_calibration>(call, ADZE_CALIBRATION)
                  .collect(call, requests.data(), requests.size(), ranges.data()));
  for (std::size_t i = 0; i < ranges.size(); ++i)
    set_activation(call, requests[i].value, *ranges[i]);
}

/// One signed grid an output channel of a Conv, where channels lie one after the other; one for the
/// whole weight of a Gemm or MatMul.
void set_weight(adze_call* call, const adze_node& node) {
  const adze_tensor& weight = *call->graph->values[node.inputs[1]]->constant;
  const std::span<const float> elements = adze::f32(&weight);
  if (elements.empty()) return;
  if (!std::ranges::all_of(elements, [](float x) { return std::isfinite(x); }))
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "node '" + std::string(node.name) + "': weights are NaN or infinite");
  const bool by_channel = std::string_view(node.op) == "Conv";
  std::vector<float> scales(by_channel ? static_cast<std::size_t>(weight.shape[0]) : 1);
  const std::size_t size = elements.size() / scales.size();
  for (std::size_t i = 0; i < elements.size(); ++i)
    scales[i / size] = std::fmax(scales[i / size], std::abs(elements[i]));
  for (float& scale : scales) scale = scale_of(static_cast<double>(scale), 127);
  set_quant(call, node.inputs[1], by_channel ? 0 : -1, ADZE_INT, 8, scales, nullptr);
}

adze_status quantize(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {  // turns what is thrown into a status and a text for the user
    const std::vector<const adze_node*> layers = layers_of(*call->graph);
    adze::progress(call, 0, "ranges");
    set_activations(call, layers);
    adze::progress(call, 0.9, "weights");
    for (const adze_node* node : layers) set_weight(call, *node);
  });
}

constexpr const char* kNeeds[] = {ADZE_CALIBRATION, nullptr};
constexpr adze_quantizer kQuantizer = {sizeof(adze_quantizer), 0, quantize};
constexpr adze_component kComponent =
    adze::component("@ID@", "INT8 from the ranges of the calibration samples.", kParams, kNeeds,
                    &kQuantizer);
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin = adze::plugin("@ID@", "0.1.0", "@VENDOR@", "Apache-2.0", kComponents);

}  // namespace

const adze_plugin* adze_plugin_v1(void) noexcept { return &kPlugin; }  // the one export
