// adze.onnx-bytes/1 as the host serves it: the graph of the call as an ONNX model.
#pragma once

#include <adze/ext/onnx_bytes.h>

#include <filesystem>
#include <optional>

#include "host/abi/call.hpp"

namespace adze::host {

/// Serves one call. Serialized on first use.
class OnnxBytes : public Service {
 public:
  /// `work_dir`: where save() may write; empty: nowhere. Both must outlive the service.
  OnnxBytes(const Graph& graph, std::filesystem::path work_dir)
      : graph_(graph), work_dir_(std::move(work_dir)) {}
  const char* id() const override { return ADZE_ONNX_BYTES; }
  const void* table() const override;

  std::span<const std::byte> bytes();
  /// Errors: INVALID_ARGUMENT for a path that is not below work_dir; FAILED_PRECONDITION without a
  /// work_dir.
  void save(const std::filesystem::path& relative_path) const;

 private:
  const Graph& graph_;
  std::filesystem::path work_dir_;
  std::optional<std::vector<std::byte>> bytes_;
};

}  // namespace adze::host
