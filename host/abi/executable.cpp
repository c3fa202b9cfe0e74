#include "host/abi/executable.hpp"

#include <adze/ext/draft/integer_constants.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "host/abi/batch.hpp"
#include "host/abi/report.hpp"
#include "host/base/error.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;

template <class... Parts>
[[noreturn]] void refuse(adze_status code, fmt::format_string<Parts...> text, Parts&&... parts) {
  throw Error(code, fmt::format(text, std::forward<Parts>(parts)...));
}

/// A path a plugin gave, below `folder` and a file there: nothing else may get into a bundle.
void check_artifact(const fs::path& folder, const std::string& relative_path) {
  const fs::path path = relative_path;
  if (relative_path.empty() || path.is_absolute() || path.lexically_normal() != path ||
      *path.begin() == "..")
    refuse(ADZE_INVALID_ARGUMENT, "artifact '{}' is no plain path below work_dir", relative_path);
  std::error_code missing;
  const fs::path real = fs::canonical(folder / path, missing);
  if (missing || !fs::is_regular_file(real))
    refuse(ADZE_NOT_FOUND, "artifact '{}' is no file below work_dir", relative_path);
  const fs::path root = fs::canonical(folder);  // work_dir itself may be reached by a link
  if (std::mismatch(root.begin(), root.end(), real.begin(), real.end()).first != root.end())
    refuse(ADZE_INVALID_ARGUMENT, "artifact '{}' leads out of work_dir", relative_path);
}

class CompileReceiver : public ReportReceiver {
 public:
  CompileReceiver(std::vector<std::uint32_t> extras, const fs::path& work_dir,
                  std::set<std::string>& artifacts)
      : extras_(std::move(extras)), work_dir_(work_dir), artifacts_(artifacts) {}

  void unavailable(std::uint32_t value, std::string reason) override {
    if (std::ranges::find(extras_, value) == extras_.end())
      refuse(ADZE_INVALID_ARGUMENT, "report->unavailable: value {} was not asked for", value);
    missing.try_emplace(value, reason.empty() ? "no reason given" : std::move(reason));
  }
  void artifact(const std::string& relative_path) override {
    check_artifact(work_dir_, relative_path);
    artifacts_.insert(relative_path);
  }

  std::map<std::uint32_t, std::string> missing;  // value -> reason

 private:
  std::vector<std::uint32_t> extras_;
  const fs::path& work_dir_;
  std::set<std::string>& artifacts_;
};

class OutputReceiver : public ReportReceiver {
 public:
  OutputReceiver(const Graph& graph, std::span<const std::uint32_t> wanted, std::uint32_t batch)
      : graph_(graph), wanted_(wanted), batch_(batch) {}

  void output(std::uint32_t index, const adze_tensor& contents) override {
    if (std::ranges::find(wanted_, index) == wanted_.end())
      refuse(ADZE_INVALID_ARGUMENT,
             "report->output: value {} is no output of the model and was "
             "not asked for",
             index);
    const Value& value = graph_.value(index);
    if (outputs.contains(index))
      refuse(ADZE_ALREADY_EXISTS, "report->output: '{}' was reported twice", value.name);
    try {
      // First, so that a wrong shape is never read by.
      check_type(value, dtype_of(contents.code, contents.bits), shape_of(contents));
      outputs.emplace(index, copy_of(contents));
    } catch (const Error& error) {
      refuse(error.code, "report->output: '{}' {}", value.name, error.what());
    }
  }

  std::map<std::uint32_t, Tensor> outputs;

 private:
  void check_type(const Value& value, DType dtype, const Shape& shape) const {
    if (dtype != value.dtype)
      refuse(ADZE_INVALID_ARGUMENT, "is of {}, reported as {}", info(value.dtype).name,
             info(dtype).name);
    if (!value.shape) return;
    Shape expected = *value.shape;
    if (value.batch_axis >= 0) expected.at(static_cast<std::size_t>(value.batch_axis)) *= batch_;
    bool fits = expected.size() == shape.size();
    for (std::size_t axis = 0; fits && axis < expected.size(); ++axis)
      fits = expected[axis] < 0 || expected[axis] == shape[axis];
    if (!fits)
      refuse(ADZE_INVALID_ARGUMENT, "is {}, reported as {}", to_string(expected), to_string(shape));
  }

  const Graph& graph_;
  std::span<const std::uint32_t> wanted_;
  std::uint32_t batch_;
};

class ProfileReceiver : public ReportReceiver {
 public:
  explicit ProfileReceiver(const std::vector<std::string>& node_names) : names_(node_names) {}

  void profile(const adze_profile_row& row) override {
    if (!std::isfinite(row.latency_ms) || row.latency_ms < 0)
      refuse(ADZE_INVALID_ARGUMENT, "report->profile: latency_ms is {}", row.latency_ms);
    if (row.source != ADZE_PREDICTED && row.source != ADZE_MEASURED)
      refuse(ADZE_UNIMPLEMENTED, "report->profile: unknown source {}", row.source);
    if (row.node_count > names_.size() || (row.node_count && !row.nodes))
      refuse(ADZE_INVALID_ARGUMENT, "report->profile: {} nodes in a row, the model has {}",
             row.node_count, names_.size());
    ProfileRow& made = rows.emplace_back();
    for (std::uint64_t i = 0; i < row.node_count; ++i) {
      if (row.nodes[i] >= names_.size())
        refuse(ADZE_INVALID_ARGUMENT, "report->profile: there is no node {}", row.nodes[i]);
      made.nodes.push_back(names_[row.nodes[i]]);
    }
    made.engine = row.engine ? row.engine : "";
    made.latency_ms = row.latency_ms;
    made.bytes = row.bytes;
    made.predicted = row.source == ADZE_PREDICTED;
  }

  std::vector<ProfileRow> rows;

 private:
  const std::vector<std::string>& names_;
};

/// The samples [0, valid) of the `batch` in a result of one chunk; one without a batch axis is
/// whole. A sample may be more than one index of the axis (windows of a Swin transformer).
Tensor without_padding(const Value& value, const Tensor& tensor, std::int64_t valid,
                       std::int64_t batch) {
  if (value.batch_axis < 0) return tensor;
  const auto axis = static_cast<std::size_t>(value.batch_axis);
  return slice_padded(tensor, axis, 0, tensor.shape().at(axis) / batch * valid);
}

Tensor joined(const Value& value, std::span<const Tensor> parts) {
  if (value.batch_axis >= 0) return join(parts, static_cast<std::size_t>(value.batch_axis));
  for (const Tensor& part : parts)
    if (!std::ranges::equal(part.bytes(), parts.front().bytes()))
      refuse(
          ADZE_INVALID_ARGUMENT,
          "'{}' has no batch axis but differs from batch to batch: give no more samples than the "
          "compiled batch",
          value.name);
  return parts.front();
}

ConstantsAs constants_for(const Component& backend) {
  return backend.component->flags & ADZE_TAKES_INTEGER_CONSTANTS ? ConstantsAs::integers
                                                                 : ConstantsAs::floats;
}

}  // namespace

Executable::Executable(const Component& backend, Settings settings, Graph graph,
                       std::vector<std::string> node_names, const CallOptions& options,
                       std::uint32_t batch)
    : backend_(backend),
      settings_(std::move(settings)),
      graph_(std::move(graph)),
      node_names_(std::move(node_names)),
      options_(options),
      batch_(batch),
      view_(graph_, {}, constants_for(backend)),
      results_(graph_.outputs) {
  if (backend.kind() != ComponentKind::backend)
    refuse(ADZE_INVALID_ARGUMENT, "'{}' is a {}, not a backend", backend.component->id,
           kind_name(backend.kind()));
  const bool batched = std::ranges::any_of(
      graph_.inputs, [&](std::uint32_t input) { return graph_.value(input).batch_axis >= 0; });
  if (batch_ == 0 || (batch_ > 1 && !batched))
    refuse(ADZE_INVALID_ARGUMENT, "cannot compile for a batch of {}: {}", batch_,
           batch_ ? "no input of the model has a batch axis" : "one sample is the least");
}

Executable::~Executable() {
  if (executable_) backend_.component->backend->release(executable_);
}

void Executable::compile(const fs::path& work_dir, const std::vector<std::uint32_t>& extras,
                         std::span<Service* const> services,
                         std::vector<Unavailable>* unavailable) {
  work_dir_ = work_dir;
  std::vector<std::uint32_t> asked;  // what the outputs do not bring anyway
  for (const std::uint32_t value : extras)
    if (std::ranges::find(results_, value) == results_.end() &&
        std::ranges::find(asked, value) == asked.end())
      asked.push_back(value);
  Call call(backend_, settings_, options_);
  for (Service* service : services) call.offer(*service);
  call.check_needs();
  const Instance instance(call);
  call.show(view_);
  CompileReceiver receiver(asked, work_dir_, artifacts_);
  receiver.receive(call);
  const adze_compile request = {.struct_size = sizeof request,
                                .batch = batch_,
                                .extra_output_count = asked.size(),
                                .extra_outputs = asked.empty() ? nullptr : asked.data(),
                                .work_dir = work_dir_.c_str()};
  void* made = nullptr;
  const adze_status status =
      backend_.component->backend->compile(instance.self(), call.get(), &request, &made);
  if (status == ADZE_OK) executable_ = made;
  receiver.finish(call, status, "compile");
  std::string missing;
  for (const auto& [value, reason] : receiver.missing) {
    const std::string& name = graph_.value(value).name;
    missing += fmt::format("{}'{}' ({})", missing.empty() ? "" : ", ", name, reason);
    if (unavailable) unavailable->push_back({name, reason});
  }
  if (!missing.empty() && !unavailable)
    call.broke("compile", "cannot show what was asked for: " + missing);
  if (!executable_) call.broke("compile", "it reported success but made no executable");
  for (const std::uint32_t value : extras)
    if (!receiver.missing.contains(value)) results_.push_back(value);
}

void Executable::load(const fs::path& dir) {
  const adze_backend& backend = *backend_.component->backend;
  if (!ADZE_HAS(&backend, adze_backend, load))
    refuse(ADZE_UNIMPLEMENTED, "backend '{}' cannot load what it compiled elsewhere",
           backend_.component->id);
  Call call(backend_, settings_, options_);
  call.check_needs();
  const Instance instance(call);
  call.show(view_);
  ReportReceiver receiver;
  receiver.receive(call);
  void* made = nullptr;
  const adze_status status = backend.load(instance.self(), call.get(), dir.c_str(), &made);
  if (status == ADZE_OK) executable_ = made;
  receiver.finish(call, status, "load");
  if (!executable_) call.broke("load", "it reported success but made no executable");
}

/// The number of samples; 0 stands for a model without a batch axis.
std::int64_t Executable::check_inputs(std::span<const Tensor> inputs) const {
  if (inputs.size() != graph_.inputs.size())
    refuse(ADZE_INVALID_ARGUMENT, "the model has {} inputs, {} were given", graph_.inputs.size(),
           inputs.size());
  std::int64_t samples = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph_.value(graph_.inputs[i]);
    const Shape& given = inputs[i].shape();
    if (inputs[i].dtype() != value.dtype)
      refuse(ADZE_INVALID_ARGUMENT, "input '{}' is of {}, given as {}", value.name,
             info(value.dtype).name, info(inputs[i].dtype()).name);
    bool fits = !value.shape || given.size() == value.shape->size();
    for (std::size_t axis = 0; value.shape && fits && axis < given.size(); ++axis)
      fits = (*value.shape)[axis] < 0 || (*value.shape)[axis] == given[axis] ||
             static_cast<std::int32_t>(axis) == value.batch_axis;
    if (!fits)
      refuse(ADZE_INVALID_ARGUMENT, "input '{}' is {}, given as {}", value.name,
             to_string(*value.shape), to_string(given));
    if (value.batch_axis < 0) continue;
    const std::int64_t count = given.at(static_cast<std::size_t>(value.batch_axis));
    if (count == 0 || (samples != 0 && count != samples))
      refuse(ADZE_INVALID_ARGUMENT, "input '{}' has {} samples, {}", value.name, count,
             count ? fmt::format("another one {}", samples) : "at least one is needed");
    samples = count;
  }
  return samples;
}

std::vector<Tensor> Executable::run_once(std::span<const Tensor> inputs) {
  CallOptions options = options_;
  options.progress = {};  // of the whole step, which this is a small part of
  Call call(backend_, settings_, options);
  call.show(view_);
  OutputReceiver receiver(graph_, results_, batch_);
  receiver.receive(call);
  std::vector<Shape> strides(inputs.size());
  std::vector<adze_tensor> shown(inputs.size());
  std::vector<const adze_tensor*> pointers(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    shown[i] = view_of(inputs[i], strides[i]);
    pointers[i] = &shown[i];
  }
  receiver.finish(
      call,
      backend_.component->backend->run(
          executable_, call.get(), pointers.empty() ? nullptr : pointers.data(), pointers.size()),
      "run");
  std::vector<Tensor> results;
  for (const std::uint32_t value : results_) {
    const auto found = receiver.outputs.find(value);
    if (found == receiver.outputs.end())
      call.broke("run", "output '" + graph_.value(value).name + "' was never reported");
    results.push_back(found->second);
  }
  return results;
}

std::vector<NamedTensor> Executable::run(std::span<const Tensor> inputs) {
  const std::int64_t samples = check_inputs(inputs);
  const std::int64_t step = batch_;
  std::vector<std::vector<Tensor>> parts(results_.size());
  for (std::int64_t first = 0; first == 0 || first < samples; first += step) {
    std::vector<Tensor> chunk;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::int32_t axis = graph_.value(graph_.inputs[i]).batch_axis;
      chunk.push_back(axis < 0
                          ? inputs[i]
                          : slice_padded(inputs[i], static_cast<std::size_t>(axis), first, step));
    }
    const std::vector<Tensor> results = run_once(chunk);
    const std::int64_t valid = samples ? std::min(step, samples - first) : step;
    for (std::size_t i = 0; i < results.size(); ++i)
      parts[i].push_back(without_padding(graph_.value(results_[i]), results[i], valid, step));
  }
  std::vector<NamedTensor> outputs;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Value& value = graph_.value(results_[i]);
    outputs.push_back({value.name, joined(value, parts[i])});
  }
  return outputs;
}

std::vector<ProfileRow> Executable::profile() {
  const adze_backend& backend = *backend_.component->backend;
  if (!ADZE_HAS(&backend, adze_backend, profile)) return {};
  Call call(backend_, settings_, options_);
  call.show(view_);
  ProfileReceiver receiver(node_names_);
  receiver.receive(call);
  receiver.finish(call, backend.profile(executable_, call.get()), "profile");
  return std::move(receiver.rows);
}

std::vector<std::string> Executable::artifacts() {
  const adze_backend& backend = *backend_.component->backend;
  if (ADZE_HAS(&backend, adze_backend, artifacts)) {
    Call call(backend_, settings_, options_);
    call.show(view_);
    CompileReceiver receiver({}, work_dir_, artifacts_);
    receiver.receive(call);
    receiver.finish(call, backend.artifacts(executable_, call.get()), "artifacts");
  }
  return {artifacts_.begin(), artifacts_.end()};
}

}  // namespace adze::host
