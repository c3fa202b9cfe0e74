// adze: prunes and quantizes ONNX models for DRP-AI boards and proves the result on them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <new>

#include "host/base/log.hpp"
#include "host/base/nearest.hpp"
#include "host/cli/command.hpp"

namespace {

using namespace adze::host;

/// CLI11 says only that a command is missing when a word is none.
void explain_unknown_command(const CLI::App& app) {
  const CLI::App* group = &app;
  while (!group->get_subcommands().empty()) group = group->get_subcommands().front();
  const std::vector<std::string> left = app.remaining(true);
  const std::vector<const CLI::App*> commands = group->get_subcommands({});
  if (left.empty() || left.front().starts_with('-') || commands.empty()) return;
  std::vector<std::string> names;
  for (const CLI::App* command : commands) names.push_back(command->get_name());
  throw Error(
      ADZE_INVALID_ARGUMENT,
      fmt::format("'{}' is no command of {}{}; there are {}", left.front(), group->get_name(),
                  did_you_mean(left.front(), names), fmt::join(names, ", ")));
}

Exit run(Context& context, std::vector<std::string> arguments) {
  CLI::App app("Prunes and quantizes ONNX models for DRP-AI boards and proves the result on them.",
               "adze");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "adze " ADZE_VERSION);
  int quiet = 0;
  app.add_flag("--json", context.json, "Machine output on stdout, nothing else there");
  app.add_flag("-v,--verbose", context.verbose, "Say more; twice for debugging");
  app.add_flag("-q,--quiet", quiet, "Say warnings and errors only");
  app.add_option("--plugin-path", context.plugin_path, "Folders searched first for plugins");
  app.add_option("--trust", context.trust,
                 "Ids of foreign plugins or components that may run in this process; all others "
                 "run in one of their own")
      ->take_all()
      ->allow_extra_args(false);
  app.add_option("--color", context.color, "Colours on stderr")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_option("--threads", context.threads, "Threads a component may keep busy (0: all cores)");
  app.parse_complete_callback([&] {
    if (quiet || context.json) context.verbose = quiet ? -1 : context.verbose;
    set_log(context.verbose > 1    ? LogLevel::debug
            : context.verbose >= 0 ? LogLevel::info
                                   : LogLevel::warning,
            context.color);
  });

  add_inspect(app, context);
  add_estimate(app, context);
  add_optimize(app, context);
  add_evaluate(app, context);
  add_compare(app, context);
  add_plugin(app, context);
  add_bundle(app, context);
  add_board(app, context);
  add_validate(app, context);
  add_record(app, context,
             [&](const std::vector<std::string>& recorded) { return run(context, recorded); });

  try {
    std::ranges::reverse(arguments);  // as CLI11 takes them
    app.parse(std::move(arguments));
    return context.exit;
  } catch (const CLI::RequiredError& error) {
    explain_unknown_command(app);
    return app.exit(error), Exit::usage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) ? Exit::usage : Exit::ok;
  }
}

}  // namespace

int main(int argc, char** argv) {
  using namespace adze::host;
  try {
    Context context;
    return static_cast<int>(run(context, {argv + 1, argv + argc}));
  } catch (const adze::host::Error& error) {
    adze::host::log(adze::host::LogLevel::error, error.what());
    return static_cast<int>(error.exit());
  } catch (const std::bad_alloc&) {
    adze::host::log(adze::host::LogLevel::error, "out of memory");
  } catch (const std::exception& error) {
    adze::host::log(adze::host::LogLevel::error, std::string("internal error: ") + error.what());
  }
  return static_cast<int>(Exit::internal);
}
