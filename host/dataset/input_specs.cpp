#include "host/base/error.hpp"
#include "host/dataset/dataset.hpp"

namespace adze::host {

std::vector<InputSpec> input_specs(const Graph& graph) {
  std::vector<InputSpec> specs;
  for (const std::uint32_t input : graph.inputs) {
    const Value& value = graph.value(input);
    if (!value.shape)
      throw Error(ADZE_INVALID_ARGUMENT,
                  "the shape of the model's input '" + value.name + "' is not known");
    specs.push_back({value.name, value.dtype, *value.shape});
  }
  return specs;
}

}  // namespace adze::host
