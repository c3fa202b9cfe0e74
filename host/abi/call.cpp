#include "host/abi/call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "host/abi/edit_thunks.hpp"
#include "host/base/error.hpp"
#include "host/base/log.hpp"
#include "host/base/text.hpp"

namespace adze::host {
namespace {

LogLevel log_level(std::int32_t level) {
  if (level <= ADZE_LOG_DEBUG) return LogLevel::debug;
  if (level == ADZE_LOG_INFO) return LogLevel::info;
  return level == ADZE_LOG_WARNING ? LogLevel::warning : LogLevel::error;
}

adze_status known_status(adze_status status) {
  return status >= ADZE_OK && status <= ADZE_UNAUTHENTICATED ? status : ADZE_UNKNOWN;
}

/// Which table of the recipe makes the host offer an extension.
const char* what_to_give(std::string_view id) {
  if (id == "adze.calibration/1") return "; give a [calibration] table";
  if (id == "adze.evaluate/1")
    return "; give a [calibration] table with two samples or more, of which some are held out";
  if (id == "adze.dataset/1") return "; give a [train] or a [calibration] table";
  if (id == "adze.latency/1")
    return "; name in [target] a board type whose backend predicts latency";
  return "";
}

}  // namespace

/// What adze_host offers to every call. Nothing may leave these functions but by returning.
struct HostThunks {
  static void log(adze_call* call, std::int32_t level, const char* text) noexcept try {
    host::log(log_level(level), fmt::format("{}: {}", Call::of(call).component().component->id,
                                            one_line(text ? text : "")));
  } catch (...) {  // out of memory: the line is lost, the call goes on
  }

  static std::int32_t progress(adze_call* call, double fraction, const char* doing) noexcept try {
    Call& self = Call::of(call);
    const std::scoped_lock lock(self.mutex_);
    if (!self.stopped_ && self.options_.progress) {
      const double bounded = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0;
      self.stopped_ = self.options_.progress(bounded, one_line(doing ? doing : "", 200));
    }
    return self.stopped_;
  } catch (const std::exception& error) {
    Call::of(call).fail(ADZE_INTERNAL, error.what());
    return 1;
  } catch (...) {
    return 1;
  }

  static adze_status fail(adze_call* call, adze_status code, const char* text) noexcept {
    code = known_status(code);
    if (code == ADZE_OK) code = ADZE_UNKNOWN;  // whoever records a failure fails
    try {
      Call& self = Call::of(call);
      const std::scoped_lock lock(self.mutex_);
      self.error_ = one_line(text ? text : "");
    } catch (...) {  // out of memory: the code alone must do
    }
    return code;
  }

  static const void* get_extension(adze_call* call, const char* id) noexcept {
    if (!id) return nullptr;
    for (const Service* service : Call::of(call).services_)
      if (std::strcmp(service->id(), id) == 0) return service->table();
    return nullptr;
  }

  static constexpr adze_host kTable = {sizeof(adze_host), ADZE_ABI_MINOR, log,
                                       progress,          fail,           get_extension};
};

Call::Call(const Component& component, const Settings& settings, const CallOptions& options)
    : component_(component), arguments_(*component.component, settings), options_(options) {
  call_.struct_size = sizeof call_;
  call_.threads = std::max(1u, options.threads);
  call_.seed = options.seed;
  call_.host = &HostThunks::kTable;
  call_.arguments = arguments_.data();
  call_.target = options.target ? options.target->get() : nullptr;
  call_.impl = this;
}

Call::~Call() = default;

void Call::accept(EditList& edits) {
  edits_ = &edits;
  call_.edit = edit_thunks();
}

void Call::accept(const adze_report* report, void* receiver) {
  receiver_ = receiver;
  call_.report = report;
}

void Call::offer(Service& service) { services_.push_back(&service); }

void Call::check_needs() {
  for (const char* const* id = component_.component->needs; id && *id; ++id)
    if (!HostThunks::get_extension(&call_, *id))
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("'{}' needs '{}', which this call does not offer{}",
                              component_.component->id, *id, what_to_give(*id)));
}

bool Call::stopped() {
  const std::scoped_lock lock(mutex_);
  return stopped_;
}

adze_status Call::fail(adze_status code, const std::string& text) {
  const std::scoped_lock lock(mutex_);
  cause_ = text;
  return code;
}

void Call::check(adze_status status, const char* function) {
  status = known_status(status);
  if (status == ADZE_OK) return;
  const std::scoped_lock lock(mutex_);
  if (status == ADZE_CANCELLED && stopped_)
    throw Error(ADZE_CANCELLED, fmt::format("{} was stopped", component_.component->id));
  std::string text = error_.empty() ? cause_ : error_;
  if (text.empty()) text = "it failed without a reason (R01)";
  if (!error_.empty() && !cause_.empty() && error_ != cause_) text += " (cause: " + cause_ + ")";
  throw PluginError(
      status, fmt::format("plugin '{}', component '{}': {}: {} [{}]",
                          component_.plugin->path.filename().string(), component_.component->id,
                          function, text, status_name(status)));
}

void Call::broke(const char* function, const std::string& rule) {
  throw PluginError(ADZE_INTERNAL, fmt::format("plugin '{}', component '{}': {}: {}",
                                               component_.plugin->path.filename().string(),
                                               component_.component->id, function, rule));
}

std::string Call::refusal() {
  const std::scoped_lock lock(mutex_);
  return cause_;
}

Service& Call::find_service_of_type(bool (*matches)(Service*)) {
  const auto found = std::ranges::find_if(services_, matches);
  if (found == services_.end())
    throw Error(ADZE_INTERNAL, "a host service was called that this call does not offer");
  return **found;
}

Instance::Instance(Call& call) : component_(call.component().component) {
  if (!component_->create) return;
  const adze_graph* graph = std::exchange(call.get()->graph, nullptr);
  const adze_status status = component_->create(call.get(), &self_);
  call.get()->graph = graph;
  call.check(status, "create");
}

Instance::~Instance() {
  // A component that keeps nothing leaves self NULL and need not expect it back.
  if (component_->destroy && self_) component_->destroy(self_);
}

}  // namespace adze::host
