#include "host/isolate/worker_services.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "host/isolate/worker_call.hpp"
#include "host/plugin/first_sizes.hpp"

namespace adze::host {
namespace {

/// A component steps its arrays by its own idea of the struct's size.
template <class T>
T element_at(const T* first, std::uint64_t index) {
  T element{};
  std::memcpy(&element, reinterpret_cast<const char*>(first) + index * first->struct_size,
              std::min<std::size_t>(first->struct_size, sizeof element));
  return element;
}

template <class T>
bool usable(const T* first, std::uint64_t count) {
  return first && count && reaches_first_size(*first);
}

adze_status collect_thunk(adze_call* call, const adze_stat_request* requests, std::uint64_t count,
                          const adze_stat** out) noexcept {
  return linked(call, [&](WorkerCall& self) -> adze_status {
    Writer question;
    const bool sent = out && usable(requests, count);
    question.number(sent ? count : 0);
    question.number<std::uint8_t>(!sent && count);  // the host shall refuse
    for (std::uint64_t i = 0; sent && i < count; ++i) {
      const adze_stat_request request = element_at(requests, i);
      question.number(request.kind);
      question.number(request.node);
      question.number(request.value);
      question.number(request.state);
      question.number(request.value_state);
      question.number(request.first);
      question.number(request.count);
      question.number(request.bins);
    }
    auto& all = self.services().statistics;
    WorkerServices::Statistics& made = all.emplace_back(self.link().ask(Verb::collect, question));
    Reader& from = made.answer.reader;
    const auto status = from.number<adze_status>();
    for (std::uint64_t i = 0; status == ADZE_OK && sent && i < count; ++i) {
      auto* stat = made.answer.pool.make<adze_stat>();
      stat->struct_size = sizeof *stat;
      made.handles.push_back(from.number<std::uint64_t>());
      stat->terms = from.number<std::uint64_t>();
      stat->low = from.number<double>();
      stat->high = from.number<double>();
      if (const adze_tensor* data = read_tensor(from, made.answer.pool)) stat->data = *data;
      made.live.push_back(stat);
      out[i] = stat;
    }
    made.answer.seal();
    if (made.live.empty()) all.pop_back();
    return status;
  });
}

void release_thunk(adze_call* call, const adze_stat* stat) noexcept {
  linked(call, [&](WorkerCall& self) -> adze_status {
    auto& all = self.services().statistics;
    for (auto made = all.begin(); made != all.end(); ++made)
      for (std::size_t i = 0; i < made->live.size(); ++i) {
        if (made->live[i] != stat) continue;
        Writer question;
        question.number(made->handles[i]);
        made->live.erase(made->live.begin() + static_cast<std::ptrdiff_t>(i));
        made->handles.erase(made->handles.begin() + static_cast<std::ptrdiff_t>(i));
        if (made->live.empty()) all.erase(made);
        return ask_status(self, Verb::release_statistic, question);
      }
    return ADZE_OK;
  });
}

adze_status score_thunk(adze_call* call, std::uint32_t kind, std::uint32_t max_samples,
                        double* out_score) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer question;
    question.number(kind);
    question.number(max_samples);
    const Message came = self.link().ask(Verb::score, question);
    Reader from = came.reader();
    const auto status = from.number<adze_status>();
    if (status == ADZE_OK && out_score) *out_score = from.number<double>();
    return status;
  });
}

adze_status ask_thunk(adze_call* call, const adze_what_if* questions, std::uint64_t count,
                      double* out_latency_ms) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer question;
    const bool sent = out_latency_ms && usable(questions, count);
    question.number(sent ? count : 0);
    question.number<std::uint8_t>(!sent && count);
    for (std::uint64_t i = 0; sent && i < count; ++i) {
      const adze_what_if each = element_at(questions, i);
      question.number(each.node);
      question.number(each.sparsity);
      question.number(each.input_channels);
      question.number(each.output_channels);
    }
    const Message came = self.link().ask(Verb::ask_latency, question);
    Reader from = came.reader();
    const auto status = from.number<adze_status>();
    for (std::uint64_t i = 0; status == ADZE_OK && sent && i < count; ++i)
      out_latency_ms[i] = from.number<double>();
    return status;
  });
}

adze_status batch_thunk(adze_call* call, std::uint32_t split, std::uint32_t batch_size,
                        std::uint64_t epoch, std::uint64_t index, const adze_batch** out) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer question;
    question.number(split);
    question.number(batch_size);
    question.number(epoch);
    question.number(index);
    auto& kept = self.services().batch;
    kept.reset();  // frees the one before while the host fills the next
    self.services().reference.reset();
    kept.emplace(self.link().ask(Verb::batch, question));
    Reader& from = kept->reader;
    const auto status = from.number<adze_status>();
    if (status != ADZE_OK || !out) return status;
    auto* shown = kept->pool.make<adze_batch>();
    shown->struct_size = sizeof *shown;
    shown->sample_count = from.number<std::uint64_t>();
    shown->inputs = read_pointers(from, kept->pool, shown->input_count, read_tensor);
    shown->labels = read_tensor(from, kept->pool);
    kept->seal();
    *out = shown;
    return status;
  });
}

adze_status reference_thunk(adze_call* call, std::uint32_t* out_count,
                            const adze_tensor* const** out) noexcept {
  return linked(call, [&](WorkerCall& self) {
    auto& kept = self.services().reference;
    if (!kept) {
      kept.emplace(self.link().ask(Verb::reference, {}));
      HeldMessage& answer = kept->answer;
      if (const auto status = answer.reader.number<adze_status>(); status != ADZE_OK) {
        kept.reset();
        return status;
      }
      kept->shown = read_pointers(answer.reader, answer.pool, kept->count, read_tensor);
      answer.seal();
    }
    if (out_count) *out_count = kept->count;
    if (out) *out = kept->shown;
    return adze_status{ADZE_OK};
  });
}

const adze_member* read_member(Reader& from, Pool& pool) {
  auto* member = pool.make<adze_member>();
  std::uint64_t count = 0;
  member->struct_size = sizeof *member;
  member->role = from.number<std::uint32_t>();
  member->value = from.number<std::uint32_t>();
  member->node = from.number<std::uint32_t>();
  member->axis = from.number<std::uint32_t>();
  member->span = from.number<std::uint32_t>();
  member->indices = from.array<std::uint32_t>(count);
  return member;
}

const adze_group* read_group(Reader& from, Pool& pool) {
  auto* group = pool.make<adze_group>();
  group->struct_size = sizeof *group;
  group->channel_count = from.number<std::uint32_t>();
  group->multiple = from.number<std::uint32_t>();
  group->members = read_pointers(from, pool, group->member_count, read_member);
  return group;
}

adze_status groups_thunk(adze_call* call, std::uint64_t* out_count,
                         const adze_group* const** out) noexcept {
  return linked(call, [&](WorkerCall& self) {
    // The groups of the graph as shown do not change within a call.
    auto& kept = self.services().groups;
    if (!kept) {
      kept.emplace(self.link().ask(Verb::groups, {}));
      HeldMessage& answer = kept->answer;
      if (const auto status = answer.reader.number<adze_status>(); status != ADZE_OK) {
        kept.reset();
        return status;
      }
      kept->shown = read_pointers(answer.reader, answer.pool, kept->count, read_group);
      answer.seal();
    }
    if (out_count) *out_count = kept->count;
    if (out) *out = kept->shown;
    return adze_status{ADZE_OK};
  });
}

adze_status onnx_bytes_thunk(adze_call* call, const std::uint8_t** out_data,
                             std::uint64_t* out_size) noexcept {
  return linked(call, [&](WorkerCall& self) {
    auto& kept = self.services().onnx_bytes;
    if (!kept) {
      kept.emplace(self.link().ask(Verb::onnx_bytes, {}));
      kept->seal();
    }
    Reader from = kept->reader;
    const auto status = from.number<adze_status>();
    if (status != ADZE_OK) {
      kept.reset();
      return status;
    }
    const auto bytes = from.blob();
    if (out_data) *out_data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    if (out_size) *out_size = bytes.size();
    return status;
  });
}

adze_status onnx_save_thunk(adze_call* call, const char* relative_path) noexcept {
  return linked(call, [&](WorkerCall& self) {
    Writer question;
    question.text(relative_path);
    return ask_status(self, Verb::onnx_save, question);
  });
}

/// The one service that does not ask the host: a function cannot cross to another process.
adze_status for_each_thunk(adze_call* call, std::uint64_t count,
                           void (*body)(void* user, std::uint64_t index), void* user) noexcept {
  return linked(call, [&](WorkerCall& self) -> adze_status {
    WorkerServices& services = self.services();
    if (!body) throw Error(ADZE_INVALID_ARGUMENT, "adze_parallel.for_each: there is no body");
    if (services.threads_are_busy.test_and_set())
      throw Error(ADZE_FAILED_PRECONDITION,
                  "adze_parallel.for_each: a body may not call for_each itself");
    const bool finished = services.threads.for_each(
        count, [&](std::uint64_t index) { body(user, index); }, [&] { return self.stopped(); });
    services.threads_are_busy.clear();
    if (!finished)
      throw Error(ADZE_CANCELLED, "adze_parallel.for_each: stopped before all were started");
    return ADZE_OK;
  });
}

}  // namespace

WorkerServices::WorkerServices(const ReadCall& read)
    : threads(read.call.threads),
      offered_(read),
      calibration_{sizeof calibration_, read.calibration_samples, collect_thunk, release_thunk},
      evaluate_{sizeof evaluate_, read.evaluate_samples, score_thunk},
      latency_{sizeof latency_, read.latency_source, ask_thunk},
      dataset_{sizeof dataset_,     read.labeled, read.train_count,
               read.held_out_count, batch_thunk,  read.reference ? reference_thunk : nullptr},
      structure_{sizeof structure_, 0, groups_thunk},
      refit_{sizeof refit_, static_cast<std::uint32_t>(offered_.refits.size()),
             offered_.refits.data()},
      onnx_{sizeof onnx_, 0, onnx_bytes_thunk, onnx_save_thunk},
      parallel_{sizeof parallel_, 0, for_each_thunk} {}

const void* WorkerServices::find(const char* id) const {
  const std::string_view wanted = id;
  if (wanted == ADZE_CALIBRATION && offered_.calibration) return &calibration_;
  if (wanted == ADZE_EVALUATE && offered_.evaluate) return &evaluate_;
  if (wanted == ADZE_LATENCY && offered_.latency) return &latency_;
  if (wanted == ADZE_DATASET && offered_.dataset) return &dataset_;
  if (wanted == ADZE_STRUCTURE && offered_.structure) return &structure_;
  if (wanted == ADZE_REFIT && offered_.refit) return &refit_;
  if (wanted == ADZE_ONNX_BYTES && offered_.onnx_bytes) return &onnx_;
  if (wanted == ADZE_PARALLEL && offered_.parallel) return &parallel_;
  return nullptr;
}

}  // namespace adze::host
