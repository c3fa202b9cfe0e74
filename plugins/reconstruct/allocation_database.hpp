// What each layer loses at each level, kept on disk, so that a second target of the same model
// costs no second search.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plugins/reconstruct/allocation_plan.hpp"

namespace reconstruct {

/// Identifies what the errors depend on: SHA-256 of the graph as shown (nodes, attributes,
/// constants, masks), of the calibration samples and of `options` (how layers are searched), in
/// hexadecimal digits. Errors: those of adze.calibration/1.
std::string database_key(adze_call* call, const std::string& options);

struct DatabaseLevel {
  double sparsity = 0, error = 0;
  std::int64_t kept = 0;  ///< weights
};

struct DatabaseLayer {
  std::int64_t weights = 0;
  std::vector<DatabaseLevel> levels;  ///< ascending sparsity
};

/// One file for a key, in one or more folders. Layers go by the name of their node.
class Database {
 public:
  /// $ADZE_PRUNING_CACHE, or adze/pruning in the user's cache folder; empty: there is none.
  static std::filesystem::path default_folder();

  /// Reads what the first folder that has something has; empty ones are skipped. A file that is
  /// damaged or of another format is not used, and written anew.
  Database(const std::vector<std::filesystem::path>& folders, std::string key);

  /// The levels of a layer that are not there.
  std::vector<double> missing(const std::string& node, std::span<const double> sparsities) const;
  /// A layer with these levels and no others, so that results do not depend on what else is there;
  /// nullopt when one is missing.
  std::optional<DatabaseLayer> find(const std::string& node,
                                    std::span<const double> sparsities) const;
  /// Adds levels to a layer and saves all.
  void store(const std::string& node, DatabaseLayer layer);
  /// In every folder, under a temporary name first: a run that is stopped leaves the layers before.
  /// A folder that cannot be written keeps nothing; see problem().
  void save();

  const std::string& problem() const { return problem_; }  ///< "" when all is kept

 private:
  std::optional<std::map<std::string, DatabaseLayer>> read(const std::filesystem::path& file) const;

  std::vector<std::filesystem::path> files_;
  std::string key_, problem_;
  std::map<std::string, DatabaseLayer> layers_;
};

ErrorCurve curve_of(const DatabaseLayer& layer);

}  // namespace reconstruct
