// What the commands that need a board share.
#pragma once

#include <string>

#include "hil/session/model_bundle.hpp"
#include "hil/session/session.hpp"
#include "host/cli/command.hpp"
#include "host/evaluate/runner.hpp"

namespace adze::host {

/// Progress of a session's step as a bar.
hil::BoardSession::Progress board_progress(ProgressBar& bar);
/// "simulated board sim-01 (rzv2h)", or what is not verified.
std::string describe(const hil::HelloReply& board);
/// Flashes `graph` onto the board at `address` and runs it there; holds the board while it lives.
std::unique_ptr<Runner> open_board_runner(Context& context, const std::string& address,
                                          const std::filesystem::path& model, const Graph& graph);
/// The bundle of a model file for a board type. `smoke_inputs` may be empty.
hil::ModelBundle bundle_of(Context& context, const std::filesystem::path& model, const Graph& graph,
                           const std::string& backend, const std::string& board_type,
                           std::uint32_t batch, std::vector<Tensor> smoke_inputs = {},
                           const hil::SecretKey* key = nullptr);

}  // namespace adze::host
