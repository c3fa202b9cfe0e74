// A backend for tests of the agent: loads what the file "mode" says and doubles its input.
#include <signal.h>
#include <unistd.h>

#include <adze/adze.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

namespace {

struct Echo {
  std::string mode;
};

constexpr adze_param kParams[] = {
    adze::f64("factor", "What inputs are multiplied by.", 2, -10, 10)};

double g_factor = 2;

/// As without a sanitizer, which would report the signal and exit instead.
void crash() {
  ::signal(SIGSEGV, SIG_DFL);
  ::raise(SIGSEGV);
}

adze_status create(adze_call* call, void** out_self) noexcept {
  g_factor = call->arguments[0]->f64[0];
  *out_self = nullptr;
  return ADZE_OK;
}

adze_status place(void*, adze_call* call) noexcept {
  return call->host->fail(call, ADZE_UNIMPLEMENTED, "echo places nothing");
}

adze_status compile(void*, adze_call* call, const adze_compile*, void**) noexcept {
  return call->host->fail(call, ADZE_UNIMPLEMENTED, "echo compiles nothing");
}

adze_status load(void*, adze_call* call, const char* dir, void** out_executable) noexcept {
  return adze::guard(call, [&] {
    Echo echo;
    std::getline(std::ifstream(std::string(dir) + "/mode"), echo.mode);
    if (echo.mode == "bad") throw adze::Error(ADZE_DATA_LOSS, "the mode is bad");
    if (echo.mode == "crash_load") crash();
    *out_executable = new Echo(echo);
  });
}

adze_status run(void* executable, adze_call* call, const adze_tensor* const* inputs,
                uint64_t count) noexcept {
  return adze::guard(call, [&] {
    const std::string& mode = static_cast<Echo*>(executable)->mode;
    const std::span<const float> x = count == 1 ? adze::f32(inputs[0]) : std::span<const float>{};
    // The smoke test's input begins with 1: the faults are for those who run on.
    if (!x.empty() && x[0] != 1) {
      if (mode == "crash") {
        std::fprintf(stderr, "echo: about to crash\n");
        crash();
      }
      if (mode == "exit") ::_exit(3);
      if (mode == "hang") ::sleep(3600);
      if (mode == "child") {
        if (::fork() == 0) ::sleep(3600);
        ::sleep(3600);
      }
      if (mode == "slow") ::usleep(3'000'000);
      if (mode == "noisy")
        for (int i = 0; i < 5000; ++i) std::fprintf(stderr, "a line of noise number %d\n", i);
      if (mode == "fail") throw adze::Error(ADZE_ABORTED, "echo does not like this input");
    }
    std::vector<float> y(x.begin(), x.end());
    for (float& v : y) v *= static_cast<float>(mode == "wrong" ? 100 : g_factor);
    adze_tensor out = *inputs[0];
    out.data = y.data();
    adze::check(call->report->output(call, call->graph->outputs[0], &out));
  });
}

adze_status profile(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    const uint32_t node = 0;
    const adze_profile_row row{.struct_size = sizeof row,
                               .source = ADZE_MEASURED,
                               .node_count = 1,
                               .nodes = &node,
                               .engine = "ECHO",
                               .latency_ms = 0.5,
                               .bytes = 8};
    adze::check(call->report->profile(call, &row));
  });
}

void release(void* executable) noexcept { delete static_cast<Echo*>(executable); }

constexpr adze_backend kBackend{.struct_size = sizeof(adze_backend),
                                .flags = 0,
                                .place = place,
                                .estimate = nullptr,
                                .compile = compile,
                                .load = load,
                                .run = run,
                                .profile = profile,
                                .artifacts = nullptr,
                                .release = release};

const adze_component kComponent = [] {
  adze_component made =
      adze::component("test.echo", "Doubles its input.", kParams, nullptr, &kBackend);
  made.create = create;
  return made;
}();
const adze_component* const kComponents[] = {&kComponent};
const adze_plugin kPlugin =
    adze::plugin("test.echo", "1.0.0", "Adze tests", "Apache-2.0", kComponents);

}  // namespace

extern "C" ADZE_EXPORT const adze_plugin* adze_plugin_v1(void) noexcept { return &kPlugin; }
