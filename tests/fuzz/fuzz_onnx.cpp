// Whatever the bytes are, they become a graph that can be saved, or an Error.
#include <cstdlib>

#include "host/base/error.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace adze::host;
  try {
    Graph graph = parse_model(std::as_bytes(std::span(data, size)), {});
    simplify(graph);
    serialize_model(graph);
  } catch (const Error& error) {
    if (error.code == ADZE_INTERNAL) std::abort();
  }
  return 0;
}
