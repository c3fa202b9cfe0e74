// Dropout in inference, which keeps everything.
#include "plugins/tensor_exec/operators/all.hpp"

namespace adze::exec {
namespace {

bool reports_mask(const Site& site) {
  return site.node.outputs.size() > 1 && site.node.outputs[1] != ADZE_NONE;
}

/// Copies, and fills in a mask of which every element says "kept".
class MaskKernel final : public Kernel {
 public:
  MaskKernel(std::size_t bytes, std::size_t elements) : bytes_(bytes), elements_(elements) {}
  void run(const Run& run) const override {
    std::memcpy(run.outputs[0], run.inputs[0], bytes_);
    std::memset(run.outputs[1], 1, elements_);
  }

 private:
  std::size_t bytes_, elements_;
};

bool trains(const Site& site) {
  if (!site.has_input(2)) return false;
  if (!site.value(site.input(2)).constant) site.refuse("whether it trains is computed");
  const std::vector<std::int64_t> mode = site.program.integers(site.input(2));
  return !mode.empty() && mode.front() != 0;
}

/// Training with a ratio of 0 keeps everything, too.
double ratio_of(const Site& site) {
  if (!site.has_input(1)) return 0.5;
  if (!site.value(site.input(1)).constant) site.refuse("its ratio is computed");
  const std::vector<float> ratio = site.program.floats(site.input(1));
  return ratio.empty() ? 0.5 : static_cast<double>(ratio.front());
}

}  // namespace

void check_dropout(const Site& site) {
  if (trains(site) && ratio_of(site) != 0) site.refuse("training is not supported");
  site.expect_output_shape(site.shape(site.input(0)));
  if (site.type(site.output) != site.type(site.input(0)))
    site.malformed("its output is of another type than its input");
  if (reports_mask(site) && (site.shape(site.node.outputs[1]) != site.output_shape() ||
                             site.type(site.node.outputs[1]) != DType::boolean))
    site.malformed("its mask is not one bool an element");
}

Planned plan_dropout(const Site& site) {
  if (!reports_mask(site)) return plan_same_elements(site);
  const auto elements = static_cast<std::size_t>(element_count(site.output_shape()));
  Planned planned;
  planned.inputs = {{site.input(0), site.own_form(site.input(0))}};
  planned.outputs = {{site.output, site.own_form(site.output)},
                     {site.node.outputs[1], site.own_form(site.node.outputs[1])}};
  planned.kernel =
      std::make_unique<MaskKernel>(elements * size_of(site.type(site.output)), elements);
  return planned;
}

}  // namespace adze::exec
