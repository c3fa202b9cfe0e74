#include "host/abi/report.hpp"

#include "host/abi/guard.hpp"
#include "host/base/error.hpp"
#include "host/plugin/first_sizes.hpp"

namespace adze::host {
namespace {

[[noreturn]] void unexpected(const char* function) {
  throw Error(ADZE_FAILED_PRECONDITION,
              std::string("report->") + function + " is not for this call");
}

/// A backend may ignore the status it gets back; the violation is kept for finish().
template <class Body>
adze_status reported(adze_call* call, Body&& body) noexcept {
  return guarded(call, [&](Call& self) {
    auto& receiver = self.receiver<ReportReceiver>();
    try {
      body(receiver);
    } catch (const std::exception& error) {
      if (receiver.violation.empty()) receiver.violation = error.what();
      throw;
    }
  });
}

const char* or_empty(const char* text) { return text ? text : ""; }

adze_status placement(adze_call* call, std::uint32_t node, std::uint32_t verdict,
                      const char* engine, const char* reason) noexcept {
  return reported(call, [&](ReportReceiver& to) {
    to.placement(node, verdict, or_empty(engine), or_empty(reason));
  });
}

adze_status unavailable(adze_call* call, std::uint32_t value, const char* reason) noexcept {
  return reported(call, [&](ReportReceiver& to) { to.unavailable(value, or_empty(reason)); });
}

adze_status output(adze_call* call, std::uint32_t value, const adze_tensor* contents) noexcept {
  return reported(call, [&](ReportReceiver& to) {
    if (!contents) throw Error(ADZE_INVALID_ARGUMENT, "report->output: no tensor");
    to.output(value, *contents);
  });
}

adze_status profile(adze_call* call, const adze_profile_row* row) noexcept {
  return reported(call, [&](ReportReceiver& to) {
    if (!row || !reaches_first_size(*row))
      throw Error(ADZE_INVALID_ARGUMENT, "report->profile: no row, or struct_size is not set");
    to.profile(*row);
  });
}

adze_status artifact(adze_call* call, const char* relative_path) noexcept {
  return reported(call, [&](ReportReceiver& to) { to.artifact(or_empty(relative_path)); });
}

constexpr adze_report kReport = {
    sizeof(adze_report), 0, placement, unavailable, output, profile, artifact};

}  // namespace

void ReportReceiver::placement(std::uint32_t, std::uint32_t, std::string, std::string) {
  unexpected("placement");
}
void ReportReceiver::unavailable(std::uint32_t, std::string) { unexpected("unavailable"); }
void ReportReceiver::output(std::uint32_t, const adze_tensor&) { unexpected("output"); }
void ReportReceiver::profile(const adze_profile_row&) { unexpected("profile"); }
void ReportReceiver::artifact(const std::string&) { unexpected("artifact"); }

void ReportReceiver::receive(Call& call) { call.accept(&kReport, this); }

void ReportReceiver::finish(Call& call, adze_status status, const char* function) const {
  call.check(status, function);
  if (!violation.empty()) call.broke(function, violation);
}

}  // namespace adze::host
