// A plugin's descriptor as a document, for what crosses a process or lies in the cache, and back.
#pragma once

#include <adze/plugin.h>

#include <deque>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "host/plugin/isolation.hpp"

namespace adze::host {

/// `plugin` must be without faults (descriptor_fault()).
nlohmann::json encode_descriptor(const adze_plugin& plugin);

/// Functions that stand in for those of a library that is not loaded: they refuse.
const ComponentTables& unloaded_tables();

/// The same structs in memory of our own. Their functions are those of `tables`; slots that the
/// plugin leaves out stay NULL.
class OwnedDescriptor {
 public:
  /// Errors: DATA_LOSS.
  OwnedDescriptor(const nlohmann::json& document, const ComponentTables& tables);
  OwnedDescriptor(const OwnedDescriptor&) = delete;
  OwnedDescriptor& operator=(const OwnedDescriptor&) = delete;
  const adze_plugin* plugin() const { return &plugin_; }

 private:
  const char* keep(const nlohmann::json& document, const char* key);
  const char* const* keep_list(const nlohmann::json& document, const char* key);
  void add(const nlohmann::json& document, const ComponentTables& tables);

  std::deque<std::string> texts_;
  std::deque<std::vector<const char*>> lists_;
  std::deque<std::vector<adze_param>> params_;
  std::deque<adze_backend> backends_;
  std::deque<adze_component> components_;
  std::vector<const adze_component*> pointers_;
  adze_plugin plugin_{};
};

}  // namespace adze::host
