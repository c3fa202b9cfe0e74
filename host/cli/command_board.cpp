// adze board: boards on links, what is on them, how fast they are; a simulated one.
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "hil/session/board_runner.hpp"
#include "host/base/file.hpp"
#include "host/cli/board_fit.hpp"
#include "host/cli/board_link.hpp"
#include "host/pipeline/board_type.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

struct BoardOptions {
  std::string board, board_type = "rzv2h", backend = "drpai";
  std::filesystem::path bundle, root, socket, trusted;
  std::int64_t samples = 1000, warmup_ms = 200;
  std::uint64_t seed = 0;
  std::vector<std::string> settings;
};

void list_boards(Context& context) {
  json boards = json::array();
  Table table({"address", "link", "serial", "where"});
  for (const hil::FoundBoard& board : hil::find_boards()) {
    boards.push_back({{"address", board.address},
                      {"link", board.link},
                      {"serial", board.serial},
                      {"location", board.location}});
    table.row({board.address, board.link, board.serial, board.location});
  }
  context.result({{"boards", boards}},
                 boards.empty() ? "no board found; `adze board sim ID` starts a simulated one\n"
                                : table.str());
}

void show_info(const BoardOptions& options, Context& context) {
  auto session = hil::BoardSession::open(options.board);
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
  auto session = hil::BoardSession::open(options.board);
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
                  {"smoke_max_abs", activated.smoke_max_abs}},
                 fmt::format("{}: bundle {} is active ({})\n", describe(session.board()),
                             result.bundle.substr(0, 12),
                             result.skipped ? "the board had it already"
                                            : fmt::format("{} bytes sent", result.sent_bytes)));
}

std::string latency_text(const hil::Measurement& measurement) {
  const hil::Statistics& s = measurement.statistics;
  return fmt::format(
      "{}latency of {} inferences: median {:.4f} ms (95 % interval {:.4f} to {:.4f}), min {:.4f}, "
      "mean {:.4f}, MAD {:.4f}, p90 {:.4f}, p95 {:.4f}, p99 {}, max {:.4f}; outliers: {} mild, {} "
      "severe\n",
      measurement.conditions.simulated ? "simulated " : "", s.n, s.median, s.ci95_low, s.ci95_high,
      s.min, s.mean, s.mad, s.p90, s.p95, s.p99 ? fmt::format("{:.4f}", *s.p99) : "n too small",
      s.max, s.mild_outliers, s.severe_outliers);
}

void bench(const BoardOptions& options, Context& context) {
  auto session = hil::BoardSession::open(options.board);
  hil::BoardRunner runner(session, "active bundle", options.warmup_ms);
  {
    ProgressBar bar(context, "bench " + options.board);
    runner.measure(hil::noise_for(runner.loaded().inputs, options.seed), options.samples,
                   board_progress(bar));
  }
  const hil::Measurement measurement = runner.measurement();
  context.result(
      to_json(measurement),
      fmt::format("{} runs {} ({})\n{}", describe(session.board()), runner.loaded().model,
                  runner.loaded().bundle.substr(0, 12), latency_text(measurement)));
}

/// The agent takes this process over: what stops `adze board sim` stops the board.
void simulate(const BoardOptions& options, Context& context) {
  const Component backend = context.registry().find(options.backend);
  const std::filesystem::path folder = hil::sim_directory();
  const std::string socket = options.socket.empty() ? (folder / (options.board + ".sock")).string()
                                                    : options.socket.string();
  const std::string root =
      options.root.empty() ? (folder / (options.board + ".board")).string() : options.root.string();
  if (options.board.empty() || options.board.find('/') != std::string::npos)
    throw Error(ADZE_INVALID_ARGUMENT, "'" + options.board + "' is no id for a board");
  std::vector<std::string> arguments{(installation_root() / "bin" / "adze-agent").string(),
                                     "--listen",
                                     "unix:" + socket,
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
  command->add_option("board,--board", options->board, "usb:SERIAL, sim:ID, unix:PATH or an id")
      ->required();
  return command;
}

}  // namespace

void add_board(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("board", "Boards: list, info, flash, bench, sim, fit");
  group->require_subcommand(1);
  add_board_fit(*group, context);
  const auto options = std::make_shared<BoardOptions>();
  group->add_subcommand("list", "Boards that can be reached now")->callback([&context] {
    list_boards(context);
  });
  add(group, "info", "What a board is and holds", options)->callback([options, &context] {
    show_info(*options, context);
  });
  auto* flashing = add(group, "flash", "Put a bundle on a board and activate it", options);
  flashing->add_option("bundle", options->bundle, "The .adze file")->required();
  flashing->callback([options, &context] { flash(*options, context); });
  auto* measuring = add(group, "bench", "Latency of the active bundle, fed with noise", options);
  measuring->add_option("--samples", options->samples, "Inferences that count")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  measuring->add_option("--warmup-ms", options->warmup_ms, "Least time of warming up")
      ->check(CLI::Range(0, 3'600'000))
      ->capture_default_str();
  measuring->add_option("--seed", options->seed, "Of the noise")->capture_default_str();
  measuring->callback([options, &context] { bench(*options, context); });
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
  simulating->add_option("--set", options->settings, "Arguments of the backend: name=value");
  simulating->callback([options, &context] { simulate(*options, context); });
}

}  // namespace adze::host
