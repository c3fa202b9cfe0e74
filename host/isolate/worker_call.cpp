#include "host/isolate/worker_call.hpp"

#include <algorithm>

#include "host/base/error.hpp"
#include "host/isolate/worker_services.hpp"
#include "host/isolate/worker_thunks.hpp"

namespace adze::host {
namespace {

/// Between two progress messages; what a component calls in between costs no round trip.
constexpr std::int64_t kProgressNs = 10'000'000;

std::int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

}  // namespace

struct WorkerThunks {
  static void log(adze_call* call, std::int32_t level, const char* text) noexcept {
    linked(call, [&](WorkerCall& self) {
      Writer line;
      line.number(level);
      line.text(text);
      self.link().tell(Verb::log, line);
      return ADZE_OK;
    });
  }

  static std::int32_t progress(adze_call* call, double fraction, const char* doing) noexcept {
    linked(call, [&](WorkerCall& self) {
      const std::int64_t now = now_ns();
      if (self.stopped_ || now < self.next_progress_ns_) return ADZE_OK;
      self.next_progress_ns_ = now + kProgressNs;
      Writer step;
      step.number(fraction);
      step.text(doing);
      self.stopped_ = ask_status(self, Verb::progress, step);
      return ADZE_OK;
    });
    return WorkerCall::of(call).stopped_;
  }

  static adze_status fail(adze_call* call, adze_status code, const char* text) noexcept {
    if (code <= ADZE_OK || code > ADZE_UNAUTHENTICATED) code = ADZE_UNKNOWN;
    return WorkerCall::of(call).fail(code, text);
  }

  static const void* get_extension(adze_call* call, const char* id) noexcept {
    return id ? WorkerCall::of(call).services().find(id) : nullptr;
  }

  static constexpr adze_host kTable = {sizeof(adze_host), ADZE_ABI_MINOR, log,
                                       progress,          fail,           get_extension};
};

WorkerCall::WorkerCall(WorkerLink& link, const ReadCall& read, For what, Pool& pool)
    : link_(link),
      services_(std::make_unique<WorkerServices>(read)),
      call_(pool.make<adze_call>()) {
  *call_ = read.call;
  call_->host = &WorkerThunks::kTable;
  call_->edit = what == For::edits ? worker_edits() : nullptr;
  call_->report = what == For::reports ? worker_reports() : nullptr;
  call_->impl = this;
}

WorkerCall::~WorkerCall() = default;

adze_status WorkerCall::fail(adze_status code, const char* text) noexcept try {
  Writer failure;
  failure.number(code);
  failure.text(text);
  link_.tell(Verb::fail, failure);
  return code;
} catch (const std::exception&) {  // out of memory: the code alone must do
  return code;
}

adze_status ask_status(WorkerCall& call, Verb verb, const Writer& contents) {
  return call.link().ask(verb, contents).reader().number<adze_status>();
}

}  // namespace adze::host
