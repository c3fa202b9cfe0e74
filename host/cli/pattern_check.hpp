// Whether the zeros of a model's weights are in a pattern.
#pragma once

#include <filesystem>
#include <string>

#include "host/cli/command.hpp"

namespace adze::host {

/// Says of each layer whether its weights hold `pattern` ("4:16", "1x4", ...; "recorded": each
/// what the file says of it), and sets the program's exit code to 1 when one does not or none
/// does. A layer with next to no zeros counts as dense, not as broken. Looks at the weights alone,
/// so that any ONNX file will do. Errors: INVALID_ARGUMENT for another text.
void check_model_pattern(const std::filesystem::path& model, const std::string& pattern,
                         Context& context);

}  // namespace adze::host
