#include "host/isolate/serve.hpp"

#include <adze/backend.h>
#include <adze/pruner.h>
#include <adze/quantizer.h>

#include <map>
#include <memory>

#include "host/base/error.hpp"
#include "host/isolate/kept_memory.hpp"
#include "host/isolate/worker_call.hpp"
#include "host/isolate/worker_services.hpp"

namespace adze::host {
namespace {

/// What compile() or load() made, with the graph that its later calls show.
struct Made {
  std::unique_ptr<HeldMessage> from;
  const adze_graph* graph = nullptr;
  void* executable = nullptr;
};

class ComponentService {
 public:
  ComponentService(Channel& channel, const adze_component& component)
      : channel_(channel), link_(channel), component_(component) {}

  void serve() {
    while (std::optional<Message> message = link_.next_request()) {
      const Verb verb = message->verb();
      if (verb == Verb::keep) {
        kept_.keep(message->reader(), channel_);
        continue;
      }
      auto request = std::make_unique<HeldMessage>(std::move(*message), &kept_);
      Writer result;
      answer(verb, request, result);
      link_.tell(Verb::returned, result);
    }
  }

 private:
  using Kept = std::unique_ptr<HeldMessage>;

  void answer(Verb verb, Kept& request, Writer& result) {
    switch (verb) {
      case Verb::create:
        return create(*request, result);
      case Verb::destroy:
        // As in the host's own process: a component that keeps nothing is not asked.
        if (component_.destroy && self_) component_.destroy(self_);
        self_ = nullptr;
        return result.number<adze_status>(ADZE_OK);
      case Verb::prune:
      case Verb::quantize:
        return edit(verb, *request, result);
      case Verb::place:
      case Verb::estimate:
        return predict(verb, *request, result);
      case Verb::compile:
      case Verb::load:
        return make(verb, request, result);
      case Verb::run:
      case Verb::profile:
      case Verb::artifacts:
        return use(verb, *request, result);
      case Verb::release:
        return release(*request, result);
      default:
        throw Error(ADZE_DATA_LOSS, "the host sent a request that no worker knows");
    }
  }

  void create(HeldMessage& request, Writer& result) {
    WorkerCall call(link_, read(request), WorkerCall::For::neither, request.pool);
    request.seal();
    result.number(component_.create ? component_.create(call.get(), &self_) : ADZE_OK);
  }

  void edit(Verb verb, HeldMessage& request, Writer& result) {
    WorkerCall call(link_, read(request), WorkerCall::For::edits, request.pool);
    request.seal();
    result.number(verb == Verb::prune ? component_.pruner->prune(self_, call.get())
                                      : component_.quantizer->quantize(self_, call.get()));
  }

  void predict(Verb verb, HeldMessage& request, Writer& result) {
    WorkerCall call(link_, read(request), WorkerCall::For::reports, request.pool);
    if (verb == Verb::place) {
      request.seal();
      return result.number(component_.backend->place(self_, call.get()));
    }
    std::uint32_t count = 0;
    const auto read_question = [](Reader& from, Pool& pool) -> const adze_what_if* {
      auto* question = pool.make<adze_what_if>();
      question->struct_size = sizeof *question;
      question->node = from.number<std::uint32_t>();
      question->sparsity = from.number<double>();
      question->input_channels = from.number<std::uint32_t>();
      question->output_channels = from.number<std::uint32_t>();
      return question;
    };
    const auto* questions = read_pointers(request.reader, request.pool, count, read_question);
    std::uint64_t answers = 0;
    const double* before = request.reader.array<double>(answers);
    std::vector<double> latency_ms(before, before + answers);
    latency_ms.resize(count);
    request.seal();
    result.number(
        component_.backend->estimate(self_, call.get(), questions, count, latency_ms.data()));
    result.array(latency_ms.data(), latency_ms.size());
  }

  void make(Verb verb, Kept& request, Writer& result) {
    Reader& from = request->reader;
    WorkerCall call(link_, read(*request), WorkerCall::For::reports, request->pool);
    const auto id = from.number<std::uint32_t>();
    Made made{.graph = call.get()->graph};
    adze_status status = ADZE_OK;
    request->seal();
    if (verb == Verb::compile) {
      std::uint64_t extras = 0;
      adze_compile compile{};
      compile.struct_size = sizeof compile;
      compile.batch = from.number<std::uint32_t>();
      compile.extra_outputs = from.array<std::uint32_t>(extras);
      compile.extra_output_count = extras;
      compile.work_dir = from.text();
      status = component_.backend->compile(self_, call.get(), &compile, &made.executable);
    } else {
      status = component_.backend->load(self_, call.get(), from.text(), &made.executable);
    }
    result.number(status);
    result.number<std::uint8_t>(made.executable != nullptr);
    if (status != ADZE_OK || !made.executable) return;
    made.from = std::move(request);
    made_[id] = std::move(made);
  }

  void use(Verb verb, HeldMessage& request, Writer& result) {
    const ReadCall shown = read(request);
    Made& made = made_.at(request.reader.number<std::uint32_t>());
    WorkerCall call(link_, shown, WorkerCall::For::reports, request.pool);
    if (shown.graph == GraphSource::executable) call.show(made.graph);
    std::uint32_t count = 0;
    const adze_tensor* const* inputs = nullptr;
    if (verb == Verb::run) inputs = read_pointers(request.reader, request.pool, count, read_tensor);
    request.seal();
    if (verb == Verb::profile)
      return result.number(component_.backend->profile(made.executable, call.get()));
    if (verb == Verb::artifacts)
      return result.number(component_.backend->artifacts(made.executable, call.get()));
    result.number(component_.backend->run(made.executable, call.get(), inputs, count));
  }

  void release(HeldMessage& request, Writer& result) {
    const auto found = made_.find(request.reader.number<std::uint32_t>());
    if (found != made_.end()) {
      component_.backend->release(found->second.executable);
      made_.erase(found);
    }
    result.number<adze_status>(ADZE_OK);
  }

  /// What every request begins with. The constants of a graph live as long as the request.
  ReadCall read(HeldMessage& request) {
    ReadCall read = read_call(request.reader, request.pool);
    if (read.graph == GraphSource::here) request.constants = kept_.settle();
    return read;
  }

  Channel& channel_;
  WorkerLink link_;
  KeptMemory kept_;
  const adze_component& component_;
  void* self_ = nullptr;
  std::map<std::uint32_t, Made> made_;
};

}  // namespace

void serve_component(Channel& channel, const Component& component) {
  ComponentService(channel, *component.component).serve();
}

}  // namespace adze::host
