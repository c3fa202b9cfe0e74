// Operators that keep every element and its row-major place: Reshape, Flatten, Squeeze, Unsqueeze,
// Identity, Dropout, Cast to float. The result's shape is the graph's: constants that say a batch
// of 1 need not be read.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/lookup.hpp"

namespace adze::exec {
namespace {

constexpr std::int64_t kOnnxFloat = 1;

class CopyKernel final : public Kernel {
 public:
  explicit CopyKernel(std::size_t bytes) : bytes_(bytes) {}
  void run(const Run& run) const override { std::memcpy(run.outputs[0], run.inputs[0], bytes_); }

 private:
  std::size_t bytes_;
};

}  // namespace

void check_same_elements(const Site& site) {
  if (site.node.op == "Cast" && site.node.integer("to", kOnnxFloat) != kOnnxFloat)
    site.refuse("only casts to float are supported");
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
  const Storage storage = from && to ? Storage::u8 : Storage::f32;
  Planned planned;
  planned.inputs = {{input, {storage, layout}}};
  planned.outputs = {{site.output, {storage, layout}}};
  const std::int64_t count = element_count(shape);
  if (from && to && *from != *to)
    planned.kernel = make_lookup(make_table(*from, *to, site.program.rounding), count);
  else
    planned.kernel = std::make_unique<CopyKernel>(static_cast<std::size_t>(count) *
                                                  (storage == Storage::u8 ? 1 : sizeof(float)));
  return planned;
}

}  // namespace adze::exec
