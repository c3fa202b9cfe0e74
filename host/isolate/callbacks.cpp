#include "host/isolate/callbacks.hpp"

#include <adze/backend.h>

#include <cmath>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

/// In one question; each is answered at once, so more would be a mistake.
constexpr std::uint64_t kMostQuestions = 1u << 20;

const char* or_empty(const char* text) { return text ? text : ""; }

[[noreturn]] void not_for_this_call(const char* what) {
  throw Error(ADZE_DATA_LOSS, std::string("a call of ") + what + ", which this call does not have");
}

/// Carries out one callback. The answer begins with the status where there is one.
class Callback {
 public:
  Callback(adze_call* call, Verb verb, Reader& from, Channel& channel)
      : call_(call), verb_(verb), from_(from), channel_(channel) {}

  void serve() {
    if (verb_ == Verb::log || verb_ == Verb::fail) return notice();
    if (verb_ == Verb::progress) return progress();
    if (verb_ >= Verb::set_constant && verb_ <= Verb::rewind) return edit();
    if (verb_ >= Verb::report_placement && verb_ <= Verb::report_artifact) return report();
    service();
  }

 private:
  void reply(const Writer& answer) {
    send_message(channel_, Verb::answer, answer, after_ms(kSendMs));
  }
  void reply(adze_status status) {
    Writer answer;
    answer.number(status);
    reply(answer);
  }

  void notice() {
    const auto number = from_.number<std::int32_t>();
    const char* text = or_empty(from_.text());
    if (verb_ == Verb::log)
      call_->host->log(call_, number, text);
    else
      call_->host->fail(call_, number, text);
  }

  void progress() {
    const auto fraction = from_.number<double>();
    reply(call_->host->progress(call_, fraction, or_empty(from_.text())));
  }

  void edit() {
    if (!call_->edit) not_for_this_call("adze_edit");
    const adze_edit& edit = *call_->edit;
    if (verb_ == Verb::mark) {
      Writer answer;
      answer.number(edit.mark(call_));
      return reply(answer);
    }
    if (verb_ == Verb::rewind) return reply(edit.rewind(call_, from_.number<std::uint64_t>()));
    const auto target = from_.number<std::uint32_t>();
    if (verb_ == Verb::set_constant)
      return reply(edit.set_constant(call_, target, read_tensor(from_, pool_)));
    if (verb_ == Verb::set_quant)
      return reply(edit.set_quant(call_, target, read_quant(from_, pool_)));
    const auto count = from_.number<std::uint64_t>();
    if (verb_ == Verb::set_mask) return reply(set_mask(target, count));
    std::uint64_t sent = 0;
    const auto* channels = from_.array<std::uint32_t>(sent);
    // A list that is too long came without its elements: the same one again and again is refused.
    constexpr std::uint64_t kMostZeros = 1u << 26;
    if (sent != count) channels = count <= kMostZeros ? pool_.make<std::uint32_t>(count) : nullptr;
    reply(edit.remove_channels(call_, target, channels, count));
  }

  adze_status set_mask(std::uint32_t value, std::uint64_t count) {
    const bool given = from_.number<std::uint8_t>();
    const auto keep = from_.blob();
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(keep.data());
    if (count == mask_count(*call_->graph, value)) {
      if (keep.size() != (given ? count : 0)) Reader::refuse();
      return call_->edit->set_mask(call_, value, keep.empty() ? nullptr : bytes, count);
    }
    // Refused by its count, before anything is read.
    static constexpr std::uint8_t kAny = 1;
    return call_->edit->set_mask(call_, value, given ? &kAny : nullptr, count);
  }

  void report() {
    if (!call_->report) not_for_this_call("adze_report");
    const adze_report& report = *call_->report;
    if (verb_ == Verb::report_profile) return reply(report_profile());
    if (verb_ == Verb::report_artifact)
      return reply(report.artifact(call_, or_empty(from_.text())));
    const auto index = from_.number<std::uint32_t>();
    if (verb_ == Verb::report_output)
      return reply(report.output(call_, index, read_tensor(from_, pool_)));
    if (verb_ == Verb::report_unavailable)
      return reply(report.unavailable(call_, index, or_empty(from_.text())));
    const auto verdict = from_.number<std::uint32_t>();
    const char* engine = or_empty(from_.text());
    reply(report.placement(call_, index, verdict, engine, or_empty(from_.text())));
  }

  adze_status report_profile() {
    if (!from_.number<std::uint8_t>()) return call_->report->profile(call_, nullptr);
    adze_profile_row row{};
    std::uint64_t sent = 0;
    row.struct_size = sizeof row;
    row.source = from_.number<std::uint32_t>();
    row.node_count = from_.number<std::uint64_t>();
    row.nodes = from_.array<std::uint32_t>(sent);
    if (sent != row.node_count) row.nodes = nullptr;
    row.engine = or_empty(from_.text());
    row.latency_ms = from_.number<double>();
    row.bytes = from_.number<std::uint64_t>();
    return call_->report->profile(call_, &row);
  }

  void service() {
    const Offers offers = offers_of(call_);
    switch (verb_) {
      case Verb::collect:
        return offers.calibration ? collect(*offers.calibration) : not_for_this_call("collect");
      case Verb::release_statistic:
        return offers.calibration ? release(*offers.calibration) : not_for_this_call("release");
      case Verb::score:
        return offers.evaluate ? score(*offers.evaluate) : not_for_this_call("score");
      case Verb::ask_latency:
        return offers.latency ? ask(*offers.latency) : not_for_this_call("ask");
      case Verb::batch:
        return offers.dataset ? batch(*offers.dataset) : not_for_this_call("batch");
      case Verb::reference:
        return offers.dataset && ADZE_HAS(offers.dataset, adze_dataset, reference)
                   ? reference(*offers.dataset)
                   : not_for_this_call("reference");
      case Verb::groups:
        return offers.structure ? groups(*offers.structure) : not_for_this_call("groups");
      case Verb::onnx_bytes:
        return offers.onnx_bytes ? bytes(*offers.onnx_bytes) : not_for_this_call("bytes");
      case Verb::onnx_save:
        if (!offers.onnx_bytes) not_for_this_call("save");
        return reply(offers.onnx_bytes->save(call_, or_empty(from_.text())));
      default:
        throw Error(ADZE_DATA_LOSS, "a message of an unknown kind");
    }
  }

  /// The number of questions, and whether the component asked in a way the host shall refuse.
  std::uint64_t question_count(bool& refused) {
    const auto count = from_.number<std::uint64_t>();
    refused = from_.number<std::uint8_t>();
    if (count > kMostQuestions) Reader::refuse();
    return count;
  }

  void collect(const adze_calibration& calibration) {
    bool refused = false;
    std::vector<adze_stat_request> requests(question_count(refused));
    if (refused) return reply(calibration.collect(call_, nullptr, 1, nullptr));
    for (adze_stat_request& request : requests) {
      request.struct_size = sizeof request;
      request.kind = from_.number<std::uint32_t>();
      request.node = from_.number<std::uint32_t>();
      request.value = from_.number<std::uint32_t>();
      request.state = from_.number<std::uint32_t>();
      request.value_state = from_.number<std::uint32_t>();
      request.first = from_.number<std::uint64_t>();
      request.count = from_.number<std::uint64_t>();
      request.bins = from_.number<std::uint64_t>();
    }
    std::vector<const adze_stat*> found(requests.size());
    Writer answer;
    const adze_status status =
        calibration.collect(call_, requests.data(), requests.size(), found.data());
    answer.number(status);
    for (std::size_t i = 0; status == ADZE_OK && i < found.size(); ++i) {
      answer.number(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(found[i])));
      answer.number(found[i]->terms);
      answer.number(found[i]->low);
      answer.number(found[i]->high);
      write_tensor(answer, &found[i]->data);
    }
    reply(answer);
  }

  void release(const adze_calibration& calibration) {
    // The host's service looks it up among those it gave and ignores any other.
    const auto handle = from_.number<std::uint64_t>();
    calibration.release(call_, reinterpret_cast<const adze_stat*>(handle));
    reply(ADZE_OK);
  }

  void score(const adze_evaluate& evaluate) {
    const auto kind = from_.number<std::uint32_t>();
    double score = 0;
    Writer answer;
    answer.number(evaluate.score(call_, kind, from_.number<std::uint32_t>(), &score));
    answer.number(score);
    reply(answer);
  }

  void ask(const adze_latency& latency) {
    bool refused = false;
    std::vector<adze_what_if> questions(question_count(refused));
    if (refused) return reply(latency.ask(call_, nullptr, 1, nullptr));
    for (adze_what_if& question : questions) {
      question.struct_size = sizeof question;
      question.node = from_.number<std::uint32_t>();
      question.sparsity = from_.number<double>();
      question.input_channels = from_.number<std::uint32_t>();
      question.output_channels = from_.number<std::uint32_t>();
    }
    std::vector<double> latency_ms(questions.size(), std::nan(""));
    Writer answer;
    answer.number(latency.ask(call_, questions.data(), questions.size(), latency_ms.data()));
    for (const double each : latency_ms) answer.number(each);
    reply(answer);
  }

  void batch(const adze_dataset& dataset) {
    const auto split = from_.number<std::uint32_t>(), size = from_.number<std::uint32_t>();
    const auto epoch = from_.number<std::uint64_t>(), index = from_.number<std::uint64_t>();
    const adze_batch* found = nullptr;
    Writer answer;
    const adze_status status = dataset.batch(call_, split, size, epoch, index, &found);
    answer.number(status);
    if (status == ADZE_OK) {
      answer.number(found->sample_count);
      answer.number(found->input_count);
      for (std::uint32_t i = 0; i < found->input_count; ++i) write_tensor(answer, found->inputs[i]);
      write_tensor(answer, found->labels);
    }
    reply(answer);
  }

  void reference(const adze_dataset& dataset) {
    std::uint32_t count = 0;
    const adze_tensor* const* found = nullptr;
    Writer answer;
    const adze_status status = dataset.reference(call_, &count, &found);
    answer.number(status);
    answer.number(status == ADZE_OK ? count : 0);
    for (std::uint32_t i = 0; status == ADZE_OK && i < count; ++i) write_tensor(answer, found[i]);
    reply(answer);
  }

  void groups(const adze_structure& structure) {
    std::uint64_t count = 0;
    const adze_group* const* found = nullptr;
    Writer answer;
    const adze_status status = structure.groups(call_, &count, &found);
    answer.number(status);
    answer.number(static_cast<std::uint32_t>(status == ADZE_OK ? count : 0));
    for (std::uint64_t i = 0; status == ADZE_OK && i < count; ++i) {
      const adze_group& group = *found[i];
      answer.number(group.channel_count);
      answer.number(group.multiple);
      answer.number(group.member_count);
      for (std::uint32_t m = 0; m < group.member_count; ++m) {
        const adze_member& member = *group.members[m];
        answer.number(member.role);
        answer.number(member.value);
        answer.number(member.node);
        answer.number(member.axis);
        answer.number(member.span);
        answer.array(member.indices, std::uint64_t{group.channel_count} * member.span);
      }
    }
    reply(answer);
  }

  void bytes(const adze_onnx_bytes& onnx) {
    const std::uint8_t* data = nullptr;
    std::uint64_t size = 0;
    Writer answer;
    const adze_status status = onnx.bytes(call_, &data, &size);
    answer.number(status);
    answer.blob(data, status == ADZE_OK ? size : 0);
    reply(answer);
  }

  adze_call* call_;
  Verb verb_;
  Reader& from_;
  Channel& channel_;
  Pool pool_;
};

}  // namespace

void serve_callback(adze_call* call, Verb verb, Reader& from, Channel& channel) {
  Callback(call, verb, from, channel).serve();
}

}  // namespace adze::host
