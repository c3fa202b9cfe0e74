// adze record, replay: a command with its sessions with boards as a file, and again without them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hil/record/recorder.hpp"
#include "hil/record/replayer.hpp"
#include "host/base/file.hpp"
#include "host/base/hash.hpp"
#include "host/base/log.hpp"
#include "host/cli/command.hpp"

namespace adze::host {
namespace {

struct RecordOptions {
  std::filesystem::path file;
};

/// How the command ends. What the replay itself has to say is thrown.
Exit outcome_of(const RunCommand& run, const std::vector<std::string>& arguments) {
  try {
    return run(arguments);
  } catch (const hil::Divergence&) {
    throw;
  } catch (const Error& error) {
    log(LogLevel::error, error.what());
    return error.exit();
  }
}

void record(const RecordOptions& options, std::vector<std::string> arguments, Context& context,
            const RunCommand& run) {
  if (arguments.empty() || arguments.front() == "record" || arguments.front() == "replay")
    throw Error(ADZE_INVALID_ARGUMENT,
                "say which command is to be recorded: adze record FILE board bench ID");
  hil::Recorder recorder(options.file, hil::header_for(arguments, ADZE_VERSION));
  context.recorder = &recorder;
  context.exit = outcome_of(run, arguments);
  context.recorder = nullptr;
  recorder.add(hil::Ended{static_cast<int>(context.exit)});
}

/// What a divergence may come from.
void warn_of_changes(const hil::RecordingHeader& header) {
  if (header.adze != ADZE_VERSION)
    log(LogLevel::warning,
        fmt::format("the recording is of adze {}, this is " ADZE_VERSION, header.adze));
  for (const auto& [file, hash] : header.files) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error))
      log(LogLevel::warning, fmt::format("'{}' is not there any more", file));
    else if (sha256_hex(read_file(file)) != hash)
      log(LogLevel::warning, fmt::format("'{}' is another file than it was", file));
  }
}

void replay(const RecordOptions& options, Context& context, const RunCommand& run) {
  hil::Replayer replayer(hil::read_recording(options.file));
  const std::vector<std::string>& arguments = replayer.header().arguments;
  log(LogLevel::info, fmt::format("adze {}", fmt::join(arguments, " ")));
  context.replayer = &replayer;
  try {
    context.exit = outcome_of(run, arguments);
    replayer.finish(context.exit);
  } catch (const hil::Divergence&) {
    warn_of_changes(replayer.header());
    throw;
  }
  context.replayer = nullptr;
}

}  // namespace

void add_record(CLI::App& app, Context& context, const RunCommand& run) {
  const auto recording = std::make_shared<RecordOptions>(),
             replaying = std::make_shared<RecordOptions>();
  auto* record_command = app.add_subcommand(
      "record", "Runs a command and keeps all that is said between the host and boards");
  record_command->add_option("file", recording->file, "JSON lines")->required();
  record_command->prefix_command()->fallthrough(false);  // what follows is not for this command
  record_command->footer(
      "What follows FILE is the command: adze record night.jsonl board bench v2h-01 --samples 50");
  record_command->callback([recording, record_command, &context, run] {
    record(*recording, record_command->remaining(), context, run);
  });

  auto* replay_command = app.add_subcommand(
      "replay", "Runs a recorded command again: the host as it is now, the board as it was");
  replay_command->add_option("file", replaying->file, "What `adze record` wrote")->required();
  replay_command->footer(
      "Ends as the command did. A host that does something else than it did then ends with 1 and "
      "says at which line.");
  replay_command->callback([replaying, &context, run] { replay(*replaying, context, run); });
}

}  // namespace adze::host
