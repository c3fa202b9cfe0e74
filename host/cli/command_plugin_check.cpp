// adze plugin check: does a plugin keep the contract? Rule by rule, each in a child process.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/check/check.hpp"
#include "host/cli/command.hpp"

namespace adze::host {
namespace {

struct Given {
  check::CheckOptions options;
  std::vector<std::string> only;
  std::string child_scratch;
  int child_fd = -1;
  bool one = false;
  CLI::Option* reproduce = nullptr;
  std::uint64_t seed_again = 0;
};

void run(Given& given, Context& context) {
  check::CheckOptions& options = given.options;
  options.rules = check::select_rules(given.only);
  if (!given.child_scratch.empty()) {
    options.fuzz_one = given.one;
    return check::serve_checks(options, given.child_scratch, given.child_fd);
  }
  if (given.reproduce->count()) {
    const std::string fuzz = "F01";
    const auto only_fuzz = check::select_rules({&fuzz, 1});
    if (!given.only.empty() && options.rules != only_fuzz)
      throw Error(ADZE_INVALID_ARGUMENT,
                  "--reproduce runs one random case of F01 and looks at no other rule; leave out "
                  "--only");
    options.rules = only_fuzz;
    options.fuzz_one = true;
    options.fuzz_seed = given.seed_again;
  }
  const auto results = check::check_plugin(options);
  const nlohmann::json document = check::document_of(options.file, results);
  context.result(document, check::text_of(options.file, results));
  if (document["failed"] != 0) context.exit = Exit::failed;
}

}  // namespace

void add_plugin_check(CLI::App& group, Context& context) {
  auto* command = group.add_subcommand(
      "check", "Does a plugin keep the contract? Each rule, in a child process");
  const auto given = std::make_shared<Given>();
  command->add_option("file", given->options.file, "The plugin: a shared library")->required();
  command->add_option("--only", given->only, "Rules (L03) or groups of rules (L), with commas")
      ->delimiter(',');
  command->add_option("--component", given->options.component, "Only this component");
  command->add_flag("--in-process", given->options.in_process,
                    "No child processes, for a debugger: the first crash ends it");
  command->add_option("--seconds", given->options.fuzz_seconds, "How long F01 tries random cases")
      ->check(CLI::Range(0.0, 86400.0));
  command->add_option("--seed", given->options.fuzz_seed, "The first random case of F01");
  given->reproduce = command->add_option("--reproduce", given->seed_again,
                                         "Runs one random case again and prints it");
  command
      ->add_option("--deadline", given->options.deadline_seconds,
                   "Seconds after which a step of a rule counts as hanging")
      ->check(CLI::Range(1.0, 3600.0));
  // What the program says to itself.
  command->add_option("--child", given->child_scratch)->group("");
  command->add_option("--fd", given->child_fd)->group("");
  command->add_flag("--one", given->one)->group("");
  command->callback([given, &context] { run(*given, context); });
}

}  // namespace adze::host
