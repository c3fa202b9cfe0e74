// Which channels of the models of a folder may leave, and whether what is left is a model: removes
// half the channels of each group alone, loads what that makes, and runs some of it in ONNX
// Runtime.
//
// Usage: adze_channel_groups <folder or model>... [--runs N]
//
// ADZE_ONNXRUNTIME names ONNX Runtime's library. `--runs`: groups a model that ONNX Runtime runs,
// spread evenly, and all groups at once (default 4; -1: all). Weights may be missing
// (ConstantOfShape in their place). Exit code 1 when a model fails.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "host/edit/edit.hpp"
#include "host/graph/simplify.hpp"
#include "host/graph/statistics.hpp"
#include "host/onnx/model.hpp"
#include "tests/onnxruntime/ort.hpp"

namespace {

using namespace adze::host;

/// Every other channel of a group.
std::vector<std::uint32_t> half_of(const ChannelGroup& group) {
  std::vector<std::uint32_t> channels;
  for (std::uint32_t channel = 1; channel < group.channels.size(); channel += 2)
    channels.push_back(channel);
  return channels;
}

void run_in_onnxruntime(const Graph& graph, const std::filesystem::path& file) {
  save_model(graph, file);
  adze::testing::OrtSession session(*adze::testing::ort_library(), file, 2);
  std::vector<adze::testing::OrtSession::Tensor> inputs;
  for (const std::uint32_t input : graph.inputs) {
    Shape shape = *graph.value(input).shape;
    for (std::int64_t& size : shape) size = std::max<std::int64_t>(size, 1);
    inputs.push_back(
        {shape, std::vector<float>(static_cast<std::size_t>(element_count(shape)), 0.5f)});
  }
  const auto outputs = session.run(inputs);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i].shape.size() != graph.value(graph.outputs[i]).shape->size())
      throw std::runtime_error("an output has another rank");
}

struct Found {
  std::size_t groups = 0, layers = 0, layers_tied = 0;
  double macs_left = 0;  ///< with half of all groups gone
  std::string staying;   ///< layers that lose nothing
};

Found try_model(const std::filesystem::path& path, int runs, const std::filesystem::path& file) {
  Graph graph = load_model(path);
  simplify(graph);
  std::vector<std::uint32_t> targets;
  for (std::uint32_t n = 0; n < graph.nodes.size(); ++n) targets.push_back(n);
  EditList edits(graph, targets);
  const auto& groups = edits.channel_groups().groups;
  Found found{.groups = groups.size()};

  std::set<std::uint32_t> tied;
  for (const ChannelGroup& group : groups)
    for (const ChannelMember& member : group.members)
      if (member.role == ChannelRole::produces) tied.insert(member.node);
  for (std::uint32_t n = 0; n < graph.nodes.size(); ++n) {
    if (weight_of(graph, graph.nodes[n]) == kNone) continue;
    const Shape& weight = graph.value(weight_of(graph, graph.nodes[n])).constant->shape();
    const bool depthwise = graph.nodes[n].op == "Conv" && weight.size() > 1 && weight[1] == 1;
    if (depthwise && !tied.contains(n)) continue;
    ++found.layers;
    found.layers_tied += tied.contains(n);
    if (!tied.contains(n)) found.staying += " " + graph.nodes[n].name;
  }

  const std::size_t step =
      runs < 0
          ? 1
          : std::max<std::size_t>(groups.size() / static_cast<std::size_t>(std::max(runs, 1)), 1);
  const std::uint64_t start = edits.mark();
  for (std::uint32_t g = 0; g < groups.size(); ++g) {
    edits.rewind(start);
    edits.remove_channels(g, half_of(groups[g]));
    const Graph cut = edits.commit();
    try {
      // Only every so many, but each of a small model.
      if (groups.size() <= 16 || g % step == 0) (void)parse_model(serialize_model(cut), {});
      if (runs != 0 && g % step == 0) run_in_onnxruntime(cut, file);
    } catch (const std::exception& error) {
      throw std::runtime_error(fmt::format("group {}: {}", g, error.what()));
    }
  }
  edits.rewind(start);
  for (std::uint32_t g = 0; g < groups.size(); ++g) edits.remove_channels(g, half_of(groups[g]));
  const Graph cut = edits.commit();
  if (!groups.empty()) run_in_onnxruntime(cut, file);
  double before = 0, after = 0;
  for (const Node& node : graph.nodes) before += static_cast<double>(macs_of(graph, node));
  for (const Node& node : cut.nodes) after += static_cast<double>(macs_of(cut, node));
  found.macs_left = before > 0 ? after / before : 1;
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  int runs = 4;
  std::vector<std::filesystem::path> models;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--runs" && i + 1 < argc) {
      runs = std::atoi(argv[++i]);
    } else if (std::filesystem::is_directory(argument)) {
      for (const auto& entry : std::filesystem::directory_iterator(argument))
        if (entry.path().extension() == ".onnx") models.push_back(entry.path());
    } else {
      models.emplace_back(argument);
    }
  }
  std::ranges::sort(models);
  if (models.empty() || !adze::testing::ort_library()) {
    fmt::print(stderr,
               "usage: {} <folder or model>... [--runs N]; ADZE_ONNXRUNTIME names the library\n",
               argv[0]);
    return 2;
  }
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / fmt::format("adze_channel_groups_{}.onnx", getpid());
  int failed = 0;
  fmt::print("{:36} {:>6} {:>7} {:>9} {:>10}  stays whole\n", "model", "groups", "layers",
             "in groups", "MACs left");
  for (const auto& model : models) {
    try {
      const Found found = try_model(model, runs, file);
      fmt::print("{:36} {:6} {:7} {:9} {:9.1f}% {}\n", model.stem().string(), found.groups,
                 found.layers, found.layers_tied, found.macs_left * 100,
                 found.staying.substr(0, 400));
    } catch (const std::exception& error) {
      ++failed;
      fmt::print("{:36} FAILED: {}\n", model.stem().string(), error.what());
    }
    std::fflush(stdout);
  }
  std::filesystem::remove(file);
  fmt::print("\n{} models, {} failed\n", models.size(), failed);
  return failed ? 1 : 0;
}
