// From a model to what is flashed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hil/protocol/bundle.hpp"
#include "host/abi/backend.hpp"

namespace adze::hil {

struct ModelBundleOptions {
  host::Component backend;               ///< compiles here, and loads on the board
  host::Settings settings;               ///< of the backend
  host::CallOptions call;                ///< with the board type as target
  std::vector<host::Service*> services;  ///< see host::CompileOptions
  std::string board_type;
  std::string model;                              ///< name for people
  std::map<std::string, std::string> provenance;  ///< added to what is known here
  std::uint32_t batch = 1;                        ///< samples in one inference
  /// What the smoke test feeds, `batch` samples; empty: seeded noise.
  std::vector<host::Tensor> smoke_inputs;
  const SecretKey* key = nullptr;  ///< nullptr: unsigned
};

struct ModelBundle {
  std::vector<std::byte> bytes;
  std::string id;
  std::optional<double> predicted_ms;  ///< nullopt: the backend does not predict
  /// The emulation of exactly what was compiled; it uses the target of the options.
  std::unique_ptr<host::Runner> emulation;
};

/// Compiles, predicts, runs the smoke test's inputs through the emulation. The same model and
/// options give the same bytes. Errors: PluginError; FAILED_PRECONDITION when the backend has no
/// files for a board.
ModelBundle make_model_bundle(const host::Graph& graph, const ModelBundleOptions& options);

/// Seeded noise of the shape a model wants: floats in -1..1, integers in 0..127.
std::vector<host::Tensor> noise_for(const std::vector<TensorSpec>& specs, std::uint64_t seed);
/// The model's inputs with the batch.
std::vector<TensorSpec> input_tensor_specs(const host::Graph& graph, std::int64_t batch);

}  // namespace adze::hil
