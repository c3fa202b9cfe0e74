// What stands between a function the plugin calls and the host's exceptions.
#pragma once

#include <adze/host.h>

#include <exception>
#include <new>

#include "host/abi/call.hpp"
#include "host/base/error.hpp"

namespace adze::host {

/// Runs body(Call&), records what it throws and returns its code.
template <class Body>
adze_status guarded(adze_call* call, Body&& body) noexcept {
  try {
    Call& self = Call::of(call);
    try {
      body(self);
      return ADZE_OK;
    } catch (const Error& error) {
      return self.fail(error.code, error.what());
    } catch (const std::bad_alloc&) {
      return self.fail(ADZE_RESOURCE_EXHAUSTED, "out of memory");
    } catch (const std::exception& error) {
      return self.fail(ADZE_INTERNAL, error.what());
    }
  } catch (...) {  // the failure itself could not be recorded
    return ADZE_INTERNAL;
  }
}

}  // namespace adze::host
