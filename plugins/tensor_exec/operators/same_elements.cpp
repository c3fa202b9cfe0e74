// Operators that keep every element and its row-major place: Reshape, Flatten, Squeeze, Unsqueeze,
// Identity, Dropout. The result's shape is the graph's: constants that say a batch
// of 1 need not be read.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/lookup.hpp"

namespace adze::exec {
namespace {

class CopyKernel final : public Kernel {
 public:
  explicit CopyKernel(std::size_t bytes) : bytes_(bytes) {}
  void run(const Run& run) const override {
    if (bytes_ > 0) std::memcpy(run.outputs[0], run.inputs[0], bytes_);
  }

 private:
  std::size_t bytes_;
};

}  // namespace

void check_same_elements(const Site& site) {
  site.expect_same_type(site.input(0), site.output);
  if (site.node.op == "Dropout" && site.has_input(2)) {
    const auto number = [&](std::size_t input, float fallback) {
      if (!site.has_input(input)) return fallback;
      if (!site.value(site.input(input)).constant) site.refuse("a parameter is computed");
      const std::vector<float> numbers = site.program.floats(site.input(input));
      return numbers.empty() ? fallback : numbers.front();
    };
    if (number(2, 0) != 0 && number(1, 0.5f) != 0) site.refuse("it drops elements at random");
  }
  const Shape in = site.shape(site.input(0));
  if (element_count(in) != element_count(site.output_shape()))
    site.malformed("its input " + to_string(in) + " and output " + to_string(site.output_shape()) +
                   " have different numbers of elements");
  if (site.node.op == "Dropout" && site.node.outputs.size() > 1 &&
      site.node.outputs[1] != ADZE_NONE)
    site.refuse("the mask of a Dropout is not supported");
}

Planned plan_same_elements(const Site& site) {
  const std::uint32_t input = site.input(0);
  const Shape shape = site.output_shape();
  const Layout layout = site.shape(input) == shape ? site.existing_layout(input) : Layout::plain;
  const auto from = site.quant8(input), to = site.quant8(site.output);
  const Storage storage = from && to ? Storage::u8 : site.own_form(input).storage;
  Planned planned;
  planned.inputs = {{input, {storage, layout}}};
  planned.outputs = {{site.output, {storage, layout}}};
  const std::int64_t count = element_count(shape);
  if (from && to && *from != *to)
    planned.kernel = make_lookup(make_table(*from, *to, site.program.rounding), count);
  else
    planned.kernel = std::make_unique<CopyKernel>(static_cast<std::size_t>(count) *
                                                  site.element_bytes(input, storage));
  return planned;
}

}  // namespace adze::exec
