// Where the time of a model goes on a backend, step by step, measured on this machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "host/cli/runner_spec.hpp"

namespace adze::host {

struct ProfileOptions {
  bool wanted = false;
  std::filesystem::path model;
  std::string backend = "cpu";
  RunnerOptions how{.board_type = "rzv2h", .settings = {}, .layers = {}};
  std::uint32_t runs = 20;
};

/// Runs the model on seeded noise and prints the median time of each step. Errors: UNIMPLEMENTED
/// when the backend does not tell; as open_runner.
void profile_model(const ProfileOptions& options, Context& context);

}  // namespace adze::host
