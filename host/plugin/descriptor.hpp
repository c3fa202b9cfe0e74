// What a plugin says about itself, checked once so that nobody after has to.
#pragma once

#include <adze/plugin.h>

#include <string>
#include <vector>

#include "host/plugin/file_check.hpp"

namespace adze::host {

/// Everything that is wrong, in the order of the descriptor. `first_party` as below.
std::vector<PluginFault> descriptor_faults(const adze_plugin* plugin, bool first_party);

/// `first_party`: the plugin lies in the installation's own folder and may use ids that begin with
/// "adze.". Returns the first thing that is wrong, naming the rule, or "". Never reads beyond what
/// struct sizes promise.
std::string descriptor_fault(const adze_plugin* plugin, bool first_party);

/// Parameter `index` of a component; a plugin built with newer headers has larger ones.
const adze_param& param_at(const adze_component& component, std::uint64_t index);

}  // namespace adze::host
