#include "host/cli/runner_spec.hpp"

#include "host/abi/backend.hpp"
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
