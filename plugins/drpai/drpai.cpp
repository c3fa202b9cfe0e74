// adze.drpai: emulates DRP-AI. Quantized values are exact integers; where nodes run and what they
// cost comes from the board type.
#include "plugins/drpai/latency.hpp"

namespace {

using adze::drpai::LatencyModel;
using adze::drpai::Placement;
using adze::drpai::Unit;
using adze::exec::Executable;
using adze::exec::Facts;
using adze::exec::Options;
using adze::exec::Program;

constexpr const char* kProgramFile = "program.cbor";

struct Row {
  std::vector<std::uint32_t> nodes;
  Unit unit;
  double latency_ms;
  std::uint64_t bytes;
};

struct Compiled {
  Executable executable;
  std::vector<std::uint32_t> report_as;
  std::vector<Unit> units;     ///< by node; empty when loaded without a graph
  std::vector<Row> predicted;  ///< empty without a target
};

adze_status place(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    const Program program = adze::exec::make_program(*call->graph, adze::exec::Rounding::half_even,
                                                     adze::exec::Contents::small);
    const auto placed = adze::drpai::place_nodes(program, Facts(call->target));
    for (std::uint32_t i = 0; i < placed.size(); ++i) {
      const Placement& where = placed[i];
      const std::uint32_t verdict = !where.emulated             ? ADZE_REFUSED
                                    : where.unit == Unit::drpai ? ADZE_PLACED
                                                                : ADZE_PLACED_WITH_LIMITS;
      adze::check(call->report->placement(call, i, verdict, adze::drpai::name_of(where.unit),
                                          where.reason.empty() ? nullptr : where.reason.c_str()));
    }
  });
}

int64_t integer_attribute(const adze_node& node, std::string_view name, int64_t fallback) {
  for (uint64_t i = 0; i < node.attribute_count; ++i)
    if (node.attributes[i]->name == name && node.attributes[i]->type == ADZE_I64)
      return node.attributes[i]->i64[0];
  return fallback;
}

/// Channels left of those shown, as a share of the products.
double channel_share(const adze_call& call, const adze_what_if& question) {
  const adze_node& node = *call.graph->nodes[question.node];
  if (node.input_count < 2 || node.inputs[1] == ADZE_NONE) return 1;
  const adze_value& weights = *call.graph->values[node.inputs[1]];
  if (weights.rank < 2) return 1;
  const std::string_view op = node.op;
  const bool outputs_first =
      op == "Conv" || (op == "Gemm" && integer_attribute(node, "transB", 0) != 0);
  const auto groups = static_cast<double>(integer_attribute(node, "group", 1));
  const auto rank = static_cast<std::size_t>(weights.rank);
  const int64_t* sizes = outputs_first ? weights.shape : weights.shape + (rank - 2);
  const auto outputs = static_cast<double>(sizes[outputs_first ? 0 : 1]);
  const double inputs = static_cast<double>(sizes[outputs_first ? 1 : 0]) * groups;
  if (!(outputs > 0) || !(inputs > 0)) return 1;
  const double outputs_left = question.output_channels ? question.output_channels / outputs : 1;
  const double inputs_left = question.input_channels ? question.input_channels / inputs : 1;
  // Whole groups leave, with their inputs and outputs.
  return groups > 1 ? std::min(outputs_left, inputs_left) : outputs_left * inputs_left;
}

adze_status estimate(void*, adze_call* call, const adze_what_if* const* questions, uint64_t count,
                     double* out_latency_ms) noexcept {
  return adze::guard(call, [&] {
    const LatencyModel model(*call->graph, Facts(call->target));
    for (uint64_t i = 0; i < count; ++i) {
      const adze_what_if& question = *questions[i];
      if (question.node == ADZE_NONE) {
        out_latency_ms[i] = model.total_ms();
        continue;
      }
      if (question.node >= model.node_count())
        throw adze::Error(ADZE_OUT_OF_RANGE, "a question names no node");
      out_latency_ms[i] =
          model.node_ms(question.node, {question.sparsity, channel_share(*call, question)});
    }
  });
}

std::vector<Row> predict(const adze_call& call) {
  if (!call.target) return {};
  const LatencyModel model(*call.graph, Facts(call.target));
  std::vector<Row> rows;
  for (std::uint32_t i = 0; i < model.node_count(); ++i)
    rows.push_back({{i}, model.unit(i), model.node_ms(i), model.bytes(i)});
  return rows;
}

adze_status compile(void*, adze_call* call, const adze_compile* options,
                    void** out_executable) noexcept {
  return adze::guard(call, [&] {
    const Facts facts(call->target);
    Program program = adze::exec::program_for(call, *options, adze::exec::rounding_of(facts));
    std::vector<std::uint32_t> report_as = program.outputs;
    report_as.insert(report_as.end(), program.extra_outputs.begin(), program.extra_outputs.end());
    std::vector<Unit> units;
    for (const Placement& where : adze::drpai::place_nodes(program, facts))
      units.push_back(where.unit);
    const Options how = adze::exec::options_of(*call);
    // Before the weights are packed: they are then held once less.
    adze::exec::write_bytes(std::filesystem::path(options->work_dir) / kProgramFile,
                            adze::exec::serialize(program));
    auto compiled = std::make_unique<Compiled>(Compiled{Executable(std::move(program), how),
                                                        std::move(report_as), std::move(units),
                                                        predict(*call)});
    *out_executable = compiled.release();
  });
}

adze_status load(void*, adze_call* call, const char* dir, void** out_executable) noexcept {
  return adze::guard(call, [&] {
    Program program = adze::exec::parse_program(
        adze::exec::read_bytes(std::filesystem::path(dir) / kProgramFile));
    adze::exec::check_interface(*call, program);
    program.extra_outputs.clear();  // the call shows no values for them
    std::vector<std::uint32_t> report_as(call->graph->outputs,
                                         call->graph->outputs + call->graph->output_count);
    const Options how = adze::exec::options_of(*call);
    try {
      auto compiled = std::make_unique<Compiled>(
          Compiled{Executable(std::move(program), how), std::move(report_as), {}, {}});
      *out_executable = compiled.release();
    } catch (const adze::Error& error) {
      throw adze::Error(ADZE_DATA_LOSS, std::string("program file: ") + error.what());
    }
  });
}

adze_status run(void* executable, adze_call* call, const adze_tensor* const* inputs,
                uint64_t count) noexcept {
  return adze::guard(call, [&] {
    auto& compiled = *static_cast<Compiled*>(executable);
    adze::exec::run(call, compiled.executable, compiled.report_as, {inputs, count});
  });
}

adze_status profile(void* executable, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    const auto& compiled = *static_cast<Compiled*>(executable);
    for (const auto& step : compiled.executable.times()) {
      // A loaded executable has no nodes that the call could name.
      const bool known = !step.nodes.empty() && !compiled.units.empty();
      const Unit unit = known ? compiled.units[step.nodes.front()] : Unit::drpai;
      const std::span<const std::uint32_t> nodes =
          known ? std::span(step.nodes) : std::span<const std::uint32_t>();
      adze::exec::report_row(call, nodes, adze::drpai::name_of(unit), step.latency_ms, step.bytes,
                             ADZE_MEASURED);
    }
    if (!compiled.executable.times().empty()) return;
    for (const Row& row : compiled.predicted)
      adze::exec::report_row(call, row.nodes, adze::drpai::name_of(row.unit), row.latency_ms,
                             row.bytes, ADZE_PREDICTED);
  });
}

adze_status artifacts(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] { adze::check(call->report->artifact(call, kProgramFile)); });
}

void release(void* executable) noexcept { delete static_cast<Compiled*>(executable); }

constexpr adze_backend kBackend = {
    sizeof(adze_backend), 0, place, estimate, compile, load, run, profile, artifacts, release};

const adze_component* component() {
  static const adze_component made = adze::exec::component(
      "adze.drpai", "Emulates DRP-AI: exact INT8 arithmetic, placement and predicted latency.",
      kBackend);
  return &made;
}

}  // namespace

const adze_plugin* adze_plugin_v1(void) noexcept {
  static const adze_component* const components[] = {component()};
  static const adze_plugin plugin =
      adze::plugin("adze.drpai", "0.1.0", "The Adze authors", "Apache-2.0", components);
  return &plugin;
}
