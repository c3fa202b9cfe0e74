#include "host/plugin/library.hpp"

// Boost.DLL needs <vector> before it, with std::filesystem in place of Boost's.
#include <vector>
#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>
#include <map>
#include <mutex>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

struct Libraries {
  std::mutex mutex;
  std::map<std::filesystem::path, boost::dll::shared_library> loaded;
};

/// Leaked on purpose: no destructor may unload a library at exit.
Libraries& libraries() {
  static auto* const all = new Libraries;
  return *all;
}

}  // namespace

decltype(&adze_plugin_v1) load_entry(const std::filesystem::path& path) {
  using namespace boost::dll;
  Libraries& all = libraries();
  const std::scoped_lock lock(all.mutex);
  try {
    auto found = all.loaded.find(path);
    if (found == all.loaded.end())
      // Lazy binding would let a missing symbol end the process later; the overload with an error
      // code loses the loader's text.
      found = all.loaded
                  .emplace(path, shared_library(path, load_mode::rtld_now | load_mode::rtld_local))
                  .first;
    return reinterpret_cast<decltype(&adze_plugin_v1)>(
        &found->second.get<const adze_plugin*()>("adze_plugin_v1"));
  } catch (const std::exception& error) {
    throw PluginError(ADZE_FAILED_PRECONDITION,
                      "cannot load plugin '" + path.string() + "': " + error.what());
  }
}

}  // namespace adze::host
