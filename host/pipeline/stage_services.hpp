// What the host offers to the component of one stage, as far as the recipe gives what it needs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "host/abi/call.hpp"
#include "host/evaluate/runner.hpp"
#include "host/pipeline/sample_sets.hpp"

namespace adze::host {

class StageServices {
 public:
  struct Backends {
    /// Runs a graph as it is: in floats, or in integers when it is quantized.
    std::function<Component(const Graph&)> run;
    Component predict;  ///< of the board type
    /// What runs in place of a graph that the component sees; empty: that graph.
    std::function<Graph(Graph)> in_place_of = {};
  };

  /// All must outlive this. `loaded`: the model before any stage. `options`: those of the stage's
  /// call.
  StageServices(const Graph& loaded, const Graph& shown, const std::vector<std::uint32_t>& targets,
                const SampleSets& samples, const Backends& backends, const CallOptions& options);

  std::vector<Service*> all() const;

 private:
  template <class T, class... Arguments>
  void add(Arguments&&... arguments) {
    services_.push_back(std::make_unique<T>(std::forward<Arguments>(arguments)...));
  }

  std::vector<std::unique_ptr<Service>> services_;
};

}  // namespace adze::host
