// A pruner or quantizer that asks for anything. What is committed must still be a model.
#include <cmath>
#include <cstdlib>

#include "host/abi/call.hpp"
#include "host/base/error.hpp"
#include "tests/fuzz/graph.hpp"
#include "tests/fuzz/program.hpp"

namespace {

using namespace adze::host;
using adze::fuzz::Program;
using adze::fuzz::program;

adze_status misbehave(void*, adze_call* call) noexcept {
  while (program->goes_on())
    program->one_in(4) ? program->call_host(call) : program->call_edit(call);
  return program->one_in(8) ? program->number<std::int32_t>() : ADZE_OK;
}

adze_status create(adze_call* call, void** out_self) noexcept {
  if (program->one_in(8)) *out_self = program;
  if (program->one_in(4)) program->call_host(call);
  return program->one_in(16) ? program->number<std::int32_t>() : ADZE_OK;
}

constexpr adze_pruner kPruner = {sizeof(adze_pruner), 0, misbehave};
constexpr adze_quantizer kQuantizer = {sizeof(adze_quantizer), 0, misbehave};

adze_component component(bool prunes) {
  adze_component made{};
  made.struct_size = sizeof made;
  made.id = "org.example.fuzzed";
  made.doc = "Asks for anything.";
  made.create = create;
  made.destroy = [](void*) noexcept {};
  made.pruner = prunes ? &kPruner : nullptr;
  made.quantizer = prunes ? nullptr : &kQuantizer;
  return made;
}

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const Graph& before, const Graph& after) {
  require(before.values.size() == after.values.size() && before.nodes.size() == after.nodes.size());
  for (std::size_t v = 0; v < after.values.size(); ++v) {
    const Value& was = before.values[v];
    const Value& is = after.values[v];
    require(was.constant.has_value() == is.constant.has_value());
    if (is.quant) {
      const std::size_t scales =
          is.quant->axis < 0
              ? 1
              : static_cast<std::size_t>(is.shape->at(static_cast<std::size_t>(is.quant->axis)));
      require(is.quant->scale.size() == scales);
      for (const float scale : is.quant->scale) require(std::isfinite(scale) && scale > 0);
    }
    if (!is.constant) continue;
    require(is.constant->dtype() == was.constant->dtype() &&
            is.constant->shape() == was.constant->shape());
    if (is.constant->dtype() != DType::f32) continue;
    const auto elements = is.constant->as<float>();
    for (std::size_t i = 0; i < elements.size(); ++i) {
      require(std::isfinite(elements[i]));
      if (!is.keep.empty() && !is.keep[i]) require(elements[i] == 0);
      if (!was.keep.empty() && !was.keep[i]) require(!is.keep[i]);  // nothing comes back
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = adze::fuzz::quiet();
  static const Graph graph = adze::fuzz::graph();
  static_cast<void>(quiet);
  Program made(data, size);
  program = &made;
  const adze_component fuzzed = component(made.one_in(2));
  CallOptions options;
  if (made.one_in(4)) options.progress = [](double, const std::string&) { return true; };
  try {
    const EditList edits =
        run_edit_component({&fuzzed, &adze::fuzz::plugin()}, {}, graph, {0, 2}, options, {});
    check(graph, edits.commit());
  } catch (const PluginError&) {
  } catch (const Error& error) {
    if (error.code != ADZE_CANCELLED) std::abort();
  }
  return 0;
}
