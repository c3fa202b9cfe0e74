// What is known before the model runs, or chosen by what is known: Constant and ConstantOfShape as
// outputs of the model (others are gone when the executor sees it), Compress by a constant
// condition.
#include <algorithm>

#include "plugins/tensor_exec/operators/any_type.hpp"
#include "plugins/tensor_exec/operators/axes.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

class BytesKernel final : public Kernel {
 public:
  explicit BytesKernel(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  void run(const Run& run) const override { std::ranges::copy(bytes_, run.outputs[0]); }

 private:
  std::vector<std::byte> bytes_;
};

const Attribute* elements_of(const Site& site) {
  for (const char* name : {"value", "value_int", "value_ints", "value_float", "value_floats"}) {
    const auto found = site.node.attributes.find(name);
    if (found == site.node.attributes.end()) continue;
    if (found->second.other || !found->second.texts.empty())
      site.refuse(std::string("its ") + name + " is too large or no list of numbers");
    return &found->second;
  }
  if (site.node.op == "Constant") site.refuse("its value is no list of numbers");
  return nullptr;
}

/// The numbers in the type of the output; a single one fills it.
template <class Numbers>
std::vector<std::byte> stored(const Site& site, const Numbers& numbers) {
  const auto count = static_cast<std::size_t>(element_count(site.output_shape()));
  if (numbers.size() != count && numbers.size() != 1)
    site.malformed("it holds " + std::to_string(numbers.size()) + " numbers for an output of " +
                   to_string(site.output_shape()));
  return with_type(site.type(site.output), [&]<class T>(TypeTag<T>) {
    std::vector<std::byte> bytes(count * sizeof(T));
    for (std::size_t i = 0; i < count; ++i) {
      const T element = converted<T>(numbers[numbers.size() == 1 ? 0 : i]);
      std::memcpy(bytes.data() + i * sizeof(T), &element, sizeof(T));
    }
    return bytes;
  });
}

/// Places along the axis where the condition holds.
std::vector<std::int64_t> chosen_places(const Site& site, std::int64_t size) {
  if (!site.value(site.input(1)).constant) site.refuse("its condition is computed");
  if (site.type(site.input(1)) != DType::boolean) site.malformed("its condition is not bool");
  const std::vector<std::int64_t> condition = site.program.integers(site.input(1));
  std::vector<std::int64_t> places;
  for (std::size_t i = 0; i < condition.size(); ++i)
    if (condition[i] != 0) places.push_back(static_cast<std::int64_t>(i));
  if (!places.empty() && places.back() >= size)
    site.malformed("its condition is longer than its axis of " + std::to_string(size));
  return places;
}

/// Of the flat input when no axis is given.
Extents compressed_extents(const Site& site) {
  const Shape in = site.shape(site.input(0));
  if (!site.node.attributes.contains("axis")) return {1, element_count(in), 1};
  const std::size_t axis = site.axis(site.node.integer("axis", 0), in.size());
  return extents_around(in, axis, axis + 1);
}

class CompressKernel final : public Kernel {
 public:
  CompressKernel(const Extents& extents, std::vector<std::int64_t> places, std::size_t block_bytes)
      : extents_(extents), places_(std::move(places)), block_bytes_(block_bytes) {}
  void run(const Run& run) const override {
    std::byte* dst = run.outputs[0];
    for (std::int64_t outer = 0; outer < extents_.outer; ++outer)
      for (const std::int64_t place : places_) {
        const auto at = static_cast<std::size_t>(outer * extents_.middle + place);
        dst = std::copy_n(run.inputs[0] + at * block_bytes_, block_bytes_, dst);
      }
  }

 private:
  Extents extents_;
  std::vector<std::int64_t> places_;
  std::size_t block_bytes_;
};

}  // namespace

void check_constant(const Site& site) { elements_of(site); }

Planned plan_constant(const Site& site) {
  const Attribute* elements = elements_of(site);
  std::vector<std::byte> bytes;
  if (!elements)  // a ConstantOfShape that does not say what of
    bytes = stored(site, std::vector<std::int64_t>{0});
  else if (!elements->ints.empty())
    bytes = stored(site, elements->ints);
  else
    bytes = stored(site, elements->floats);
  Planned planned;
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.kernel = std::make_unique<BytesKernel>(std::move(bytes));
  return planned;
}

void check_compress(const Site& site) {
  const std::uint32_t input = site.input(0);
  const Shape in = site.shape(input);
  const Extents extents = compressed_extents(site);
  site.expect_same_type(input, site.output);
  const auto places = static_cast<std::int64_t>(chosen_places(site, extents.middle).size());
  if (!site.node.attributes.contains("axis")) {
    for (std::size_t axis = 0; axis < in.size(); ++axis) site.keep_samples_apart(input, axis);
    return site.expect_output_shape({places});
  }
  const std::size_t axis = site.axis(site.node.integer("axis", 0), in.size());
  site.keep_samples_apart(input, axis);
  Shape expected = in;
  expected[axis] = places;
  site.expect_output_shape(expected);
}

Planned plan_compress(const Site& site) {
  const std::uint32_t input = site.input(0);
  const Extents extents = compressed_extents(site);
  Planned planned;
  planned.inputs = {{input, site.own_form(input)}};
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.kernel = std::make_unique<CompressKernel>(
      extents, chosen_places(site, extents.middle),
      static_cast<std::size_t>(extents.inner) * size_of(site.type(input)));
  return planned;
}

}  // namespace adze::exec
