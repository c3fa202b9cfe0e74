// adze.cpu: runs a model on this machine, in floats, with quantized values quantized.
#include "plugins/tensor_exec/backend.hpp"

namespace {

using adze::exec::Executable;
using adze::exec::Facts;
using adze::exec::Options;
using adze::exec::Program;

struct Compiled {
  Executable executable;
  std::vector<std::uint32_t> report_as;
};

adze_status place(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    const Program program = adze::exec::make_program(*call->graph, adze::exec::Rounding::half_even,
                                                     adze::exec::Contents::small);
    const std::vector<std::string> reasons = adze::exec::unsupported_nodes(program);
    for (std::uint32_t i = 0; i < reasons.size(); ++i)
      adze::check(call->report->placement(call, i, reasons[i].empty() ? ADZE_PLACED : ADZE_REFUSED,
                                          "cpu",
                                          reasons[i].empty() ? nullptr : reasons[i].c_str()));
  });
}

adze_status compile(void*, adze_call* call, const adze_compile* options,
                    void** out_executable) noexcept {
  return adze::guard(call, [&] {
    const adze::exec::Rounding rounding = adze::exec::rounding_of(Facts(call->target));
    Program program = adze::exec::program_for(call, *options, rounding);
    std::vector<std::uint32_t> report_as = program.outputs;
    report_as.insert(report_as.end(), program.extra_outputs.begin(), program.extra_outputs.end());
    const Options how = adze::exec::options_of(*call);
    auto compiled = std::make_unique<Compiled>(
        Compiled{Executable(std::move(program), how), std::move(report_as)});
    *out_executable = compiled.release();
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
    for (const auto& step : static_cast<Compiled*>(executable)->executable.times())
      adze::exec::report_row(call, step.nodes, "cpu", step.latency_ms, step.bytes, ADZE_MEASURED);
  });
}

void release(void* executable) noexcept { delete static_cast<Compiled*>(executable); }

constexpr adze_backend kBackend = {
    sizeof(adze_backend), 0, place, nullptr, compile, nullptr, run, profile, nullptr, release};

const adze_component* component() {
  static const adze_component made =
      adze::exec::component("adze.cpu", "Runs a model on this machine's CPU.", kBackend);
  return &made;
}

}  // namespace

const adze_plugin* adze_plugin_v1(void) noexcept {
  static const adze_component* const components[] = {component()};
  static const adze_plugin plugin =
      adze::plugin("adze.cpu", "0.1.0", "The Adze authors", "Apache-2.0", components);
  return &plugin;
}
