// adze.onnxruntime: runs a model in the ONNX Runtime whose library the user names.
#include <cstdlib>

#include "plugins/onnxruntime/executable.hpp"
#include "plugins/onnxruntime/placement.hpp"

namespace {

using adze::ort::Api;
using adze::ort::Executable;
using adze::ort::Optimization;

constexpr const char* kOptimizations[] = {"all", "extended", "basic", "none", nullptr};
constexpr const char* kNeeds[] = {ADZE_ONNX_BYTES, nullptr};
constexpr adze_param kParams[] = {
    // A text, because it may be a name that the loader finds.
    adze::text("library",
               "Path of libonnxruntime.so.1; empty: what the environment's ADZE_ONNXRUNTIME names.",
               ""),
    adze::text("optimization",
               "What ONNX Runtime may change in the model: all, extended, basic (nothing that "
               "depends on the kind of processor), none.",
               "all", kOptimizations)};

Api library_of(const adze_call& call) {
  const std::string given = *call.arguments[0]->text;
  if (!given.empty()) return Api(given);
  const char* named = std::getenv("ADZE_ONNXRUNTIME");
  if (!named || !*named)
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "no ONNX Runtime is named: set the parameter 'library' or the environment's "
                      "ADZE_ONNXRUNTIME to the path of libonnxruntime.so.1");
  return Api(named);
}

Optimization optimization_of(const adze_call& call) {
  const std::string_view text = *call.arguments[1]->text;
  return text == "none"       ? Optimization::none
         : text == "basic"    ? Optimization::basic
         : text == "extended" ? Optimization::extended
                              : Optimization::all;
}

adze_status place(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] { adze::ort::place(call, library_of(*call)); });
}

adze_status compile(void*, adze_call* call, const adze_compile* options,
                    void** out_executable) noexcept {
  return adze::guard(call, [&] {
    auto made =
        std::make_unique<Executable>(call, *options, library_of(*call), optimization_of(*call));
    *out_executable = made.release();
  });
}

adze_status run(void* executable, adze_call* call, const adze_tensor* const* inputs,
                uint64_t count) noexcept {
  return adze::guard(call, [&] {
    static_cast<Executable*>(executable)->run(call, {inputs, count});
  });
}

adze_status profile(void* executable, adze_call* call) noexcept {
  return adze::guard(call, [&] { static_cast<Executable*>(executable)->profile(call); });
}

void release(void* executable) noexcept { delete static_cast<Executable*>(executable); }

constexpr adze_backend kBackend = {
    sizeof(adze_backend), 0, place, nullptr, compile, nullptr, run, profile, nullptr, release};

const adze_component* component() {
  static const adze_component made =
      adze::component("adze.onnxruntime", "Runs a model in the ONNX Runtime that the user names.",
                      kParams, kNeeds, &kBackend);
  return &made;
}

}  // namespace

const adze_plugin* adze_plugin_v1(void) noexcept {
  static const adze_component* const components[] = {component()};
  static const adze_plugin plugin =
      adze::plugin("adze.onnxruntime", "0.1.0", "The Adze authors", "Apache-2.0", components);
  return &plugin;
}
