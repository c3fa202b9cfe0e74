#include "host/check/trial.hpp"

#include <adze/pruner.h>
#include <adze/quantizer.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/base/error.hpp"
#include "host/base/hash.hpp"
#include "host/check/backend_report.hpp"
#include "host/check/probe_call.hpp"
#include "host/check/services.hpp"
#include "host/pipeline/board_type.hpp"
#include "host/plugin/descriptor.hpp"

namespace adze::host::check {
namespace {

constexpr const char* kUsualBoardType = "rzv2h";
const char kCanary = 0;

/// An out parameter between two words that must stay as they are.
class OutPointer {
 public:
  void** get() { return &words_[1]; }
  void* value() const { return words_[1]; }
  bool intact() const { return words_[0] == canary() && words_[2] == canary(); }

 private:
  static void* canary() { return const_cast<char*>(&kCanary); }
  void* words_[3] = {canary(), nullptr, canary()};
};

std::unique_ptr<Target> target_for(const Component& component, bool with_facts) {
  const char* const* names = component.component->targets;
  const std::string board_type = names && *names ? *names : kUsualBoardType;
  try {
    if (with_facts) return load_target(board_type);
  } catch (const Error&) {  // a board type of the plugin's own
  }
  return std::make_unique<Target>(board_type, std::map<std::string, Target::Fact>{});
}

void append(std::string& bytes, const void* data, std::size_t size) {
  if (size) bytes.append(static_cast<const char*>(data), size);
}

std::string digest_of(const EditList& edits) {
  std::string bytes;
  for (const Edit& edit : edits.edits()) {
    bytes += fmt::format("{} {} ", static_cast<int>(edit.kind), edit.target);
    append(bytes, edit.constant.bytes().data(), edit.constant.size_bytes());
    append(bytes, edit.keep.data(), edit.keep.size());
    append(bytes, edit.channels.data(), edit.channels.size() * sizeof(std::uint32_t));
    if (!edit.quant) continue;
    bytes += fmt::format("{} {} {} ", edit.quant->axis, edit.quant->is_signed, edit.quant->bits);
    append(bytes, edit.quant->scale.data(), edit.quant->scale.size() * sizeof(float));
    append(bytes, edit.quant->zero_point.data(),
           edit.quant->zero_point.size() * sizeof(std::int32_t));
  }
  return sha256_hex(std::as_bytes(std::span(bytes)));
}

/// A backend may say that it does not predict.
bool is_no_answer(adze_status status) {
  return status == ADZE_UNIMPLEMENTED || status == ADZE_FAILED_PRECONDITION ||
         status == ADZE_NOT_FOUND;
}

}  // namespace

std::string Answer::describe() const {
  return fmt::format("{} returned {} ({}){}", function, status, status_name(status),
                     text.empty() ? ", without a text" : ": " + text);
}

/// One call with all that belongs to it.
class Instance::Step {
 public:
  Step(Instance& instance, CallCounter& counter, const Graph& graph,
       const std::vector<std::uint32_t>& targets, const std::filesystem::path& work_dir,
       const std::vector<std::uint32_t>& refits = {})
      : call(instance.component_, instance.settings_, instance.situation_,
             instance.situation_.has_target ? instance.target_.get() : nullptr, counter),
        stage(instance.situation_.behind, instance.situation_.read_only),
        view_(graph, targets) {
    services_ = services_for(instance.component_.kind(), graph, targets, refits,
                             instance.situation_.threads, work_dir);
    for (const auto& service : services_) call.offer(*service);
    call.show(view_);
  }

  adze_call* show(std::uint32_t int4 = kNone) {
    adze_call* shown = call.shown_through(stage, int4);
    checksum_ = stage.checksum();
    return shown;
  }
  void finish(Answer& answer, adze_status status, const char* function) {
    call.finish(answer, status, function);
    answer.changed_input |= stage.checksum() != checksum_;
  }

  ProbeCall call;
  Stage stage;

 private:
  View view_;
  std::vector<std::unique_ptr<Service>> services_;
  std::uint64_t checksum_ = 0;
};

Instance::Instance(Subject& subject, const Component& component, Settings settings,
                   Situation situation)
    : subject_(subject),
      component_(component),
      settings_(std::move(settings)),
      situation_(situation),
      target_(target_for(component, situation.has_facts)) {
  created_.function = "create";
  const auto create = component_.component->create;
  if (!create) return;
  static const Graph kNoGraph;
  CallCounter counter{.fail_at = situation_.fail_at, .stop_at = situation_.stop_at};
  static const std::filesystem::path kNowhere;
  Step step(*this, counter, kNoGraph, {}, kNowhere);
  step.call.get()->graph = nullptr;
  OutPointer out;
  adze_call* shown = step.show();
  adze_status status = ADZE_OK;
  {
    const Subject::Inside inside(subject_, "create", component_.component->id);
    status = create(shown, out.get());
  }
  step.finish(created_, status, "create");
  created_.wrote_past_end = !out.intact();
  if (status == ADZE_OK) self_ = out.value();
}

Instance::~Instance() { destroy(); }

void Instance::destroy() {
  if (component_.component->destroy && self_) {
    const Subject::Inside inside(subject_, "destroy", component_.component->id);
    component_.component->destroy(self_);
  }
  self_ = nullptr;
}

Answer Instance::call(const SampleModel& model) {
  if (!created_.ok()) {
    Answer answer;
    answer.status = created_.status;
    answer.function = created_.function;
    answer.text = created_.text;
    answer.ms_after_stop = created_.ms_after_stop;
    return answer;
  }
  return component_.kind() == ComponentKind::backend ? drive_backend(model) : edit(model);
}

Answer Instance::edit(const SampleModel& model) {
  static const std::vector<std::uint32_t> kNoNodes;
  const bool changes = situation_.with_targets && !situation_.only_refits;
  const auto& targets = changes ? model.targets : kNoNodes;
  const auto& refits = situation_.only_refits ? model.targets : kNoNodes;
  Answer answer;
  EditList& edits = answer.edits.emplace(model.graph, targets, refits);
  CallCounter counter{.fail_at = situation_.fail_at, .stop_at = situation_.stop_at};
  static const std::filesystem::path kNowhere;
  Step step(*this, counter, model.graph, targets, kNowhere, refits);
  step.call.show_edits(edits);
  adze_call* shown = step.show(model.int4);
  const adze_pruner* pruner = component_.component->pruner;
  const char* function = pruner ? "prune" : "quantize";
  adze_status status = ADZE_OK;
  {
    const Subject::Inside inside(subject_, function, component_.component->id);
    status = pruner ? pruner->prune(self_, shown)
                    : component_.component->quantizer->quantize(self_, shown);
  }
  step.finish(answer, status, function);
  answer.digest = digest_of(edits);
  return answer;
}

Answer Instance::drive_backend(const SampleModel& model) {
  const adze_backend& backend = *component_.component->backend;
  const std::filesystem::path work_dir = subject_.new_folder();
  CallCounter counter{.fail_at = situation_.fail_at, .stop_at = situation_.stop_at};
  Answer answer;
  BackendReport report(model.graph, work_dir);
  void* executable = nullptr;
  bool going_on = true;
  const auto step = [&](const char* function, auto&& body) {
    if (!going_on) return;
    Step made(*this, counter, model.graph, model.targets, work_dir);
    made.call.show_report(report.during(function));
    adze_call* shown = made.show(model.int4);
    const Subject::Inside inside(subject_, function, component_.component->id);
    const adze_status status = body(made, shown);
    made.finish(answer, status, function);
    going_on = status == ADZE_OK;
  };

  step("place", [&](Step&, adze_call* call) { return backend.place(self_, call); });
  if (ADZE_HAS(&backend, adze_backend, estimate))
    step("estimate", [&](Step& made, adze_call* call) {
      std::vector<const adze_what_if*> questions = {
          made.stage.what_if({.struct_size = sizeof(adze_what_if), .node = kNone, .sparsity = 0})};
      if (!model.graph.nodes.empty())
        questions.push_back(
            made.stage.what_if({.struct_size = sizeof(adze_what_if), .node = 0, .sparsity = 0.5}));
      constexpr double kUntouched = -4711;
      std::vector<double> latency_ms(questions.size() + 2, kUntouched);
      const adze_status status =
          backend.estimate(self_, call, questions.data(), questions.size(), latency_ms.data() + 1);
      answer.wrote_past_end |= latency_ms.front() != kUntouched || latency_ms.back() != kUntouched;
      if (status == ADZE_OK)
        for (std::size_t i = 1; i <= questions.size(); ++i)
          if (!std::isfinite(latency_ms[i]) || latency_ms[i] < 0)
            report.add_fault(
                fmt::format("estimate: the answer to question {} is {} ms", i - 1, latency_ms[i]));
      return is_no_answer(status) ? ADZE_OK : status;
    });
  step("compile", [&](Step& made, adze_call* call) {
    const adze_compile request = {.struct_size = sizeof request,
                                  .batch = 1,
                                  .extra_output_count = 0,
                                  .extra_outputs = nullptr,
                                  .work_dir = work_dir.c_str()};
    OutPointer out;
    const adze_status status = backend.compile(self_, call, made.stage.compile(request), out.get());
    answer.wrote_past_end |= !out.intact();
    if (status == ADZE_OK) executable = out.value();
    if (status == ADZE_OK && !executable)
      report.add_fault("compile: it reported success but made no executable");
    return status;
  });
  going_on = going_on && executable;
  step("run", [&](Step& made, adze_call* call) {
    std::vector<const adze_tensor*> inputs;
    std::vector<Tensor> tensors;
    for (const std::uint32_t input : model.graph.inputs) {
      Shape shape = model.graph.value(input).shape.value_or(Shape{});
      for (std::int64_t& size : shape) size = size < 0 ? 1 : size;
      const Tensor& tensor = tensors.emplace_back(
          made_up(model.graph.value(input).dtype, shape, model.graph.value(input).name));
      Shape strides;
      // The strides are read while the original lives; the copy needs its own.
      adze_tensor shown = view_of(tensor, strides);
      shown.shape = report.keep(shape);
      shown.strides = report.keep(strides);
      inputs.push_back(made.stage.tensor(shown));
    }
    return backend.run(executable, call, inputs.empty() ? nullptr : inputs.data(), inputs.size());
  });
  if (going_on) report.check_outputs();
  if (ADZE_HAS(&backend, adze_backend, profile))
    step("profile", [&](Step&, adze_call* call) { return backend.profile(executable, call); });
  if (ADZE_HAS(&backend, adze_backend, artifacts))
    step("artifacts", [&](Step&, adze_call* call) { return backend.artifacts(executable, call); });
  if (executable) {
    const Subject::Inside inside(subject_, "release", component_.component->id);
    backend.release(executable);
  }

  if (answer.function != "place" || answer.ok()) report.check_placements();
  answer.executable_fault = report.fault();
  answer.outputs = report.outputs();
  answer.digest = report.digest();
  return answer;
}

Answer try_component(Subject& subject, const Component& component, const SampleModel& model,
                     const Settings& settings, const Situation& situation) {
  Instance instance(subject, component, settings, situation);
  return instance.call(model);
}

SampleModel usual_model(Subject& subject, const Component& component, const Settings& settings) {
  SampleModel model = small_cnn();
  if (component.kind() != ComponentKind::backend) return model;
  const Answer answer = try_component(subject, component, model, settings);
  const bool has_no_kernels = answer.function == "compile" && !answer.text.empty() &&
                              answer.status == ADZE_UNIMPLEMENTED &&
                              answer.executable_fault.empty();
  return has_no_kernels ? elementwise_operators() : model;
}

Settings default_settings(const Component& component, const std::filesystem::path& scratch) {
  Settings settings;
  for (std::uint64_t i = 0; i < component.component->param_count; ++i) {
    const adze_param& param = param_at(*component.component, i);
    const bool is_path = param.type == ADZE_PATH;
    if (!(param.flags & ADZE_PARAM_REQUIRED) && !is_path) continue;
    if (param.flags & (ADZE_PARAM_LIST | ADZE_PARAM_MAP)) continue;
    if (param.type == ADZE_F64)
      settings[param.name] = param.min;
    else if (param.type == ADZE_I64)
      settings[param.name] = static_cast<std::int64_t>(param.min);
    else if (param.type == ADZE_FLAG)
      settings[param.name] = false;
    else
      settings[param.name] = is_path                           ? scratch.string()
                             : param.choices && *param.choices ? std::string(*param.choices)
                                                               : std::string("a");
  }
  return settings;
}

std::string unserved_need(const Component& component) {
  for (const char* const* id = component.component->needs; id && *id; ++id)
    if (!is_served(component.kind(), *id))
      return fmt::format("it needs '{}', which the checker does not offer", *id);
  return "";
}

}  // namespace adze::host::check
