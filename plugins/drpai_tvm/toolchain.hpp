// The vendor's compile scripts, run in their environment: on this machine or in a container.
#pragma once

#include <filesystem>
#include <map>
#include <optional>

#include "plugins/drpai_tvm/process.hpp"
#include "plugins/drpai_tvm/settings.hpp"

namespace adze::drpai_tvm {

struct Version {
  int major = 0, minor = 0, patch = 0;
  auto operator<=>(const Version&) const = default;
  std::string text() const;
};
/// The version in "v2.7.0-3-gabc123"; nullopt: there is none.
std::optional<Version> parse_version(const std::string& text);

/// What is compiled, and how.
struct CompileJob {
  std::filesystem::path model;  ///< in the work folder
  std::string input;            ///< its name
  std::vector<std::int64_t> shape;
  Scales scales = Scales::vendor;
  std::filesystem::path calibration;  ///< folder of images; empty: none are needed
};

class Toolchain {
 public:
  /// Looks for the toolchain and asks for its version. All it does happens in `work`, an empty
  /// folder; `call` is asked whether to stop. Errors: FAILED_PRECONDITION and others that say what
  /// is missing and where it was looked for.
  Toolchain(adze_call* call, const Settings& settings, std::filesystem::path work);

  const Version& version() const { return version_; }
  std::filesystem::path log() const { return work_ / "toolchain.log"; }
  /// Compiles into a folder of the work folder, which is returned. Errors: failure_of().
  std::filesystem::path compile(const CompileJob& job);
  /// The newest file of this name among the intermediates of compile(); nullopt: there is none.
  std::optional<std::filesystem::path> intermediate(const std::string& name) const;

 private:
  Outcome run(const std::string& step, double fraction, std::vector<std::string> arguments,
              const std::filesystem::path& folder);
  std::vector<std::string> in_environment(std::vector<std::string> arguments,
                                          const std::filesystem::path& folder);
  void probe();
  void copy_scripts();
  void require_found(const std::map<std::string, std::string>& values,
                     const std::map<std::string, bool>& found, bool script);

  adze_call* call_;
  const Settings& settings_;
  std::filesystem::path work_;
  std::string script_;
  std::map<std::string, std::string> environment_;  ///< handed to every program
  std::map<std::string, std::string> found_;        ///< the folders, as the environment has them
  std::vector<std::filesystem::path> mounts_;       ///< seen in the container under the same name
  int containers_ = 0;
  Version version_;
};

}  // namespace adze::drpai_tvm
