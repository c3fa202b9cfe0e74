// Board types: what is known about a kind of board, as data (share/adze/boards/NAME.toml).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/abi/view.hpp"

namespace adze::host {

using Facts = std::map<std::string, Target::Fact>;

/// The folder of the installation that holds the board types.
std::filesystem::path board_type_folder();

/// Names of the board types in `folder`, sorted.
std::vector<std::string> board_types(const std::filesystem::path& folder = board_type_folder());

/// Errors: NOT_FOUND listing the board types there are.
void require_board_type(const std::string& board_type,
                        const std::filesystem::path& folder = board_type_folder());

/// All keys of the file, flattened: `[clock] ai_mhz = 1260` is "clock.ai_mhz", the second table of
/// `[[unit]]` with `name = "x"` is "unit.1.name". Errors: as require_board_type; INVALID_ARGUMENT
/// with file:line:column for what cannot be a fact.
Facts load_facts(const std::string& board_type,
                 const std::filesystem::path& folder = board_type_folder());

/// `facts` as they were with an older toolchain: each `[[toolchain.older]]` whose `before` is newer
/// than `version` replaces what it names of `placement`. Errors: INVALID_ARGUMENT for a version
/// that is no number like 2.4.
Facts at_toolchain(Facts facts, const std::string& version);

/// How far off a prediction may be either way, as the board type says of its own fit: the measured
/// latency is expected between predicted / factor and predicted * factor. Errors: INVALID_ARGUMENT
/// when it does not say.
double interval_factor(const Facts& facts, const std::string& board_type);

/// The target of a call. The facts are copied. Errors: as load_facts, and as check_board_type.
std::unique_ptr<Target> load_target(const std::string& board_type);

}  // namespace adze::host
