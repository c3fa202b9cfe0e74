// One of the ONNX project's backend tests: a model, inputs, and what must come out.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/abi/backend.hpp"

namespace adze::host {

enum class Outcome : std::uint8_t { passed, wrong, not_supported };

struct Verdict {
  Outcome outcome = Outcome::passed;
  std::string reason;  ///< empty when it passed
};

/// Runs the model of `folder` on each of its data sets. Refused with a reason: not_supported. A
/// result that is not the expected one, and any other error, is wrong.
Verdict run_case(const Component& backend, const std::filesystem::path& folder);

/// nullopt, or how they differ: as the ONNX project's runner compares.
std::optional<std::string> difference(const Tensor& got, const Tensor& expected);

}  // namespace adze::host
