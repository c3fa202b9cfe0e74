// What a node says about itself: attributes, and constants that it reads like attributes.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qat {

class NodeFacts {
 public:
  NodeFacts(const adze_graph& graph, const adze_node& node) : graph_(graph), node_(node) {}

  std::string_view op() const { return node_.op; }
  bool is(std::string_view op) const { return op == node_.op; }
  std::int64_t integer(std::string_view name, std::int64_t absent) const;
  double number(std::string_view name, double absent) const;
  std::string_view text(std::string_view name, std::string_view absent) const;
  std::vector<std::int64_t> integers(std::string_view name) const;  ///< absent: empty

  bool has_input(std::uint32_t index) const;
  /// The value at this input; it must be there.
  const adze_value& input(std::uint32_t index) const;
  const adze_value& output() const { return *graph_.values[node_.outputs[0]]; }
  std::uint32_t output_count() const { return node_.output_count; }
  const adze_value& output(std::uint32_t index) const {
    return *graph_.values[node_.outputs[index]];
  }
  /// Elements of an integer constant; nullopt when the input is left out or computed.
  std::optional<std::vector<std::int64_t>> constant_integers(std::uint32_t index) const;
  /// Elements of a float constant; nullopt when the input is left out or computed.
  std::optional<std::vector<double>> constant_numbers(std::uint32_t index) const;
  /// The attribute in older opsets, the constant input in newer ones; nullopt: neither.
  std::optional<std::vector<std::int64_t>> axes(std::uint32_t index) const;

  [[noreturn]] void refuse(const std::string& why) const;

 private:
  const adze_property* find(std::string_view name) const;

  const adze_graph& graph_;
  const adze_node& node_;
};

}  // namespace qat
