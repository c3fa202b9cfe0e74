// Runs a program as a user would and keeps what it said.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace adze::test {

struct Outcome {
  int exit_code = -1;  ///< 128 + signal when a signal ended it
  std::string out, err;
};

/// Arguments go to the program as they are, no shell. Killed (exit code 137) after `timeout`.
Outcome run_program(const std::vector<std::string>& arguments,
                    std::chrono::seconds timeout = std::chrono::seconds(120),
                    const std::vector<std::string>& environment = {});

/// bin/adze of the build tree with `arguments`.
Outcome adze(std::vector<std::string> arguments,
             std::chrono::seconds timeout = std::chrono::seconds(120),
             const std::vector<std::string>& environment = {});

std::filesystem::path source_dir();  ///< ADZE_SOURCE_DIR
std::filesystem::path binary_dir();  ///< ADZE_BINARY_DIR

}  // namespace adze::test
