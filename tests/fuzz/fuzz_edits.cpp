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

void require(bool holds, const char* what) {
  if (!holds) adze::fuzz::finding(what);
}

/// What holds in any model.
void check(const Value& value) {
  if (value.quant) {
    const std::int64_t scales =
        value.quant->axis < 0 ? 1 : value.shape->at(static_cast<std::size_t>(value.quant->axis));
    require(value.quant->scale.size() == static_cast<std::size_t>(scales),
            "the wrong number of scales");
    for (const float scale : value.quant->scale)
      require(std::isfinite(scale) && scale > 0, "a bad scale");
  }
  if (!value.constant) return;
  require(value.shape == value.constant->shape(), "a constant of another shape than its value");
  require(value.keep.empty() || std::ssize(value.keep) == value.constant->count(),
          "a mask of the wrong size");
  if (value.constant->dtype() != DType::f32) return;
  const auto elements = value.constant->as<float>();
  for (std::size_t i = 0; i < elements.size(); ++i) {
    require(std::isfinite(elements[i]), "a constant is not finite");
    require(value.keep.empty() || value.keep[i] || elements[i] == 0, "a pruned element is not 0");
  }
}

/// What an edit must leave alone as long as no channels leave.
void check(const Value& was, const Value& is) {
  require(was.constant.has_value() == is.constant.has_value(), "a constant came or went");
  if (!is.constant) return;
  require(is.constant->dtype() == was.constant->dtype() &&
              is.constant->shape() == was.constant->shape(),
          "a constant changed its type or shape");
  for (std::size_t i = 0; i < was.keep.size(); ++i)
    require(was.keep[i] || !is.keep[i], "a pruned element came back");
}

void check(const Graph& before, const EditList& edits) {
  const Graph after = edits.commit();
  require(before.values.size() == after.values.size() && before.nodes.size() == after.nodes.size(),
          "nodes or values are gone");
  for (const Value& value : after.values) check(value);
  if (std::ranges::count(edits.edits(), Edit::Kind::channels, &Edit::kind) > 0) return;
  for (std::size_t v = 0; v < after.values.size(); ++v) check(before.values[v], after.values[v]);
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
    check(graph, edits);
  } catch (const PluginError&) {
  } catch (const Error& error) {
    if (error.code != ADZE_CANCELLED) adze::fuzz::finding(error.what());
  }
  return 0;
}
