#include "host/cli/board_link.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>

#include "hil/inventory/inventory.hpp"
#include "hil/inventory/lock.hpp"
#include "hil/record/recorder.hpp"
#include "hil/record/replayer.hpp"
#include "hil/session/board_runner.hpp"
#include "host/base/file.hpp"
#include "host/base/hash.hpp"
#include "host/pipeline/board_type.hpp"

namespace adze::host {
namespace {

/// Of the console, in an error.
constexpr std::size_t kConsoleLines = 10;

class OwnedBoardRunner : public Runner {
 public:
  OwnedBoardRunner(hil::BoardSession session, const std::string& model)
      : session_(std::move(session)), runner_(session_, model) {}
  std::string name() const override { return runner_.name(); }
  std::vector<NamedTensor> run(std::span<const Tensor> inputs) override {
    return runner_.run(inputs);
  }
  std::vector<ProfileRow> profile() override { return runner_.profile(); }

 private:
  hil::BoardSession session_;
  hil::BoardRunner runner_;
};

hil::SessionTimeouts timeouts_of(const hil::InventoryBoard* board, const std::string& address) {
  hil::SessionTimeouts timeouts{.attempts = 5};
  // A key exchange comes first.
  if (address.starts_with("ssh:")) timeouts.hello_ms = 20'000;
  if (!board) return timeouts;
  timeouts.recover_ms = board->replug_s * 1000;
  for (std::int64_t* wait : {&timeouts.hello_ms, &timeouts.quick_ms, &timeouts.store_ms,
                             &timeouts.load_ms, &timeouts.run_ms, &timeouts.silence_ms})
    *wait = static_cast<std::int64_t>(static_cast<double>(*wait) * board->timeout_multiplier);
  return timeouts;
}

hil::BoardSession open_session(const Context& context, const std::string& address,
                               const hil::SessionTimeouts& timeouts) {
  hil::LinkOpener open = [address](Deadline deadline) { return hil::open_link(address, deadline); };
  if (context.recorder) open = context.recorder->record(address, timeouts, std::move(open));
  return hil::BoardSession(std::move(open), timeouts);
}

}  // namespace

hil::BoardSession open_board(const Context& context, const std::string& name) {
  if (context.replayer) {
    const hil::SessionTimeouts timeouts = context.replayer->timeouts();
    return hil::BoardSession(context.replayer->open(), timeouts);
  }
  const hil::Inventory inventory = hil::load_inventory();
  const hil::InventoryBoard* board = inventory.find(name);
  if (!board) {
    // Without an inventory simulated boards have ids, too.
    const std::string id = name.substr(name.starts_with("sim:") ? 4 : 0);
    if (id.find_first_of(":/") == std::string::npos) hil::require_not_locked(id);
    return open_session(context, name, timeouts_of(nullptr, name));
  }
  hil::require_not_locked(board->id);
  if (board->link.starts_with("usb:")) hil::check_place(*board, hil::find_boards());
  auto session = open_session(context, board->link, timeouts_of(board, board->link));
  hil::check_identity(*board, session.board());
  return session;
}

std::unique_ptr<hil::Instruments> instruments_of(const Context& context, const std::string& name) {
  if (!context.replayer) {
    const hil::Inventory inventory = hil::load_inventory();
    if (const hil::InventoryBoard* board = inventory.find(name))
      return std::make_unique<hil::Instruments>(*board);
  }
  return std::make_unique<hil::Instruments>();
}

void with_console(const hil::Instruments& instruments, const std::function<void()>& body) {
  try {
    body();
  } catch (const RigError& error) {
    const std::vector<std::string> lines = instruments.last_console_lines(kConsoleLines);
    if (lines.empty()) throw;
    throw RigError(error.code, fmt::format("{}; its console said last:\n  {}", error.what(),
                                           fmt::join(lines, "\n  ")));
  }
}

hil::BoardSession::Progress board_progress(ProgressBar& bar) {
  return [&bar](double fraction, const std::string& doing) { bar.update(fraction, doing); };
}

std::string describe(const hil::HelloReply& board) {
  return (board.simulated ? "simulated board " : "board ") + board.board + " (" + board.board_type +
         (board.lab ? ", takes unsigned bundles" : "") + ")";
}

hil::ModelBundle bundle_of(Context& context, const std::filesystem::path& model, const Graph& graph,
                           BundleRequest request) {
  const auto own_target = request.target ? nullptr : load_target(request.board_type);
  CallOptions call = context.call_options();
  call.target = request.target ? request.target : own_target.get();
  const Component backend = context.registry().find(request.backend);
  hil::ModelBundle made = hil::make_model_bundle(
      graph, {.backend = backend,
              .settings = parse_settings(*backend.component, request.settings),
              .call = call,
              .services = std::move(request.services),
              .board_type = request.board_type,
              .model = model.filename().string(),
              .provenance = {{"model_sha256", sha256_hex(read_file(model))},
                             {"adze_version", ADZE_VERSION}},
              .batch = request.batch,
              .smoke_inputs = std::move(request.smoke_inputs),
              .key = request.key ? &*request.key : nullptr});
  if (own_target) made.emulation.reset();
  return made;
}

std::filesystem::path default_signing_key() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config && *config) return std::filesystem::path(config) / "adze" / "signing.key";
  const char* home = std::getenv("HOME");
  if (!home || !*home)
    throw Error(ADZE_NOT_FOUND,
                "there is no place for the signing key: neither HOME nor XDG_CONFIG_HOME is set; "
                "name a file");
  return std::filesystem::path(home) / ".config" / "adze" / "signing.key";
}

std::optional<hil::SecretKey> key_for(const hil::HelloReply& board) {
  if (board.lab) return std::nullopt;
  try {
    return hil::load_secret_key(default_signing_key());
  } catch (const Error& error) {
    throw Error(error.code, describe(board) + " takes signed bundles only: " + error.what());
  }
}

std::unique_ptr<Runner> open_board_runner(Context& context, const std::string& address,
                                          const std::filesystem::path& model, const Graph& graph) {
  auto session = open_board(context, address);
  // The agent has one backend; its id is that of a plugin here too, unless it is the vendor's
  // runtime, which loads what the vendor's compiler made.
  const std::string backend = session.info().backend;
  const hil::ModelBundle bundle =
      bundle_of(context, model, graph,
                {.backend = backend == "adze.mera" ? "adze.drpai_tvm" : backend,
                 .board_type = session.board().board_type,
                 .key = key_for(session.board())});
  session.activate(session.flash(*hil::memory_source(bundle.bytes)).bundle);
  return std::make_unique<OwnedBoardRunner>(std::move(session), model.filename().string());
}

}  // namespace adze::host
