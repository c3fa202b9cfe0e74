#include "host/pipeline/keep_on_accelerator.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "host/graph/statistics.hpp"

namespace adze::host {
namespace {

/// A grouped convolution along one axis becomes an image, then dense, then square.
constexpr int kMostRounds = 4;

struct Rewritten {
  Graph graph;
  std::map<std::string, double> sparsity;  ///< of the layers that rewrites made, by name
  std::size_t count = 0, cpu_nodes = 0;
  double latency_ms = 0;
};

class Trial {
 public:
  Trial(const Component& backend, const Graph& graph, const CallOptions& options)
      : backend_(backend), graph_(graph), options_(options) {}

  Rewritten rewrite(const std::set<std::string>& kinds, Weights weights) const {
    Rewritten done{graph_, {}};
    for (int round = 0; round < kMostRounds; ++round) {
      std::vector<std::string> names;
      const std::vector<Placement> placements = place(backend_, {}, done.graph, options_);
      done.cpu_nodes = 0;
      for (std::uint32_t n = 0; n < done.graph.nodes.size(); ++n) {
        if (placements[n].unit != "cpu") continue;
        ++done.cpu_nodes;
        const auto found = find_rewrite(done.graph, n);
        if (found && kinds.contains(found->kind)) names.push_back(done.graph.nodes[n].name);
      }
      if (names.empty()) break;
      for (const std::string& name : names)
        for (const MadeLayer& made : apply_rewrite(done.graph, done.graph.find_node(name), weights))
          done.sparsity[made.node] = made.sparsity;
      done.count += names.size();
    }
    done.latency_ms = latency(done);
    return done;
  }

 private:
  double latency(const Rewritten& done) const {
    std::vector<WhatIf> questions;
    for (std::uint32_t n = 0; n < done.graph.nodes.size(); ++n) {
      const Node& node = done.graph.nodes[n];
      const auto made = done.sparsity.find(node.name);
      questions.push_back(
          {n, made == done.sparsity.end() ? zeros_of(done.graph, node).sparsity() : made->second});
    }
    const std::vector<double> answers = estimate(backend_, {}, done.graph, options_, questions);
    return std::accumulate(answers.begin(), answers.end(), 0.0);
  }

  const Component& backend_;
  const Graph& graph_;
  const CallOptions& options_;
};

}  // namespace

KeptOnAccelerator keep_on_accelerator(const Component& backend, const Graph& graph,
                                      const CallOptions& options, Weights weights) {
  const Trial trial(backend, graph, options);
  KeptOnAccelerator kept;
  std::set<std::string> kinds;
  const std::vector<Placement> placements = place(backend, {}, graph, options);
  for (std::uint32_t n = 0; n < graph.nodes.size(); ++n) {
    if (placements[n].unit != "cpu") continue;
    const Node& node = graph.nodes[n];
    kept.leaving.push_back({node.name, node.op, placements[n].reason, find_rewrite(graph, n)});
    if (kept.leaving.back().rewrite) kinds.insert(kept.leaving.back().rewrite->kind);
  }
  const Rewritten before = trial.rewrite({}, Weights::sketched);
  kept.before_ms = before.latency_ms;
  // What one rewrite makes may need another.
  std::set<std::string> useful = kinds;
  if (!useful.empty()) useful.insert({"two_dimensional", "dense_convolution", "square_kernel"});
  double best = trial.rewrite(useful, Weights::sketched).latency_ms;
  for (const std::string& kind : std::set<std::string>(useful)) {
    std::set<std::string> others = useful;
    others.erase(kind);
    const double without = trial.rewrite(others, Weights::sketched).latency_ms;
    if (without > best) continue;
    best = without;
    useful = std::move(others);
  }
  if (best >= kept.before_ms) useful.clear();
  Rewritten done = trial.rewrite(useful, weights);
  kept.after_ms = done.latency_ms;
  kept.rewritten = done.count;
  kept.cpu_nodes = done.cpu_nodes;
  kept.graph = std::move(done.graph);
  for (LeavingNode& node : kept.leaving)
    node.helps = node.rewrite && useful.contains(node.rewrite->kind);
  return kept;
}

}  // namespace adze::host
