#include "host/check/backend_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/base/error.hpp"
#include "host/base/hash.hpp"

namespace adze::host::check {

void BackendReport::add_fault(const std::string& text) {
  if (fault_.empty()) fault_ = text;
}

void BackendReport::refuse(const std::string& text) {
  add_fault(function_ + ": " + text);
  throw Error(ADZE_INVALID_ARGUMENT, text);
}

void BackendReport::placement(std::uint32_t node, std::uint32_t verdict, std::string engine,
                              std::string reason) {
  if (function_ != "place") refuse("report->placement is for place()");
  if (node >= graph_.nodes.size())
    refuse(fmt::format("report->placement: there is no node {}", node));
  const std::string& name = graph_.nodes[node].name;
  if (verdict < ADZE_PLACED || verdict > ADZE_REFUSED)
    refuse(fmt::format("report->placement: node '{}': unknown verdict {}", name, verdict));
  if (verdict != ADZE_PLACED && reason.empty())
    refuse(fmt::format("report->placement: node '{}' is not simply placed, which needs a reason",
                       name));
  if (!placements_.emplace(node, fmt::format("{} {} {}", verdict, engine, reason)).second)
    refuse(fmt::format("report->placement: node '{}' was placed twice", name));
}

void BackendReport::unavailable(std::uint32_t value, std::string) {
  refuse(fmt::format("report->unavailable: value {} was not asked for", value));
}

void BackendReport::output(std::uint32_t index, const adze_tensor& contents) {
  if (function_ != "run") refuse("report->output is for run()");
  if (std::ranges::find(graph_.outputs, index) == graph_.outputs.end())
    refuse(fmt::format("report->output: value {} is no output of the model", index));
  const Value& value = graph_.value(index);
  Tensor tensor;
  try {
    tensor = copy_of(contents);
  } catch (const Error& error) {
    refuse(fmt::format("report->output: '{}': {}", value.name, error.what()));
  }
  if (tensor.dtype() != value.dtype)
    refuse(fmt::format("report->output: '{}' is of {}, reported as {}", value.name,
                       info(value.dtype).name, info(tensor.dtype()).name));
  bool fits = !value.shape || value.shape->size() == tensor.shape().size();
  for (std::size_t axis = 0; value.shape && fits && axis < value.shape->size(); ++axis)
    fits = (*value.shape)[axis] < 0 || (*value.shape)[axis] == tensor.shape()[axis];
  if (!fits)
    refuse(fmt::format("report->output: '{}' is {}, reported as {}", value.name,
                       to_string(*value.shape), to_string(tensor.shape())));
  if (!outputs_.emplace(index, std::move(tensor)).second)
    refuse(fmt::format("report->output: '{}' was reported twice", value.name));
}

void BackendReport::profile(const adze_profile_row& row) {
  if (!std::isfinite(row.latency_ms) || row.latency_ms < 0)
    refuse(fmt::format("report->profile: latency_ms is {}", row.latency_ms));
  if (row.source != ADZE_PREDICTED && row.source != ADZE_MEASURED)
    refuse(fmt::format("report->profile: unknown source {}", row.source));
  if (row.node_count > graph_.nodes.size() || (row.node_count && !row.nodes))
    refuse(fmt::format("report->profile: {} nodes in a row, the model has {}", row.node_count,
                       graph_.nodes.size()));
  for (std::uint64_t i = 0; i < row.node_count; ++i)
    if (row.nodes[i] >= graph_.nodes.size())
      refuse(fmt::format("report->profile: there is no node {}", row.nodes[i]));
}

void BackendReport::artifact(const std::string& relative_path) {
  const std::filesystem::path path = relative_path;
  if (relative_path.empty() || path.is_absolute() || path.lexically_normal() != path ||
      *path.begin() == ".." || !std::filesystem::is_regular_file(work_dir_ / path))
    refuse(fmt::format("report->artifact: '{}' is no file below work_dir", relative_path));
}

void BackendReport::check_placements() {
  for (std::uint32_t node = 0; node < graph_.nodes.size(); ++node)
    if (!placements_.contains(node))
      return add_fault(fmt::format("place: node '{}' was never placed", graph_.nodes[node].name));
}

void BackendReport::check_outputs() {
  for (const std::uint32_t output : graph_.outputs)
    if (!outputs_.contains(output))
      return add_fault(
          fmt::format("run: output '{}' was never reported", graph_.value(output).name));
}

std::string BackendReport::digest() const {
  std::string bytes;
  for (const auto& [node, text] : placements_) bytes += fmt::format("{} {}\n", node, text);
  for (const auto& [value, tensor] : outputs_) {
    bytes += fmt::format("{} {}\n", value, to_string(tensor.shape()));
    if (tensor.size_bytes())
      bytes.append(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.size_bytes());
  }
  return sha256_hex(std::as_bytes(std::span(bytes)));
}

}  // namespace adze::host::check
