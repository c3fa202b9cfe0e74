#include "plugins/qat/engine.hpp"

#include "plugins/qat/trainer.hpp"

adze_status adze_qat_quantize(adze_call* call) noexcept {
  return adze::guard(call, [&] { qat::train(call); });
}
