// A backend whose every output is its input, unless the parameter `fault` asks for something worse.
#include <adze/adze.hpp>
#include <cmath>
#include <string>
#include <vector>

namespace {

constexpr const char* kFaults[] = {"none",
                                   "twice",
                                   "never",
                                   "wrong_type",
                                   "wrong_rank",
                                   "huge_output",
                                   "no_such_value",
                                   "not_asked_for",
                                   "ignores_status",
                                   "bad_stride",
                                   "no_executable",
                                   "unavailable",
                                   "outside",
                                   "no_file",
                                   "place_twice",
                                   "place_never",
                                   "no_reason",
                                   "bad_verdict",
                                   "estimate_nan",
                                   "estimate_never",
                                   "profile_node",
                                   "profile_nan",
                                   "output_from_place",
                                   nullptr};
constexpr adze_param kParams[] = {
    {sizeof(adze_param), ADZE_TEXT, 0, "fault", "What to do wrong.", 0, 0, 0, "none", kFaults}};

struct Executable {
  std::vector<uint32_t> outputs;
  std::string fault;
};

std::string fault_of(const adze_call* call) { return call->arguments[0]->text[0]; }

adze_status place(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    const std::string fault = fault_of(call);
    for (uint32_t node = 0; node < call->graph->node_count; ++node) {
      if (fault == "place_never" && node == 0) continue;
      const uint32_t verdict = fault == "no_reason"     ? uint32_t{ADZE_REFUSED}
                               : fault == "bad_verdict" ? 77u
                                                        : uint32_t{ADZE_PLACED};
      adze::check(call->report->placement(call, node, verdict, "CPU", ""));
      if (fault == "place_twice")
        adze::check(call->report->placement(call, node, verdict, "CPU", ""));
    }
    if (fault == "output_from_place") {
      const adze_tensor nothing{};
      adze::check(call->report->output(call, 0, &nothing));
    }
  });
}

adze_status estimate(void*, adze_call* call, const adze_what_if* const*, uint64_t count,
                     double* out_latency_ms) noexcept {
  for (uint64_t i = 0; i < count && fault_of(call) != "estimate_never"; ++i)
    out_latency_ms[i] = fault_of(call) == "estimate_nan" ? std::nan("") : 1.0;
  return ADZE_OK;
}

adze_status compile(void*, adze_call* call, const adze_compile* options,
                    void** out_executable) noexcept {
  return adze::guard(call, [&] {
    const std::string fault = fault_of(call);
    for (uint64_t i = 0; fault == "unavailable" && i < options->extra_output_count; ++i)
      adze::check(call->report->unavailable(call, options->extra_outputs[i], "it is fused away"));
    if (fault == "no_executable") return;
    auto* made = new Executable{
        {call->graph->outputs, call->graph->outputs + call->graph->output_count}, fault};
    *out_executable = made;
  });
}

adze_status run(void* executable, adze_call* call, const adze_tensor* const* inputs,
                uint64_t) noexcept {
  return adze::guard(call, [&] {
    const auto& exe = *static_cast<const Executable*>(executable);
    const adze_report& report = *call->report;
    const uint32_t output = exe.outputs.front();
    adze_tensor shown = *inputs[0];
    if (exe.fault == "never") return;
    if (exe.fault == "wrong_type") shown.code = ADZE_INT;
    if (exe.fault == "wrong_rank") shown.ndim = 1;
    const int64_t huge[] = {1 << 30, 2};  // far more than there is
    if (exe.fault == "huge_output") shown.shape = huge;
    const int64_t strides[] = {7, 7, 7, 7, 7};
    if (exe.fault == "bad_stride") shown.strides = strides;
    if (exe.fault == "no_such_value") adze::check(report.output(call, 100000, &shown));
    if (exe.fault == "not_asked_for")
      adze::check(report.output(call, call->graph->inputs[0], &shown));
    adze::check(report.output(call, output, &shown));
    if (exe.fault == "twice") adze::check(report.output(call, output, &shown));
    if (exe.fault == "ignores_status") static_cast<void>(report.output(call, output, &shown));
  });
}

adze_status profile(void* executable, adze_call* call) noexcept {
  const std::string& fault = static_cast<const Executable*>(executable)->fault;
  const uint32_t node = fault == "profile_node" ? 100000 : 0;
  const adze_profile_row row = {
      sizeof row, ADZE_MEASURED, 1, &node, "CPU", fault == "profile_nan" ? std::nan("") : 1.0, 0};
  return call->report->profile(call, &row);
}

adze_status artifacts(void* executable, adze_call* call) noexcept {
  const std::string& fault = static_cast<const Executable*>(executable)->fault;
  if (fault == "outside") return call->report->artifact(call, "../../etc/passwd");
  if (fault == "no_file") return call->report->artifact(call, "nothing.bin");
  return ADZE_OK;
}

void release(void* executable) noexcept { delete static_cast<Executable*>(executable); }

constexpr adze_backend kBackend = {
    sizeof(adze_backend), 0, place, estimate, compile, nullptr, run, profile, artifacts, release};
constexpr adze_component kComponent =
    adze::component("org.example.bad.backend", "Misbehaves as asked.", kParams, nullptr, &kBackend);
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin = {
    sizeof(adze_plugin), ADZE_ABI_MINOR, 0,          1, "org.example.bad.backend", "1.0.0",
    "Example",           "Apache-2.0",   kComponents};

}  // namespace

const adze_plugin* adze_plugin_v1(void) noexcept { return &kPlugin; }
