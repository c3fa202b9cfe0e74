// adze board: boards on links, what is on them, how fast they are; a simulated one.
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "hil/link/faults.hpp"
#include "host/base/file.hpp"
#include "host/cli/board_fit.hpp"
#include "host/cli/board_inventory.hpp"
#include "host/cli/board_link.hpp"
#include "host/cli/board_measure.hpp"
#include "host/pipeline/board_type.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

struct BoardOptions {
  std::string board, board_type = "rzv2h", backend = "drpai";
  std::filesystem::path bundle, root, socket, token_file, trusted;
  std::optional<int> tcp;  ///< port
  std::string pace;
  std::vector<std::string> settings, faults;
};

void show_info(const BoardOptions& options, Context& context) {
  auto session = open_board(context, options.board);
  const hil::InfoReply info = session.info();
  const hil::Telemetry telemetry = session.telemetry();
  const auto or_null = [](double value) {
    return std::isfinite(value) ? json(value) : json(nullptr);
  };
  json slots = json::array();
  std::string text = fmt::format("{}\n  agent {}, backend {}, {} on {}\n  hardware: {}\n",
                                 describe(session.board()), info.agent, info.backend, info.kernel,
                                 info.machine, info.hardware);
  for (const hil::SlotInfo& slot : session.slots()) {
    slots.push_back({{"bundle", slot.bundle},
                     {"model", slot.model},
                     {"signed_by", slot.signed_by.empty() ? json(nullptr) : json(slot.signed_by)},
                     {"active", slot.active},
                     {"previous", slot.previous}});
    text += fmt::format("  bundle {} {}{}{}\n", slot.bundle.substr(0, 12), slot.model,
                        slot.active ? " (active)" : "", slot.previous ? " (previous)" : "");
  }
  context.result({{"board", info.board},
                  {"board_type", info.board_type},
                  {"agent", info.agent},
                  {"backend", info.backend},
                  {"kernel", info.kernel},
                  {"machine", info.machine},
                  {"boot_id", info.boot_id},
                  {"simulated", info.simulated},
                  {"lab", info.lab},
                  {"hardware", info.hardware},
                  {"active", info.active.empty() ? json(nullptr) : json(info.active)},
                  {"slots", slots},
                  {"telemetry",
                   {{"governor", telemetry.governor},
                    {"frequency_mhz", or_null(telemetry.frequency_mhz)},
                    {"temperature_c", or_null(telemetry.temperature_c)},
                    {"load_1min", or_null(telemetry.load_1min)}}}},
                 text);
}

void flash(const BoardOptions& options, Context& context) {
  const auto source = hil::file_source(options.bundle);
  hil::Bundle(*source).verify();
  auto session = open_board(context, options.board);
  hil::FlashResult result;
  {
    ProgressBar bar(context, "flash " + options.board);
    result = session.flash(*source, board_progress(bar));
  }
  const hil::ActivateReply activated = session.activate(result.bundle);
  const auto or_null = [](const std::string& text) {
    return text.empty() ? json(nullptr) : json(text);
  };
  context.result({{"board", session.board().board},
                  {"bundle", result.bundle},
                  {"skipped", result.skipped},
                  {"sent_bytes", result.sent_bytes},
                  {"signed_by", or_null(result.signed_by)},
                  {"previous", or_null(activated.previous)},
                  {"smoke_max_abs", activated.smoke_max_abs},
                  {"link_faults", session.recovered()}},
                 fmt::format("{}: bundle {} is active ({})\n", describe(session.board()),
                             result.bundle.substr(0, 12),
                             result.skipped ? "the board had it already"
                                            : fmt::format("{} bytes sent", result.sent_bytes)) +
                     condition_text({.link_faults = session.recovered()}));
}

/// The agent takes this process over: what stops `adze board sim` stops the board.
void simulate(const BoardOptions& options, Context& context) {
  // A typing error is said now, by this program.
  hil::Faults faults;
  for (const std::string& fault : options.faults) hil::add_fault(faults, fault);
  if (!options.pace.empty()) hil::parse_pace(options.pace);
  if (options.tcp && options.token_file.empty())
    throw Error(ADZE_INVALID_ARGUMENT, "--tcp wants --token-file");
  const Component backend = context.registry().find(options.backend);
  const std::filesystem::path folder = hil::sim_directory();
  const std::string socket = options.socket.empty() ? (folder / (options.board + ".sock")).string()
                                                    : options.socket.string();
  const std::string root =
      options.root.empty() ? (folder / (options.board + ".board")).string() : options.root.string();
  if (options.board.empty() || options.board.find('/') != std::string::npos)
    throw Error(ADZE_INVALID_ARGUMENT, "'" + options.board + "' is no id for a board");
  const std::string address =
      options.tcp ? fmt::format("tcp:127.0.0.1:{}", *options.tcp) : "unix:" + socket;
  std::vector<std::string> arguments{(installation_root() / "bin" / "adze-agent").string(),
                                     "--listen",
                                     address,
                                     "--root",
                                     root,
                                     "--board-id",
                                     options.board,
                                     "--board-type",
                                     options.board_type,
                                     "--plugin",
                                     backend.plugin->path.string(),
                                     "--component",
                                     backend.component->id,
                                     "--threads",
                                     std::to_string(context.thread_count()),
                                     "--simulated"};
  if (options.trusted.empty()) {
    arguments.emplace_back("--lab");
  } else {
    if (hil::load_trusted_keys(options.trusted).empty())
      throw Error(ADZE_NOT_FOUND, "'" + options.trusted.string() +
                                      "' has no *.pub file: the board could take no bundle; copy "
                                      "the public key there that `adze bundle keygen` made");
    arguments.insert(arguments.end(),
                     {"--trusted", std::filesystem::absolute(options.trusted).string()});
  }
  std::vector<std::string> settings = options.settings;
  // A typing error is said now, not when the first bundle is flashed.
  Arguments(*backend.component, parse_settings(*backend.component, settings));
  load_target(options.board_type);
  // The plain path: comparing the board with the emulation must not compare code with itself.
  for (std::uint64_t i = 0; i < backend.component->param_count; ++i)
    if (std::strcmp(backend.component->params[i].name, "path") == 0)
      settings.insert(settings.begin(), "path=plain");
  for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
  for (const std::string& fault : options.faults)
    arguments.insert(arguments.end(), {"--fault", fault});
  if (!options.pace.empty()) arguments.insert(arguments.end(), {"--pace", options.pace});
  if (options.tcp) arguments.insert(arguments.end(), {"--token-file", options.token_file.string()});
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(pointers[0], pointers.data());
  throw Error(ADZE_NOT_FOUND, "cannot start '" + arguments[0] + "': " + std::strerror(errno) +
                                  "; check the installation");
}

CLI::App* add(CLI::App* group, const char* name, const char* description,
              const std::shared_ptr<BoardOptions>& options) {
  auto* command = group->add_subcommand(name, description);
  command->add_option("board,--board", options->board, kBoardHelp)->required();
  return command;
}

}  // namespace

void add_board(CLI::App& app, Context& context) {
  auto* group =
      app.add_subcommand("board", "Boards: list, lock, power, info, flash, bench, ab, sim, fit");
  group->require_subcommand(1);
  add_board_fit(*group, context);
  add_board_inventory(*group, context);
  add_board_measuring(*group, context);
  const auto options = std::make_shared<BoardOptions>();
  add(group, "info", "What a board is and holds", options)->callback([options, &context] {
    show_info(*options, context);
  });
  auto* flashing = add(group, "flash", "Put a bundle on a board and activate it", options);
  flashing->add_option("bundle", options->bundle, "The .adze file")->required();
  flashing->callback([options, &context] { flash(*options, context); });
  auto* simulating = group->add_subcommand("sim", "Run a simulated board until Ctrl-C");
  simulating->add_option("id", options->board, "Its id")->required();
  simulating->add_option("--type", options->board_type, "Board type")->capture_default_str();
  simulating->add_option("--backend", options->backend, "Backend that stands for the hardware")
      ->capture_default_str();
  simulating->add_option("--root", options->root, "Where it keeps bundles");
  simulating->add_option("--socket", options->socket, "Its socket, if not found by its id");
  simulating->add_option("--trusted", options->trusted,
                         "Folder of *.pub files: take only bundles that one of these keys signed "
                         "(default: lab mode, unsigned ones too)");
  simulating
      ->add_option("--tcp", options->tcp,
                   "Listen on this port of loopback instead (0: any free one)")
      ->check(CLI::Range(0, 65535));
  simulating->add_option("--token-file", options->token_file,
                         "The secret that TCP clients must show; mode 0600");
  simulating->add_option("--pace", options->pace,
                         "How long an inference takes at least: `predicted` or milliseconds, then "
                         "perhaps :SPREAD, such as predicted:0.02");
  simulating->add_option("--fault", options->faults,
                         std::string("What goes wrong; may be repeated: ") + hil::fault_help());
  simulating->add_option("--set", options->settings, "Arguments of the backend: name=value");
  simulating->callback([options, &context] { simulate(*options, context); });
}

}  // namespace adze::host
