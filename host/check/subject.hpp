// The plugin under test as the rules see it: its file, and, once one of them asks, the plugin
// itself, loaded into this process.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/check/finding.hpp"
#include "host/plugin/elf_scan.hpp"
#include "host/plugin/registry.hpp"

namespace adze::host::check {

/// What was seen while the library came in.
struct LoadFacts {
  std::string error;  ///< why it cannot be loaded; "" when it was
  double load_ms = 0;
  std::string printed;  ///< to stdout and stderr
  std::int64_t threads_left = 0, processes_left = 0, files_left = 0;
  bool same_from_here = true, same_from_thread = true;  ///< the entry's pointer
};

struct SubjectOptions {
  std::filesystem::path file;     ///< canonical
  std::string component;          ///< "": all
  std::filesystem::path scratch;  ///< an empty folder for what components write
  double fuzz_seconds = 3;
  std::uint64_t fuzz_seed = 1;
  bool fuzz_one = false;  ///< only the case of fuzz_seed, told in full
  /// Told what is about to be tried, so that a crash can be explained; "": nothing in particular.
  std::function<void(const std::string&)> note;
  /// Told which function of the plugin is running: "prune() of org.example.mine"; "": none.
  std::function<void(const std::string&)> inside;
};

class Subject {
 public:
  explicit Subject(SubjectOptions options);

  const SubjectOptions& options() const { return options_; }
  const std::filesystem::path& file() const { return options_.file; }
  /// nullopt: it cannot be read as a library, which is L01's.
  const std::optional<ElfScan>& scan() const { return scan_; }

  /// Loads on first use.
  const LoadFacts& load();
  /// NULL unless it could be loaded.
  const adze_plugin* plugin();
  bool is_first_party() const;
  /// Why its components cannot be run: not loaded, or the first fault of its descriptor that makes
  /// it unsafe to look further. "" when they can.
  const std::string& unusable();
  /// Those that were asked for. Errors: NOT_FOUND with the nearest id.
  std::vector<Component> components();

  void note(const std::string& doing);
  /// A new empty folder below scratch.
  std::filesystem::path new_folder();

  /// Tells that `function` of the plugin runs, as long as it lives. [any thread]
  class Inside {
   public:
    Inside(Subject& subject, const char* function, const char* component);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    Subject& subject_;
    std::string function_;
  };

 private:
  SubjectOptions options_;
  std::mutex telling_;
  std::vector<std::string> running_;  ///< functions, by all threads; the last one entered is told
  std::optional<ElfScan> scan_;
  std::optional<LoadFacts> facts_;
  std::optional<std::string> unusable_;
  LoadedPlugin loaded_{};
  std::atomic<int> folders_ = 0;
};

}  // namespace adze::host::check
