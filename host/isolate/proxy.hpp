// In the host: the functions of a component that runs in a worker. They look like those of any
// plugin, so nothing else in the host knows the difference.
#pragma once

#include "host/plugin/isolation.hpp"

namespace adze::host {

/// Each create() starts a worker, as LoadedPlugin::isolation of the call's component says. The
/// worker ends with the instance and the last executable that came from it.
const ComponentTables& worker_tables();

}  // namespace adze::host
