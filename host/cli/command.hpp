// What every command shares: the global options, the plugins, where results and progress go.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "host/abi/call.hpp"
#include "host/base/error.hpp"
#include "host/graph/graph.hpp"
#include "host/plugin/registry.hpp"

namespace adze::hil {
class Recorder;
class Replayer;
}  // namespace adze::hil

namespace adze::host {

class Context {
 public:
  bool json = false;
  int verbose = 0;  ///< -q: -1
  std::vector<std::filesystem::path> plugin_path;
  std::vector<std::string> trust;  ///< ids of foreign plugins that run in this process
  IsolationLimits isolation;       ///< of the others; set before registry() is used
  std::string color = "auto";
  std::uint32_t threads = 0;          ///< 0: as many as the machine has
  Exit exit = Exit::ok;               ///< what the program returns when nothing is thrown
  hil::Recorder* recorder = nullptr;  ///< of the sessions with boards
  hil::Replayer* replayer = nullptr;  ///< instead of boards

  /// Found on first use; rejected files are warned about once.
  const Registry& registry();
  /// How foreign plugins are looked at and run.
  Isolation worker() const;
  std::uint32_t thread_count() const;
  CallOptions call_options() const { return {.threads = thread_count()}; }

  /// The result of a command: with --json the document alone on stdout, otherwise `text`.
  void result(const nlohmann::json& document, const std::string& text) const;

 private:
  std::unique_ptr<Registry> registry_;
};

/// Progress of one step on stderr: a bar when it is a terminal, otherwise one line at the end.
class ProgressBar {
 public:
  ProgressBar(const Context& context, std::string step);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  void update(double fraction, const std::string& doing = {});
  /// As components want it. Never stops.
  Progress callback();

 private:
  bool enabled_, terminal_;
  std::string step_;
  int last_percent_ = -1;
};

/// A table for people: columns padded, numbers (cells that start with a digit, '-' or '+') right.
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  void row(std::vector<std::string> cells);
  std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// load_model() and simplify(). `shapes`: of inputs whose sizes the file leaves open, as users
/// write them: "image=1x3x224x224". Errors: INVALID_ARGUMENT for a text that is no such thing.
Graph load_simplified(const std::filesystem::path& path,
                      const std::vector<std::string>& shapes = {});

// One function a command group, each in command_<group>.cpp: adds its options and callback.
void add_inspect(CLI::App& app, Context& context);         // inspect
void add_estimate(CLI::App& app, Context& context);        // estimate
void add_optimize(CLI::App& app, Context& context);        // optimize, prune, quantize
void add_evaluate(CLI::App& app, Context& context);        // evaluate
void add_compare(CLI::App& app, Context& context);         // compare
void add_plugin(CLI::App& app, Context& context);          // plugin list, info
void add_plugin_new(CLI::App&, Context&);                  // plugin new
void add_plugin_check(CLI::App& group, Context& context);  // plugin check
void add_bundle(CLI::App& app, Context& context);          // bundle make, verify
void add_board(CLI::App& app, Context& context);           // board list, info, flash, bench, sim
void add_validate(CLI::App& app, Context& context);        // validate

/// Runs a command by its arguments, without the program's name.
using RunCommand = std::function<Exit(const std::vector<std::string>&)>;
void add_record(CLI::App& app, Context& context, const RunCommand& run);  // record, replay

}  // namespace adze::host
