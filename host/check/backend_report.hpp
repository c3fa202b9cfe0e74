// Takes what a backend reports over all its calls, and judges it.
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "host/abi/report.hpp"
#include "host/graph/graph.hpp"

namespace adze::host::check {

class BackendReport : public ReportReceiver {
 public:
  BackendReport(const Graph& graph, const std::filesystem::path& work_dir)
      : graph_(graph), work_dir_(work_dir) {}

  /// The same object, for the call of `function`.
  ReportReceiver& during(std::string function) {
    function_ = std::move(function);
    return *this;
  }
  void placement(std::uint32_t node, std::uint32_t verdict, std::string engine,
                 std::string reason) override;
  void unavailable(std::uint32_t value, std::string reason) override;
  void output(std::uint32_t value, const adze_tensor& contents) override;
  void profile(const adze_profile_row& row) override;
  void artifact(const std::string& relative_path) override;

  void check_placements();
  void check_outputs();
  void add_fault(const std::string& text);
  /// The first that was found; "" without one.
  const std::string& fault() const { return fault_; }
  const std::map<std::uint32_t, Tensor>& outputs() const { return outputs_; }
  /// Of placements and outputs, but not of times.
  std::string digest() const;
  /// A copy that lives as long as this object.
  const std::int64_t* keep(const Shape& sizes) { return kept_.emplace_back(sizes).data(); }

 private:
  [[noreturn]] void refuse(const std::string& text);

  const Graph& graph_;
  const std::filesystem::path& work_dir_;
  std::string function_, fault_;
  std::map<std::uint32_t, std::string> placements_;
  std::map<std::uint32_t, Tensor> outputs_;
  std::deque<Shape> kept_;
};

}  // namespace adze::host::check
