// What a bundle says about itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "hil/protocol/tensor_spec.hpp"

namespace adze::hil {

inline constexpr std::int64_t kBundleFormat = 1;
inline constexpr std::size_t kMaxManifestBytes = 1u << 20;

struct BundleFile {
  std::string path;  ///< within the bundle
  std::uint64_t size_bytes = 0;
  std::string sha256;  ///< 64 lower case hexadecimal digits
  bool operator==(const BundleFile&) const = default;
};

/// One tensor of the smoke test, whose bytes are the file `path`.
struct SmokeTensor {
  TensorSpec spec;
  std::string path;
  bool operator==(const SmokeTensor&) const = default;
};

struct Manifest {
  std::string board_type;                   ///< "rzv2h"
  std::string backend;                      ///< component that loads the artifacts: "adze.drpai"
  std::string model;                        ///< name for people
  std::int64_t batch = 1;                   ///< samples in one inference
  double predicted_ms = 0;                  ///< of one inference; 0: not predicted
  std::vector<TensorSpec> inputs, outputs;  ///< shapes with the batch
  std::vector<std::string> nodes;           ///< of the compiled graph: what profile rows name
  std::vector<BundleFile> files;            ///< sorted by path
  std::map<std::string, std::string> provenance;  ///< "model_sha256", "toolchain", ...
  std::vector<SmokeTensor> smoke_inputs, smoke_outputs;
  /// The smoke test passes when no element differs from what is expected by more than this share
  /// of the expected output's largest magnitude. It finds broken slots, not inexact arithmetic.
  double smoke_tolerance = 0.05;
  bool operator==(const Manifest&) const = default;

  std::vector<std::byte> encode() const;
  /// Errors: DATA_LOSS saying what is wrong, also for bad paths and files that are missing from
  /// the list; UNIMPLEMENTED for a newer format.
  static Manifest decode(std::span<const std::byte> bytes);
};

/// Relative, printable ASCII, no empty, "." or ".." part, no backslash: a name that cannot leave
/// the folder it is put in.
bool is_safe_path(const std::string& path);

/// Where the parts of a bundle are.
inline constexpr const char* kManifestPath = "manifest.cbor";
inline constexpr const char* kSignaturePath = "manifest.sig";
inline constexpr const char* kArtifactFolder = "artifacts";  ///< what the backend's load() is given
inline constexpr const char* kSmokeFolder = "smoke";

}  // namespace adze::hil
