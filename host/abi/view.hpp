// ABI structs over a graph, built once for a call.
#pragma once

#include <adze/host.h>

#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

/// integers: quantized constants as they are stored, where the graph has them so.
enum class ConstantsAs : std::uint8_t { floats, integers };

/// The graph as a component sees it. f16 and bf16 constants are shown as f32. The graph must
/// outlive the view and stay as it is.
class View {
 public:
  View(const Graph& graph, std::vector<std::uint32_t> targets = {},
       ConstantsAs constants_as = ConstantsAs::floats);
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  const adze_graph* graph() const { return &graph_; }
  /// The constants that are shown as the graph holds them (not widened), by what shows them.
  const std::unordered_map<const adze_tensor*, const Tensor*>& constants() const {
    return constants_;
  }

 private:
  void add_value(const Value& value, ConstantsAs constants_as);
  void add_node(const Node& node);
  const adze_tensor* add_tensor(const Tensor& tensor);
  const adze_property* add_attribute(const std::string& name, const Attribute& attribute);

  std::deque<adze_node> nodes_;
  std::deque<adze_value> values_;
  std::deque<adze_tensor> tensors_;
  std::deque<Tensor> widened_;
  std::deque<Shape> strides_;
  std::deque<adze_quant> quants_;
  std::deque<adze_property> properties_;
  std::deque<std::vector<const adze_property*>> attributes_;
  std::deque<std::vector<const char*>> texts_;
  std::vector<const adze_node*> node_pointers_;
  std::vector<const adze_value*> value_pointers_;
  std::vector<std::uint32_t> targets_;
  std::unordered_map<const adze_tensor*, const Tensor*> constants_;
  adze_graph graph_{};
};

/// The board type a recipe names, flattened to facts ("clock.ai_mhz").
class Target {
 public:
  using Fact = std::variant<double, std::int64_t, bool, std::string, std::vector<double>,
                            std::vector<std::string>>;
  Target(std::string board_type, const std::map<std::string, Fact>& facts);
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  const adze_target* get() const { return &target_; }
  const std::string& board_type() const { return board_type_; }

 private:
  std::string board_type_;
  std::deque<std::string> strings_;
  std::deque<std::vector<double>> f64_;
  std::deque<std::vector<std::int64_t>> i64_;
  std::deque<std::vector<const char*>> texts_;
  std::deque<adze_property> properties_;
  std::vector<const adze_property*> pointers_;
  adze_target target_{};
};

}  // namespace adze::host
