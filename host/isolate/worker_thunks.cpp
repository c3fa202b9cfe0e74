#include "host/isolate/worker_thunks.hpp"

#include <algorithm>

#include "host/base/error.hpp"
#include "host/isolate/worker_call.hpp"
#include "host/plugin/first_sizes.hpp"

namespace adze::host {
namespace {

/// More than any list of a call; a longer one goes without its elements, and the host refuses it.
constexpr std::uint64_t kMostElements = std::uint64_t{1} << 24;

/// The host looks at type and shape first and reads nothing of a constant that does not fit.
bool is_shaped_as(const adze_tensor& given, const adze_tensor* shown) {
  return shown && given.code == shown->code && given.bits == shown->bits &&
         given.ndim == shown->ndim && (given.ndim == 0 || given.shape) &&
         std::equal(given.shape, given.shape + given.ndim, shown->shape);
}

/// The number of scales that a value can have: 1, or as many as one of its axes is long.
bool can_have_scales(const adze_graph& graph, std::uint32_t value, std::uint64_t count) {
  if (count == 1) return true;
  if (value >= graph.value_count) return false;
  const adze_value& shown = *graph.values[value];
  return std::any_of(shown.shape, shown.shape + std::max(0, shown.rank), [&](std::int64_t size) {
    return size >= 0 && static_cast<std::uint64_t>(size) == count;
  });
}

adze_status set_constant(adze_call* call, std::uint32_t value,
                         const adze_tensor* contents) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer edit;
    edit.number(value);
    adze_tensor sent = contents ? *contents : adze_tensor{};
    const adze_graph& graph = *call->graph;
    if (value >= graph.value_count || !is_shaped_as(sent, graph.values[value]->constant))
      sent.data = nullptr;
    write_tensor(edit, contents ? &sent : nullptr);
    return ask_status(self, Verb::set_constant, edit);
  });
}

adze_status set_mask(adze_call* call, std::uint32_t value, const std::uint8_t* keep,
                     std::uint64_t count) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer edit;
    edit.number(value);
    edit.number(count);
    edit.number<std::uint8_t>(keep != nullptr);
    // Only what the host will look at: a wrong count is refused without reading behind the end.
    edit.blob(keep, keep && count == mask_count(*call->graph, value) ? count : 0);
    return ask_status(self, Verb::set_mask, edit);
  });
}

adze_status remove_channels(adze_call* call, std::uint32_t group, const std::uint32_t* channels,
                            std::uint64_t count) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer edit;
    edit.number(group);
    edit.number(count);
    edit.array(channels, channels && count <= kMostElements ? count : 0);
    return ask_status(self, Verb::remove_channels, edit);
  });
}

adze_status set_quant(adze_call* call, std::uint32_t value, const adze_quant* quant) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer edit;
    edit.number(value);
    write_quant(edit, quant, quant && can_have_scales(*call->graph, value, quant->count));
    return ask_status(self, Verb::set_quant, edit);
  });
}

std::uint64_t mark(adze_call* call) noexcept {
  std::uint64_t mark = 0;
  linked(call, [&](WorkerCall& self) {
    mark = self.link().ask(Verb::mark, {}).reader().number<std::uint64_t>();
    return ADZE_OK;
  });
  return mark;
}

adze_status rewind(adze_call* call, std::uint64_t mark) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer edit;
    edit.number(mark);
    return ask_status(self, Verb::rewind, edit);
  });
}

adze_status placement(adze_call* call, std::uint32_t node, std::uint32_t verdict,
                      const char* engine, const char* reason) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer report;
    report.number(node);
    report.number(verdict);
    report.text(engine);
    report.text(reason);
    return ask_status(self, Verb::report_placement, report);
  });
}

adze_status unavailable(adze_call* call, std::uint32_t value, const char* reason) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer report;
    report.number(value);
    report.text(reason);
    return ask_status(self, Verb::report_unavailable, report);
  });
}

adze_status output(adze_call* call, std::uint32_t value, const adze_tensor* contents) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer report;
    report.number(value);
    write_tensor(report, contents);
    return ask_status(self, Verb::report_output, report);
  });
}

adze_status profile(adze_call* call, const adze_profile_row* row) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer report;
    report.number<std::uint8_t>(row && reaches_first_size(*row));
    if (row && reaches_first_size(*row)) {
      report.number(row->source);
      report.number(row->node_count);
      report.array(row->nodes,
                   row->nodes && row->node_count <= kMostElements ? row->node_count : 0);
      report.text(row->engine);
      report.number(row->latency_ms);
      report.number(row->bytes);
    }
    return ask_status(self, Verb::report_profile, report);
  });
}

adze_status artifact(adze_call* call, const char* relative_path) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer report;
    report.text(relative_path);
    return ask_status(self, Verb::report_artifact, report);
  });
}

constexpr adze_edit kEdits = {sizeof(adze_edit), 0,         set_constant, set_mask,
                              remove_channels,   set_quant, mark,         rewind};
constexpr adze_report kReports = {
    sizeof(adze_report), 0, placement, unavailable, output, profile, artifact};

}  // namespace

const adze_edit* worker_edits() { return &kEdits; }
const adze_report* worker_reports() { return &kReports; }

}  // namespace adze::host
