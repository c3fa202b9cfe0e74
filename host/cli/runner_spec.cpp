#include "host/cli/runner_spec.hpp"

#include "host/abi/backend.hpp"
#include "host/cli/board_link.hpp"
#include "host/pipeline/board_type.hpp"

namespace adze::host {

OpenedRunner open_runner(Context& context, const std::string& spec, const std::string& board_type,
                         std::uint32_t batch, const std::vector<std::string>& extra_outputs) {
  const std::size_t colon = spec.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == spec.size())
    throw Error(ADZE_INVALID_ARGUMENT, "'" + spec +
                                           "' names no runner: write cpu:MODEL, drpai:MODEL or "
                                           "another backend's id before the colon");
  const std::string id = spec.substr(0, colon);
  if (id == "board") {  // board:sim:ID:MODEL: the address may have a colon of its own
    const std::size_t last = spec.rfind(':');
    if (last == colon || !extra_outputs.empty())
      throw Error(ADZE_INVALID_ARGUMENT,
                  last == colon ? "'" + spec + "' names no model: write board:ID:MODEL"
                                : "a board shows the model's outputs only, not layers; compare "
                                  "layers on the emulation (drpai:MODEL)");
    OpenedRunner opened;
    opened.graph = load_simplified(spec.substr(last + 1));
    opened.runner = open_board_runner(context, spec.substr(colon + 1, last - colon - 1),
                                      spec.substr(last + 1), opened.graph);
    return opened;
  }
  const Component backend = context.registry().find(id);
  if (backend.kind() != ComponentKind::backend)
    throw Error(ADZE_INVALID_ARGUMENT, "'" + id + "' is a " + kind_name(backend.kind()) +
                                           ", not a backend, and cannot run a model");
  OpenedRunner opened;
  opened.graph = load_simplified(spec.substr(colon + 1));
  opened.target = load_target(board_type);
  CallOptions call = context.call_options();
  call.target = opened.target.get();
  opened.runner = std::make_unique<BackendRunner>(
      backend, Settings{}, opened.graph, spec, call,
      CompileOptions{.batch = batch, .extra_outputs = extra_outputs});
  return opened;
}

}  // namespace adze::host
