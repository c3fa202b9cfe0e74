#include "host/isolate/proxy.hpp"

#include <algorithm>

#include "host/base/error.hpp"
#include "host/isolate/remote.hpp"

namespace adze::host {
namespace {

/// What the host holds as `self`.
struct RemoteInstance {
  // Shared: a backend's executables outlive the instance, and its worker lives as long as any.
  std::shared_ptr<RemoteComponent> remote;
};

/// What the host holds as an executable.
struct RemoteExecutable {
  std::shared_ptr<RemoteComponent> remote;
  std::uint32_t id;
  const adze_graph* graph;  ///< what its later calls show: the worker has it already
};

RemoteComponent& remote_of(void* self) { return *static_cast<RemoteInstance*>(self)->remote; }

/// Runs body(), which gives a status; only memory can run out in it.
template <class Body>
adze_status guarded(adze_call* call, Body&& body) noexcept {
  try {
    return body();
  } catch (const Error& error) {
    return call->host->fail(call, error.code, error.what());
  } catch (const std::exception& error) {
    return call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, error.what());
  }
}

adze_status create(adze_call* call, void** out_self) noexcept {
  return guarded(call, [&] {
    auto instance = std::make_unique<RemoteInstance>(
        RemoteInstance{std::make_shared<RemoteComponent>(Call::of(call).component())});
    Writer request;
    write_call(request, call, instance->remote->param_count(), GraphSource::none);
    const adze_status status = instance->remote->ask(call, Verb::create, request);
    if (status == ADZE_OK) *out_self = instance.release();
    return status;
  });
}

void destroy(void* self) noexcept {
  const std::unique_ptr<RemoteInstance> instance(static_cast<RemoteInstance*>(self));
  instance->remote->tell(Verb::destroy, {}, "destroy");
}

/// A function that takes nothing but the call.
adze_status plain(void* self, adze_call* call, Verb verb) noexcept {
  return guarded(call, [&] {
    Writer request;
    request.make_read_only();
    write_call(request, call, remote_of(self).param_count(), GraphSource::here);
    return remote_of(self).ask(call, verb, request);
  });
}

adze_status prune(void* self, adze_call* call) noexcept { return plain(self, call, Verb::prune); }
adze_status quantize(void* self, adze_call* call) noexcept {
  return plain(self, call, Verb::quantize);
}
adze_status place(void* self, adze_call* call) noexcept { return plain(self, call, Verb::place); }

adze_status estimate(void* self, adze_call* call, const adze_what_if* const* questions,
                     std::uint64_t count, double* out_latency_ms) noexcept {
  return guarded(call, [&] {
    Writer request;
    request.make_read_only();
    write_call(request, call, remote_of(self).param_count(), GraphSource::here);
    request.number(static_cast<std::uint32_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) {
      request.number(questions[i]->node);
      request.number(questions[i]->sparsity);
      request.number(questions[i]->input_channels);
      request.number(questions[i]->output_channels);
    }
    request.array(out_latency_ms, count);
    return remote_of(self).ask(call, Verb::estimate, request, [&](Reader& from) {
      std::uint64_t answers = 0;
      const double* latency_ms = from.array<double>(answers);
      if (answers != count) Reader::refuse();
      std::copy_n(latency_ms, count, out_latency_ms);
    });
  });
}

/// compile() and load(): `describe` adds what they take behind the id of the executable.
template <class Describe>
adze_status make(void* self, adze_call* call, Verb verb, void** out_executable,
                 Describe&& describe) noexcept {
  return guarded(call, [&] {
    auto made = std::make_unique<RemoteExecutable>(
        RemoteExecutable{static_cast<RemoteInstance*>(self)->remote,
                         remote_of(self).next_executable(), call->graph});
    Writer request;
    request.make_read_only();
    write_call(request, call, made->remote->param_count(), GraphSource::here);
    request.number(made->id);
    describe(request);
    bool exists = false;
    const adze_status status = made->remote->ask(
        call, verb, request, [&](Reader& from) { exists = from.number<std::uint8_t>(); });
    if (status == ADZE_OK && exists) *out_executable = made.release();
    return status;
  });
}

adze_status compile(void* self, adze_call* call, const adze_compile* options,
                    void** out_executable) noexcept {
  return make(self, call, Verb::compile, out_executable, [&](Writer& request) {
    request.number(options->batch);
    request.array(options->extra_outputs, options->extra_output_count);
    request.text(options->work_dir);
  });
}

adze_status load(void* self, adze_call* call, const char* dir, void** out_executable) noexcept {
  return make(self, call, Verb::load, out_executable, [&](Writer& request) { request.text(dir); });
}

/// A call of an executable up to its id.
void begin(Writer& request, const RemoteExecutable& executable, adze_call* call) {
  write_call(request, call, executable.remote->param_count(),
             call->graph == executable.graph ? GraphSource::executable : GraphSource::here);
  request.number(executable.id);
}

adze_status run(void* handle, adze_call* call, const adze_tensor* const* inputs,
                std::uint64_t count) noexcept {
  const auto& executable = *static_cast<RemoteExecutable*>(handle);
  return guarded(call, [&] {
    Writer request;
    begin(request, executable, call);
    request.number(static_cast<std::uint32_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) write_tensor(request, inputs[i]);
    return executable.remote->ask(call, Verb::run, request);
  });
}

adze_status ask_executable(void* handle, adze_call* call, Verb verb) noexcept {
  const auto& executable = *static_cast<RemoteExecutable*>(handle);
  return guarded(call, [&] {
    Writer request;
    begin(request, executable, call);
    return executable.remote->ask(call, verb, request);
  });
}

adze_status profile(void* handle, adze_call* call) noexcept {
  return ask_executable(handle, call, Verb::profile);
}
adze_status artifacts(void* handle, adze_call* call) noexcept {
  return ask_executable(handle, call, Verb::artifacts);
}

void release(void* handle) noexcept {
  const std::unique_ptr<RemoteExecutable> executable(static_cast<RemoteExecutable*>(handle));
  Writer request;
  request.number(executable->id);
  executable->remote->tell(Verb::release, request, "release");
}

constexpr adze_pruner kPruner = {sizeof(adze_pruner), 0, prune};
constexpr adze_quantizer kQuantizer = {sizeof(adze_quantizer), 0, quantize};
constexpr adze_backend kBackend = {
    sizeof(adze_backend), 0, place, estimate, compile, load, run, profile, artifacts, release};

}  // namespace

const ComponentTables& worker_tables() {
  static constexpr ComponentTables kTables = {create, destroy, &kPruner, &kQuantizer, &kBackend};
  return kTables;
}

}  // namespace adze::host
