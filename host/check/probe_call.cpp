#include "host/check/probe_call.hpp"

#include <adze/ext/calibration.h>

#include <cstring>

namespace adze::host::check {
namespace {

constexpr const char* kSimulated = "out of memory (simulated by adze plugin check)";

bool lists(const char* const* ids, const char* id) {
  for (; ids && *ids; ++ids)
    if (std::strcmp(*ids, id) == 0) return true;
  return false;
}

}  // namespace

/// Each forwards to the host's own function, before or after its turn to fail.
struct ProbeThunks {
  template <class Function, class... Arguments>
  static adze_status forward(adze_call* call, Function function, Arguments... arguments) noexcept {
    ProbeCall& self = ProbeCall::from(call);
    self.on_worker_thread();
    if (self.fails_now()) return self.fail(ADZE_RESOURCE_EXHAUSTED, kSimulated);
    return self.watched(function(call, arguments...));
  }

  static void log(adze_call* call, std::int32_t, const char* text) noexcept {
    ProbeCall& self = ProbeCall::from(call);
    const std::scoped_lock lock(self.mutex_);
    self.logged_.emplace_back(text ? text : "");
  }
  static std::int32_t progress(adze_call* call, double fraction, const char* doing) noexcept {
    return ProbeCall::from(call).real_host_.progress(call, fraction, doing);
  }
  static adze_status fail(adze_call* call, adze_status code, const char* text) noexcept {
    ProbeCall& self = ProbeCall::from(call);
    {
      const std::scoped_lock lock(self.mutex_);
      self.text_ = text ? text : "";
    }
    return self.real_host_.fail(call, code, text);
  }
  static const void* get_extension(adze_call* call, const char* id) noexcept {
    ProbeCall& self = ProbeCall::from(call);
    self.on_worker_thread();
    return self.staged_extension(id);
  }

  static adze_status set_constant(adze_call* call, std::uint32_t value,
                                  const adze_tensor* contents) noexcept {
    return forward(call, ProbeCall::from(call).real_edit_.set_constant, value, contents);
  }
  static adze_status set_mask(adze_call* call, std::uint32_t value, const std::uint8_t* keep,
                              std::uint64_t count) noexcept {
    return forward(call, ProbeCall::from(call).real_edit_.set_mask, value, keep, count);
  }
  static adze_status remove_channels(adze_call* call, std::uint32_t group,
                                     const std::uint32_t* channels, std::uint64_t count) noexcept {
    return forward(call, ProbeCall::from(call).real_edit_.remove_channels, group, channels, count);
  }
  static adze_status set_quant(adze_call* call, std::uint32_t value,
                               const adze_quant* quant) noexcept {
    return forward(call, ProbeCall::from(call).real_edit_.set_quant, value, quant);
  }
  static std::uint64_t mark(adze_call* call) noexcept {
    ProbeCall::from(call).on_worker_thread();
    return ProbeCall::from(call).real_edit_.mark(call);
  }
  static adze_status rewind(adze_call* call, std::uint64_t mark) noexcept {
    return forward(call, ProbeCall::from(call).real_edit_.rewind, mark);
  }

  static adze_status placement(adze_call* call, std::uint32_t node, std::uint32_t verdict,
                               const char* engine, const char* reason) noexcept {
    return forward(call, ProbeCall::from(call).real_report_.placement, node, verdict, engine,
                   reason);
  }
  static adze_status unavailable(adze_call* call, std::uint32_t value,
                                 const char* reason) noexcept {
    return forward(call, ProbeCall::from(call).real_report_.unavailable, value, reason);
  }
  static adze_status output(adze_call* call, std::uint32_t value,
                            const adze_tensor* contents) noexcept {
    return forward(call, ProbeCall::from(call).real_report_.output, value, contents);
  }
  static adze_status profile(adze_call* call, const adze_profile_row* row) noexcept {
    return forward(call, ProbeCall::from(call).real_report_.profile, row);
  }
  static adze_status artifact(adze_call* call, const char* relative_path) noexcept {
    return forward(call, ProbeCall::from(call).real_report_.artifact, relative_path);
  }

  static adze_status collect(adze_call* call, const adze_stat_request* requests,
                             std::uint64_t count, const adze_stat** out) noexcept {
    ProbeCall& self = ProbeCall::from(call);
    self.on_worker_thread();
    if (self.fails_now()) return self.fail(ADZE_RESOURCE_EXHAUSTED, kSimulated);
    const auto* real =
        static_cast<const adze_calibration*>(self.real_host_.get_extension(call, ADZE_CALIBRATION));
    return real->collect(call, requests, count, out);
  }
};

CallOptions ProbeCall::options_of(const Situation& situation, const Target* target,
                                  ProbeCall* probe) {
  // Called under the call's own lock.
  const auto progress = [probe](double, const std::string&) {
    CallCounter& counter = probe->counter_;
    if (++counter.progress != counter.stop_at) return false;
    counter.stopped = true;
    counter.stopped_at = std::chrono::steady_clock::now();
    return true;
  };
  return {
      .threads = situation.threads, .seed = situation.seed, .target = target, .progress = progress};
}

ProbeCall::ProbeCall(const Component& component, const Settings& settings,
                     const Situation& situation, const Target* target, CallCounter& counter)
    : Call(component, settings, options_of(situation, target, this)),
      situation_(situation),
      counter_(counter),
      real_host_(*get()->host) {
  host_ = {sizeof host_,          real_host_.abi_minor, ProbeThunks::log,
           ProbeThunks::progress, ProbeThunks::fail,    ProbeThunks::get_extension};
  get()->host = &host_;
}

void ProbeCall::show_edits(EditList& edits) {
  accept(edits);
  real_edit_ = *get()->edit;
  edit_ = {sizeof edit_,
           0,
           ProbeThunks::set_constant,
           ProbeThunks::set_mask,
           ProbeThunks::remove_channels,
           ProbeThunks::set_quant,
           ProbeThunks::mark,
           ProbeThunks::rewind};
  get()->edit = &edit_;
}

void ProbeCall::show_report(ReportReceiver& receiver) {
  receiver.receive(*this);
  real_report_ = *get()->report;
  report_ = {sizeof report_,         0,
             ProbeThunks::placement, ProbeThunks::unavailable,
             ProbeThunks::output,    ProbeThunks::profile,
             ProbeThunks::artifact};
  get()->report = &report_;
}

adze_call* ProbeCall::shown_through(Stage& stage, std::uint32_t int4) {
  stage_ = &stage;
  adze_call* shown = stage.call(*get(), component().component->param_count, int4);
  stage.seal();
  return shown;
}

bool ProbeCall::fails_now() { return ++counter_.calls == counter_.fail_at; }

adze_status ProbeCall::watched(adze_status status) {
  if (status != ADZE_OK) refused_.push_back(refusal());
  return status;
}

void ProbeCall::on_worker_thread() {
  if (std::this_thread::get_id() == entered_) return;
  const std::scoped_lock lock(mutex_);
  wrong_thread_ = true;
}

const void* ProbeCall::staged_extension(const char* id) {
  const std::scoped_lock lock(mutex_);
  asked_for_.emplace_back(id ? id : "(NULL)");
  if (!id) return nullptr;
  if (situation_.only_needed_extensions && !lists(component().component->needs, id)) return nullptr;
  const auto known = tables_.find(id);
  if (known != tables_.end()) return known->second;
  const void* table = real_host_.get_extension(get(), id);
  if (table && std::strcmp(id, ADZE_CALIBRATION) == 0) {
    adze_calibration watched = *static_cast<const adze_calibration*>(table);
    watched.collect = ProbeThunks::collect;
    table = stage_->table(&watched, "read behind adze_calibration");
  } else if (table) {
    table = stage_->table(table, "read behind the table of an extension");
  }
  tables_[id] = table;
  return table;
}

void ProbeCall::finish(Answer& answer, adze_status status, const char* function) {
  answer.status = status;
  answer.function = function;
  answer.progress_calls = counter_.progress;
  answer.host_calls = counter_.calls;
  if (counter_.stopped)
    answer.ms_after_stop = std::chrono::duration<double, std::milli>(
                               std::chrono::steady_clock::now() - counter_.stopped_at)
                               .count();
  answer.wrong_thread |= wrong_thread_;
  answer.refused.insert(answer.refused.end(), refused_.begin(), refused_.end());
  answer.asked_for.insert(answer.asked_for.end(), asked_for_.begin(), asked_for_.end());
  answer.logged.insert(answer.logged.end(), logged_.begin(), logged_.end());
  answer.text = text_.empty() ? refusal() : text_;
}

}  // namespace adze::host::check
