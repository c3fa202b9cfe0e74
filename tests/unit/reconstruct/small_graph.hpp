// Graphs made by hand, as the host shows them.
#pragma once

#include <adze/adze.hpp>
#include <deque>
#include <random>
#include <string>
#include <vector>

namespace reconstruct {

inline std::vector<float> random_elements(std::int64_t count, unsigned seed, float size = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, size);
  std::vector<float> made(static_cast<std::size_t>(count));
  for (float& element : made) element = normal(random);
  return made;
}

class SmallGraph {
 public:
  /// A computed value, `shape` with 1 for the batch.
  std::uint32_t value(const std::string& name, std::vector<std::int64_t> shape) {
    adze_value& made = add(name, std::move(shape));
    made.batch_axis = 0;
    return static_cast<std::uint32_t>(values_.size() - 1);
  }
  std::uint32_t constant(const std::string& name, std::vector<std::int64_t> shape,
                         std::vector<float> elements) {
    adze_value& made = add(name, std::move(shape));
    elements_.push_back(std::move(elements));
    strides_.emplace_back(static_cast<std::size_t>(made.rank));
    std::int64_t stride = 1;
    for (std::int32_t axis = made.rank; axis-- > 0; stride *= made.shape[axis])
      strides_.back()[static_cast<std::size_t>(axis)] = stride;
    tensors_.push_back({elements_.back().data(), 1, 0, made.rank, ADZE_FLOAT, 32, 1, made.shape,
                        strides_.back().data(), 0});
    made.constant = &tensors_.back();
    return static_cast<std::uint32_t>(values_.size() - 1);
  }
  void node(const char* op, std::vector<std::uint32_t> inputs, std::uint32_t output) {
    names_.push_back(std::string(op) + std::to_string(nodes_.size()));
    inputs_.push_back(std::move(inputs));
    outputs_.push_back(output);
    adze_node made{};
    made.struct_size = sizeof made;
    made.op = op, made.domain = "", made.name = names_.back().c_str();
    made.inputs = inputs_.back().data();
    made.input_count = static_cast<std::uint32_t>(inputs_.back().size());
    made.outputs = &outputs_.back(), made.output_count = 1;
    attributes_.emplace_back();
    nodes_.push_back(made);
  }
  /// Of the last node.
  void integers(const char* name, std::vector<std::int64_t> values) {
    integers_.push_back(std::move(values));
    adze_property made{};
    made.struct_size = sizeof made;
    made.type = ADZE_I64, made.name = name;
    made.i64 = integers_.back().data(), made.count = integers_.back().size();
    properties_.push_back(made);
    attributes_.back().push_back(&properties_.back());
    nodes_.back().attributes = attributes_.back().data();
    nodes_.back().attribute_count = attributes_.back().size();
  }
  /// Valid while this lives and nothing is added.
  const adze_graph& graph(std::vector<std::uint32_t> inputs, std::vector<std::uint32_t> outputs) {
    ends_[0] = std::move(inputs), ends_[1] = std::move(outputs);
    for (std::uint32_t output : ends_[1]) values_[output].flags |= ADZE_VALUE_OUTPUT;
    consumers_.assign(values_.size(), {});
    targets_.clear();
    for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
      for (const std::uint32_t input : inputs_[n]) consumers_[input].push_back(n);
      values_[outputs_[n]].producer = n;
      node_pointers_.push_back(&nodes_[n]);
    }
    for (std::size_t v = 0; v < values_.size(); ++v) {
      values_[v].consumers = consumers_[v].data();
      values_[v].consumer_count = consumers_[v].size();
      value_pointers_.push_back(&values_[v]);
    }
    graph_.struct_size = sizeof graph_;
    graph_.nodes = node_pointers_.data(), graph_.values = value_pointers_.data();
    graph_.node_count = static_cast<std::uint32_t>(nodes_.size());
    graph_.value_count = static_cast<std::uint32_t>(values_.size());
    graph_.inputs = ends_[0].data(), graph_.outputs = ends_[1].data();
    graph_.input_count = static_cast<std::uint32_t>(ends_[0].size());
    graph_.output_count = static_cast<std::uint32_t>(ends_[1].size());
    for (std::uint32_t n = 0; n < nodes_.size(); ++n)
      if (adze::weight_of(graph_, nodes_[n]) != ADZE_NONE) targets_.push_back(n);
    graph_.targets = targets_.data();
    graph_.target_count = static_cast<std::uint32_t>(targets_.size());
    return graph_;
  }

 private:
  adze_value& add(const std::string& name, std::vector<std::int64_t> shape) {
    value_names_.push_back(name);
    shapes_.push_back(std::move(shape));
    adze_value made{};
    made.struct_size = sizeof made;
    made.rank = static_cast<std::int32_t>(shapes_.back().size());
    made.batch_axis = -1, made.code = ADZE_FLOAT, made.bits = 32, made.producer = ADZE_NONE;
    made.name = value_names_.back().c_str();
    made.shape = shapes_.back().data();
    values_.push_back(made);
    return values_.back();
  }

  // Elements of a deque stay where they are.
  std::deque<adze_value> values_;
  std::deque<adze_node> nodes_;
  std::deque<adze_property> properties_;
  std::deque<adze_tensor> tensors_;
  std::deque<std::string> names_, value_names_;
  std::deque<std::vector<float>> elements_;
  std::deque<std::vector<std::int64_t>> shapes_, strides_, integers_;
  std::deque<std::vector<std::uint32_t>> inputs_;
  std::deque<std::uint32_t> outputs_;
  std::deque<std::vector<const adze_property*>> attributes_;
  std::vector<std::vector<std::uint32_t>> consumers_;
  std::vector<std::uint32_t> ends_[2], targets_;
  std::vector<const adze_value*> value_pointers_;
  std::vector<const adze_node*> node_pointers_;
  adze_graph graph_{};
};

}  // namespace reconstruct
