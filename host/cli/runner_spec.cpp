#include "host/cli/runner_spec.hpp"

#include "host/abi/backend.hpp"
#include "host/cli/board_link.hpp"
#include "host/pipeline/board_type.hpp"

namespace adze::host {
namespace {

constexpr const char* kBoard = "board";

struct Spec {
  std::string id;       ///< of a backend, or "board"
  std::string address;  ///< of a board
  std::string model;
};

Spec parse(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size())
    throw Error(ADZE_INVALID_ARGUMENT, "'" + text +
                                           "' names no runner: write cpu:MODEL, drpai:MODEL or "
                                           "another backend's id before the colon");
  if (text.substr(0, colon) != kBoard) return {text.substr(0, colon), "", text.substr(colon + 1)};
  const std::size_t last = text.rfind(':');  // board:sim:ID:MODEL: the address may have a colon too
  if (last == colon)
    throw Error(ADZE_INVALID_ARGUMENT, "'" + text + "' names no model: write board:ID:MODEL");
  return {kBoard, text.substr(colon + 1, last - colon - 1), text.substr(last + 1)};
}

}  // namespace

OpenedRunner open_runner(Context& context, const std::string& text, const RunnerOptions& options) {
  const Spec spec = parse(text);
  OpenedRunner opened;
  if (spec.id == kBoard) {
    if (!options.settings.empty())
      throw Error(ADZE_INVALID_ARGUMENT,
                  "a board has no arguments to set: they were set when its bundle was made");
    opened.graph = load_simplified(spec.model);
    opened.runner = open_board_runner(context, spec.address, spec.model, opened.graph);
    return opened;
  }
  const Component backend = context.registry().find(spec.id);
  if (backend.kind() != ComponentKind::backend)
    throw Error(ADZE_INVALID_ARGUMENT, "'" + spec.id + "' is a " + kind_name(backend.kind()) +
                                           ", not a backend, and cannot run a model");
  opened.graph = load_simplified(spec.model);
  opened.target = load_target(options.board_type);
  CallOptions call = context.call_options();
  call.target = opened.target.get();
  auto runner = std::make_unique<BackendRunner>(
      backend, parse_settings(*backend.component, options.settings), opened.graph, text, call,
      CompileOptions{
          .batch = options.batch, .extra_outputs = options.layers, .leave_out_unavailable = true});
  opened.unavailable = runner->unavailable();
  opened.runner = std::move(runner);
  return opened;
}

Graph graph_for_layers(const std::string& text) {
  const Spec spec = parse(text);
  if (spec.id == kBoard)
    throw Error(ADZE_INVALID_ARGUMENT,
                "a board shows the model's outputs only, not layers; compare layers on the "
                "emulation (drpai:MODEL)");
  return load_simplified(spec.model);
}

}  // namespace adze::host
