// adze.quantize.qat: trains weights and scales together, with masks kept. The training is in a
// library beside the plugins that links LibTorch and is loaded when it is first needed.
#include <adze/ext/draft/dataset.h>
#include <dlfcn.h>

#include <adze/adze.hpp>
#include <filesystem>
#include <string>

#include "plugins/qat/engine.hpp"
#include "plugins/qat/options.hpp"
#include "plugins/qat/parameters.hpp"

namespace qat {
namespace {

using Quantize = decltype(&adze_qat_quantize);

/// lib/adze/qat/adze_qat_engine.so for lib/adze/plugins/adze_qat.so.
std::filesystem::path engine_file() {
  Dl_info here{};
  if (!dladdr(reinterpret_cast<const void*>(&adze_plugin_v1), &here) || !here.dli_fname)
    throw adze::Error(ADZE_INTERNAL, "cannot tell where the plugin lies");
  return std::filesystem::weakly_canonical(here.dli_fname).parent_path().parent_path() / "qat" /
         "adze_qat_engine.so";
}

/// Never unloaded: LibTorch keeps threads.
Quantize load_engine() {
  const std::string file = engine_file();
  if (!std::filesystem::exists(file))
    throw adze::Error(ADZE_UNAVAILABLE,
                      "the library that trains is not there: '" + file +
                          "'; install the Debian package adze-qat again, or build Adze where CMake "
                          "finds LibTorch (libtorch-dev)");
  // RTLD_LOCAL: nothing of LibTorch may stand in for what other plugins bring.
  void* engine = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!engine)
    throw adze::Error(ADZE_UNAVAILABLE,
                      std::string("cannot load LibTorch for training: ") + dlerror() +
                          "; install the Debian package libtorch1.13, or use adze.quantize.ptq, "
                          "which needs no training");
  void* entry = dlsym(engine, "adze_qat_quantize");
  if (!entry)
    throw adze::Error(ADZE_FAILED_PRECONDITION, "'" + file + "' is of another version of Adze");
  return reinterpret_cast<Quantize>(entry);
}

adze_status quantize(void*, adze_call* call) noexcept {
  Quantize entry = nullptr;
  const adze_status loaded = adze::guard(call, [&] {
    read_options(*call);  // what is wrong with them is said before LibTorch is loaded
    static const Quantize engine = load_engine();
    entry = engine;
  });
  return loaded == ADZE_OK ? entry(call) : loaded;
}

constexpr const char* kNeeds[] = {ADZE_DATASET, nullptr};
constexpr adze_quantizer kQuantizer = {sizeof(adze_quantizer), 0, quantize};
constexpr adze_component kComponent =
    adze::component("adze.quantize.qat",
                    "INT8 by training with rounding, or fine-tuning in floats; masks are kept.",
                    kParams, kNeeds, &kQuantizer);
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin =
    adze::plugin("adze.qat", "0.1.0", "The Adze authors", "Apache-2.0", kComponents);

}  // namespace
}  // namespace qat

const adze_plugin* adze_plugin_v1(void) noexcept { return &qat::kPlugin; }
