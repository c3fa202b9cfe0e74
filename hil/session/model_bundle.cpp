#include "hil/session/model_bundle.hpp"

#include <nlohmann/json.hpp>
#include <random>

#include "host/abi/loaded_executable.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/dataset/dataset.hpp"

namespace adze::hil {
namespace {

using host::Error;
using host::Graph;
using host::Tensor;

std::optional<double> predict(const Graph& graph, const ModelBundleOptions& options) {
  try {
    return host::estimate(options.backend, options.settings, graph, options.call,
                          std::vector<host::WhatIf>{{}})
        .at(0);
  } catch (const Error& error) {
    if (error.code == ADZE_UNIMPLEMENTED) return std::nullopt;
    throw;
  }
}

std::vector<std::byte> copy_of(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

/// What a compiler that drives other tools says about them, in a file beside what it made.
void add_toolchain(const FileMap& files, std::map<std::string, std::string>& provenance) {
  const auto found = files.find(std::string(kArtifactFolder) + "/toolchain.json");
  if (found == files.end()) return;
  const auto* begin = reinterpret_cast<const char*>(found->second.data());
  const auto facts = nlohmann::json::parse(begin, begin + found->second.size(), nullptr,
                                           /*allow_exceptions=*/false);
  if (!facts.is_object()) return;
  for (const auto& [key, value] : facts.items())
    if (value.is_string()) provenance["toolchain_" + key] = value.get<std::string>();
}

}  // namespace

std::vector<TensorSpec> input_tensor_specs(const Graph& graph, std::int64_t batch) {
  host::input_specs(graph);  // checks that all shapes are known
  std::vector<TensorSpec> specs;
  for (const std::uint32_t input : graph.inputs) {
    const host::Value& value = graph.value(input);
    TensorSpec spec{.name = value.name,
                    .dtype = value.dtype,
                    .shape = *value.shape,
                    .batch_axis = value.batch_axis};
    if (spec.batch_axis >= 0) spec.shape.at(static_cast<std::size_t>(spec.batch_axis)) = batch;
    specs.push_back(std::move(spec));
  }
  return specs;
}

std::vector<Tensor> noise_for(const std::vector<TensorSpec>& specs, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Tensor> tensors;
  for (const TensorSpec& spec : specs) {
    Tensor tensor(spec.dtype, spec.shape);
    if (spec.dtype == host::DType::f32) {
      for (float& v : tensor.mutate<float>())
        v = static_cast<float>(random() >> 40) / static_cast<float>(1 << 23) - 1;
    } else if (info(spec.dtype).code == ADZE_INT || info(spec.dtype).code == ADZE_UINT) {
      // The low byte of each little-endian element.
      std::vector<std::byte> bytes(size_bytes(spec));
      const std::size_t step = info(spec.dtype).bits / 8;
      for (std::size_t at = 0; at < bytes.size(); at += step) bytes[at] = std::byte(random() & 127);
      tensor = Tensor(spec.dtype, spec.shape, std::span<const std::byte>(bytes));
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

ModelBundle make_model_bundle(const Graph& graph, const ModelBundleOptions& options) {
  const adze_component& component = *options.backend.component;
  auto runner = std::make_unique<host::BackendRunner>(
      options.backend, options.settings, graph, options.model, options.call,
      host::CompileOptions{.batch = options.batch, .services = options.services});
  const host::TemporaryDirectory directory;
  FileMap files;
  for (const std::string& path : runner->artifacts(directory.path()))
    files[std::string(kArtifactFolder) + "/" + path] = host::read_file(directory.path() / path);
  if (files.empty())
    throw Error(ADZE_FAILED_PRECONDITION, std::string("backend '") + component.id +
                                              "' makes no files for a board; choose another one");

  Manifest manifest{.board_type = options.board_type,
                    .backend = component.id,
                    .model = options.model,
                    .batch = options.batch,
                    .inputs = input_tensor_specs(graph, options.batch),
                    .nodes = host::node_names_of(graph),
                    .provenance = options.provenance};
  manifest.provenance["backend_version"] = options.backend.plugin->plugin->version;
  add_toolchain(files, manifest.provenance);
  const std::optional<double> predicted = predict(graph, options);
  manifest.predicted_ms = predicted.value_or(0);

  const std::vector<Tensor> inputs =
      options.smoke_inputs.empty() ? noise_for(manifest.inputs, 0) : options.smoke_inputs;
  const auto outputs = runner->run(inputs);
  const auto file_of = [&](const char* kind, std::size_t index, const Tensor& tensor) {
    std::string path =
        std::string(kSmokeFolder) + "/" + kind + "-" + std::to_string(index) + ".bin";
    files[path] = copy_of(tensor.bytes());
    return path;
  };
  for (std::size_t i = 0; i < inputs.size(); ++i)
    manifest.smoke_inputs.push_back(
        {.spec = manifest.inputs.at(i), .path = file_of("input", i, inputs[i])});
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& tensor = outputs[i].tensor;
    manifest.outputs.push_back({.name = outputs[i].name,
                                .dtype = tensor.dtype(),
                                .shape = tensor.shape(),
                                .batch_axis = graph.value(graph.outputs.at(i)).batch_axis});
    manifest.smoke_outputs.push_back(
        {.spec = manifest.outputs.back(), .path = file_of("output", i, tensor)});
  }
  ModelBundle made{.bytes = make_bundle(std::move(manifest), files, options.key),
                   .predicted_ms = predicted,
                   .emulation = std::move(runner)};
  const auto source = memory_source(made.bytes);
  made.id = Bundle(*source).id();
  return made;
}

}  // namespace adze::hil
