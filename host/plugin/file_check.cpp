#include "host/plugin/file_check.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <string_view>
#include <system_error>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/plugin/elf_scan.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEntry = "adze_plugin_v1", kEntryOfAnyMajor = "adze_plugin_v";

bool is_entry(const std::string& symbol) {
  return symbol.starts_with(kEntryOfAnyMajor) && symbol.size() > kEntryOfAnyMajor.size() &&
         symbol.find_first_not_of("0123456789", kEntryOfAnyMajor.size()) == std::string::npos;
}

std::vector<PluginFault> scan_faults(const ElfScan& scan) {
  std::vector<PluginFault> faults;
  if (scan.machine != own_machine())
    faults.push_back({"L01", "built for " + machine_name(scan.machine) + ", this host is " +
                                 machine_name(own_machine())});
  const auto entry = std::ranges::find_if(scan.exported, is_entry);
  if (entry == scan.exported.end())
    faults.push_back(
        {"L02", "it does not export " + std::string(kEntry) + ", so it is no Adze plugin"});
  else if (!std::ranges::binary_search(scan.exported, kEntry))
    faults.push_back(
        {"L02", "built for ABI " + entry->substr(kEntryOfAnyMajor.size()) +
                    ", this host offers ABI 1; rebuild the plugin or update the host"});
  const auto extra = std::ranges::find_if_not(scan.exported, is_entry);
  if (extra != scan.exported.end())
    faults.push_back(
        {"L03", "it exports '" + *extra +
                    "' besides its entry, which could clash with the host or another plugin; "
                    "build it with adze_add_plugin() or its version script"});
  const std::string sanitizer = sanitizer_of(scan);
  if (!sanitizer.empty() && sanitizer != own_sanitizer())
    faults.push_back(
        {"L09", "built with " + sanitizer +
                    ", this host is not; rebuild the plugin without it or the host with it"});
  return faults;
}

}  // namespace

bool writable_by_all(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IWOTH);
}

std::string to_string(const PluginFault& fault) {
  return fault.rule.empty() ? fault.text : fault.text + " (" + fault.rule + ")";
}

std::vector<PluginFault> file_faults(const fs::path& path) {
  std::error_code missing;
  if (!fs::exists(path, missing))
    return {{"", missing ? missing.message() : "No such file or directory"}};
  if (!fs::is_regular_file(path, missing)) return {{"", "not a file"}};
  if (writable_by_all(path))
    return {{"", "anyone may write to it; take that permission away (chmod o-w)"}};
  try {
    return scan_faults(scan_elf(read_file(path)));
  } catch (const Error& error) {
    return {{"L01", error.what()}};
  }
}

}  // namespace adze::host
