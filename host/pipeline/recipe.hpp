// The recipe: what to do to a model, on which data, and what the result must reach.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/abi/arguments.hpp"
#include "host/dataset/augment.hpp"
#include "host/dataset/dataset.hpp"
#include "host/plugin/isolation.hpp"

namespace adze::host {

/// Samples that methods may look at, never those of [data].
struct CalibrationSpec {
  DataSpec data;
  std::int64_t count = 512;  ///< a smaller set is taken whole, unless the recipe gave the count
  std::uint64_t seed = 0;
  std::string count_where;  ///< "file:line:column"; empty: the default, or made in memory
};

/// Samples that methods may train on. Labels that are not given are distilled from the model.
struct TrainSpec {
  DataSpec data;
  std::optional<std::int64_t> count;  ///< picked by the seed; nullopt: all
  std::string count_where;            ///< as in CalibrationSpec
  Augmentation augmentation = {};
};

/// One [[stage]]. `include` and `exclude` are names or globs of nodes and are the host's, as are
/// `fallback`, `max_float` and, with use = "auto", `qat`; all other keys are arguments of the
/// component.
struct StageSpec {
  std::string use;
  std::vector<std::string> include, exclude;
  /// Of quantizers: layers go back to floating point until [accept] max_drop holds. Default: true
  /// with use = "auto", else false.
  std::optional<bool> fallback = std::nullopt;
  std::optional<double> max_float = std::nullopt;  ///< share of the MACs that it may give up
  std::optional<bool> qat = std::nullopt;          ///< whether "auto" may train; default: true
  Settings settings;
  std::string where;                          ///< "file:line:column"; empty when made in memory
  std::map<std::string, std::string> places;  ///< the same for each key of `settings`
};

/// [accept]: what a result must hold. The rest is judged on boards, by `adze validate`.
struct Accept {
  std::optional<double> max_drop;        ///< percentage points of the metric
  std::optional<double> min_agreement;   ///< share of samples with the emulation's top-1
  std::optional<double> min_sqnr_db;     ///< of outputs that are no classifier's
  std::optional<double> max_latency_ms;  ///< of the median
};

/// A recipe may also be filled in memory, as `adze prune` and `adze quantize` do. All paths are
/// absolute.
struct Recipe {
  std::filesystem::path file;  ///< empty when made in memory
  std::filesystem::path model;
  DataSpec data;
  std::optional<CalibrationSpec> calibration;
  std::optional<TrainSpec> train;
  std::string board_type = "rzv2h";
  bool rewrite = false;            ///< say nodes differently that would leave the accelerator
  std::vector<std::string> trust;  ///< ids of foreign plugins that may run in the host's process
  IsolationLimits isolation;       ///< [isolation] deadline_s, memory_mb: of all the others
  std::vector<StageSpec> stages;
  std::optional<double> max_drop;  ///< percentage points of the metric
  std::uint64_t seed = 0;
};

/// Errors, all with file:line:column: INVALID_ARGUMENT (not TOML; an unknown key, with the nearest
/// valid one; a wrong type; a missing key or table), NOT_FOUND (a file that the recipe names).
Recipe parse_recipe(const std::filesystem::path& file);
/// The same from memory; paths and messages as if `text` were in `file`.
Recipe parse_recipe(std::string_view text, const std::filesystem::path& file);

/// The [accept] table of any TOML file; nothing when there is none.
Accept parse_accept_file(const std::filesystem::path& file);
/// The [data] table of any TOML file, for `--data`. Other tables are not looked at.
DataSpec parse_data_file(const std::filesystem::path& file);
/// [data] and, where there are any, [calibration] and [train] of any TOML file: a recipe whose
/// model and stages are still to be filled in.
Recipe parse_data_tables(const std::filesystem::path& file);

}  // namespace adze::host
