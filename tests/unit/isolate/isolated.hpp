// The component of a test plugin twice: in this process, and in a worker.
#pragma once

#include <nlohmann/json.hpp>

#include "host/isolate/proxy.hpp"
#include "host/plugin/descriptor_codec.hpp"
#include "host/plugin/registry.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::host::test {

inline std::filesystem::path worker_program() {
  const char* build = std::getenv("ADZE_BINARY_DIR");
  return (build ? std::filesystem::path(build) : installation_root()) / "bin" / "adze-worker";
}

class Isolated {
 public:
  explicit Isolated(const std::string& plugin, IsolationLimits limits = {})
      : isolation_{worker_program(), &worker_tables(), limits},
        descriptor_(encode_descriptor(*loaded(plugin).plugin), worker_tables()),
        plugin_{loaded(plugin).path, descriptor_.plugin(), &isolation_} {}
  Component component(std::size_t index = 0) const {
    return {descriptor_.plugin()->components[index], &plugin_};
  }

 private:
  Isolation isolation_;
  OwnedDescriptor descriptor_;
  LoadedPlugin plugin_;
};

}  // namespace adze::host::test
