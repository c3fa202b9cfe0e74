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

/// What the loader itself said, out of what Boost.DLL made of it: "... (dlerror system message:
/// <this>): Bad file descriptor [...]".
std::string loader_text(const std::string& text) {
  constexpr std::string_view kBefore = "dlerror system message: ";
  const std::size_t at = text.find(kBefore);
  if (at == std::string::npos) return text;
  const std::size_t begin = at + kBefore.size(), end = text.rfind("): ");
  return text.substr(begin, end == std::string::npos || end < begin ? end : end - begin);
}

/// What a loader's text means, and what to try.
PluginError why_not_loaded(const std::filesystem::path& path, const std::string& said) {
  const std::string refused = "cannot load plugin '" + path.string() + "': ";
  const auto has = [&](const char* words) { return said.find(words) != std::string::npos; };
  const std::string missing = said.substr(0, said.find(':'));
  if (has("cannot open shared object file") && missing != path.string())
    return PluginError(ADZE_FAILED_PRECONDITION,
                       refused + "it needs the library '" + missing +
                           "', which the loader does not find (L04); install it, or add its folder "
                           "to LD_LIBRARY_PATH");
  if (has("undefined symbol"))
    return PluginError(ADZE_FAILED_PRECONDITION,
                       refused +
                           "none of its libraries has a symbol that it uses (L05); link the "
                           "one that has it: " +
                           said);
  if (has("' not found"))  // version `GLIBC_2.38' not found
    return PluginError(ADZE_FAILED_PRECONDITION,
                       refused +
                           "it was built for newer libraries than this machine has (L04); "
                           "build it here, or update them: " +
                           said);
  if (has("failed to map segment") || has("annot allocate memory"))
    return PluginError(ADZE_RESOURCE_EXHAUSTED,
                       refused +
                           "it does not fit into the memory that it may have, or its folder "
                           "allows no programs (mount option noexec): " +
                           said);
  return PluginError(ADZE_FAILED_PRECONDITION, refused + said);
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
    throw why_not_loaded(path, loader_text(error.what()));
  }
}

}  // namespace adze::host
