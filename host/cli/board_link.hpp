// What the commands that need a board share.
#pragma once

#include <functional>
#include <string>

#include "hil/inventory/instruments.hpp"
#include "hil/session/model_bundle.hpp"
#include "hil/session/session.hpp"
#include "host/cli/command.hpp"
#include "host/evaluate/runner.hpp"

namespace adze::host {

/// What `--board` takes.
inline constexpr const char* kBoardHelp =
    "An id of the inventory, usb:SERIAL, ssh:USER@HOST, tcp:127.0.0.1:PORT, sim:ID or unix:PATH";

/// Opens a board by its id in the inventory or by its address. One that is in the inventory must
/// not be locked by somebody else, must be where it belongs, and must be the board that is listed.
/// Faults of the link are tried to be got over. With context.replayer it is the board of the
/// recording, whatever the name. Errors: as hil::BoardSession::open().
hil::BoardSession open_board(const Context& context, const std::string& name);
/// What the inventory names to listen to while the board works; none of a board that is not in it,
/// or replayed. Errors: those of hil::Instruments.
std::unique_ptr<hil::Instruments> instruments_of(const Context& context, const std::string& name);
/// Runs `body`; when the rig fails, the error also says what the board's console said last.
void with_console(const hil::Instruments& instruments, const std::function<void()>& body);
/// Progress of a session's step as a bar.
hil::BoardSession::Progress board_progress(ProgressBar& bar);
/// "simulated board sim-01 (rzv2h)", or what is not verified.
std::string describe(const hil::HelloReply& board);
/// Flashes `graph` onto the board at `address` and runs it there; holds the board while it lives.
std::unique_ptr<Runner> open_board_runner(Context& context, const std::string& address,
                                          const std::filesystem::path& model, const Graph& graph);

struct BundleRequest {
  std::string backend = "drpai", board_type = "rzv2h";
  std::uint32_t batch = 1;
  std::vector<Tensor> smoke_inputs;   ///< empty: noise
  std::vector<std::string> settings;  ///< of the backend: name=value
  std::vector<Service*> services;     ///< see CompileOptions
  const Target* target = nullptr;     ///< outlives the bundle's emulation; NULL: there will be none
  std::optional<hil::SecretKey> key;  ///< signs
};
/// The bundle of a model file.
hil::ModelBundle bundle_of(Context& context, const std::filesystem::path& model, const Graph& graph,
                           BundleRequest request);

/// Where the key lies that signs unless another one is named: ~/.config/adze/signing.key.
std::filesystem::path default_signing_key();
/// The default key for a board that takes signed bundles only; none for one in lab mode. Errors:
/// those of load_secret_key(), naming the board.
std::optional<hil::SecretKey> key_for(const hil::HelloReply& board);

}  // namespace adze::host
