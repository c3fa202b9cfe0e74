// adze.quantize.ptq: INT8 from what calibration samples show, without training.
#include <adze/ext/calibration.h>

#include <adze/adze.hpp>

#include "plugins/ptq/parameters.hpp"
#include "plugins/ptq/quantizer.hpp"

namespace ptq {
namespace {

adze_status run(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] { quantize(call); });
}

constexpr const char* kNeeds[] = {ADZE_CALIBRATION, nullptr};
constexpr adze_quantizer kQuantizer = {sizeof(adze_quantizer), 0, run};
constexpr adze_component kComponent =
    adze::component("adze.quantize.ptq", "INT8 from what calibration samples show, no training.",
                    kParams, kNeeds, &kQuantizer);
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin =
    adze::plugin("adze.ptq", "0.1.0", "The Adze authors", "Apache-2.0", kComponents);

}  // namespace
}  // namespace ptq

const adze_plugin* adze_plugin_v1(void) noexcept { return &ptq::kPlugin; }
