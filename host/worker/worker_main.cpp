// adze-worker: loads one plugin and serves one of its components over a socket it inherited, or
// says what the plugin has.
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "host/base/cbor.hpp"
#include "host/base/nearest.hpp"
#include "host/isolate/faults.hpp"
#include "host/isolate/serve.hpp"
#include "host/plugin/scan.hpp"
#include "host/worker/service.hpp"

namespace {

using namespace adze::host;

constexpr std::int64_t kSendMs = 10'000;

Component find_component(const LoadedPlugin& plugin, const std::string& id) {
  std::vector<std::string> ids;
  for (std::uint32_t i = 0; i < plugin.plugin->component_count; ++i) {
    const adze_component* component = plugin.plugin->components[i];
    if (id == component->id) return {component, &plugin};
    ids.emplace_back(component->id);
  }
  throw Error(ADZE_NOT_FOUND, "the plugin '" + plugin.path.string() + "' has no component '" + id +
                                  "'" + did_you_mean(id, ids));
}

/// The exit code; whoever started a worker for a foreign plugin is told the reason in a note.
int ended_by(const Error& error, const std::string& mode) {
  if (mode == "bundle")
    std::fprintf(stderr, "adze-worker: %s\n", error.what());
  else if (error.exit() == Exit::rig)
    end_of_link(error.what());
  else
    give_up(error);
  return static_cast<int>(error.exit());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Serves one component of a plugin to the program that started it.", "adze-worker");
  std::string mode = "bundle", plugin_path, component_id;
  std::vector<std::string> settings;
  int fd = -1;
  std::uint32_t threads = 1;
  std::uint64_t memory_mb = 0;
  app.add_option("--plugin", plugin_path, "the plugin's shared library")->required();
  app.add_option("--component", component_id, "id of the component");
  app.add_option("--mode", mode,
                 "bundle: load and run what was compiled; component: make the calls of a host; "
                 "describe: say what the plugin has")
      ->check(CLI::IsMember({"bundle", "component", "describe"}));
  app.add_option("--fd", fd, "the inherited socket")->required();
  app.add_option("--threads", threads, "the most threads the component may keep busy")
      ->check(CLI::Range(1, 1024));
  app.add_option("--memory-mb", memory_mb, "limit of the address space (0: none)");
  app.add_option("--set", settings, "an argument of the component: NAME=VALUE");
  CLI11_PARSE(app, argc, argv);
  try {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    Channel channel{OwnedFd(fd)};
    keep_from_forks(fd);
    limit_memory(memory_mb);
    watch_faults();
    if (mode == "describe") {
      channel.send(
          {.type = FrameType::response, .payload = encode_cbor(describe_here(plugin_path))}, {},
          after_ms(kSendMs));
      return 0;
    }
    const LoadedPlugin plugin = load_plugin(plugin_path);
    const Component component = find_component(plugin, component_id);
    if (mode == "component") {
      serve_component(channel, component);
      return 0;
    }
    WorkerService service(channel, component, parse_settings(*component.component, settings),
                          {.threads = threads, .progress = {}});
    service.serve();
    return 0;
  } catch (const Error& error) {
    return ended_by(error, mode);
  } catch (const std::bad_alloc&) {
    return ended_by(Error(ADZE_RESOURCE_EXHAUSTED, "out of memory"), mode);
  } catch (const std::exception& error) {
    return ended_by(Error(ADZE_INTERNAL, error.what()), mode);
  }
}
