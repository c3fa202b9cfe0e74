// The model that fuzzed components are shown: one constant of each sort, masks and quantization.
#pragma once

#include "host/base/log.hpp"
#include "host/plugin/registry.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::fuzz {

/// two_gemms() with a mask and a scale from earlier stages, half-precision and integer constants,
/// an output whose shape depends on the data, and one without a rank.
inline host::Graph graph() {
  using namespace host;
  Graph made = test::two_gemms();
  made.values[1].keep = {1, 1, 0, 1, 1, 1};
  made.values[1].constant->mutate<float>()[2] = 0;
  made.values[4].quant = Quant{.axis = 0, .is_signed = true, .scale = {0.5f, 0.25f}};
  const auto add = [&](Value value, std::uint32_t consumer) {
    value.consumers = {consumer};
    made.values.push_back(std::move(value));
    return static_cast<std::uint32_t>(made.values.size() - 1);
  };
  const std::vector<float> eight(8, 0.5f);
  const std::uint32_t half = add({.name = "half",
                                  .dtype = DType::f16,
                                  .shape = Shape{2, 4},
                                  .constant = from_f32(DType::f16, {2, 4}, eight)},
                                 2);
  const std::vector<std::int64_t> sizes = {1, -1};
  const std::uint32_t integers =
      add({.name = "sizes",
           .dtype = DType::i64,
           .shape = Shape{2},
           .constant = Tensor(DType::i64, {2}, std::span<const std::int64_t>(sizes))},
          3);
  const std::uint32_t empty =
      add({.name = "empty", .shape = Shape{0, 3}, .constant = Tensor(DType::f32, {0, 3})}, 3);
  for (const char* name : {"wide", "loose"})
    made.values.push_back(
        {.name = name, .producer = static_cast<std::uint32_t>(made.nodes.size() + (*name == 'l'))});
  const std::uint32_t wide = empty + 1, loose = empty + 2;
  made.values[wide].shape = Shape{1, -1};
  made.values[6].consumers = {2};
  made.nodes.push_back(
      {.op = "MatMul", .name = "third", .op_version = 13, .inputs = {6, half}, .outputs = {wide}});
  made.nodes.push_back({.op = "Loose",
                        .domain = "org.example",
                        .name = "fourth",
                        .op_version = 1,
                        .inputs = {wide, integers, kNone, empty},
                        .outputs = {loose}});
  made.values[wide].consumers = {3};
  made.outputs = {6, wide, loose};
  return made;
}

/// A plugin file that is only named in messages.
inline const host::LoadedPlugin& plugin() {
  static const adze_plugin descriptor{};
  static const host::LoadedPlugin loaded{"fuzzed.so", &descriptor};
  return loaded;
}

/// Nothing is printed for each of a million inputs.
inline bool quiet() {
  host::set_log(host::LogLevel::error, "never");
  return true;
}

}  // namespace adze::fuzz
