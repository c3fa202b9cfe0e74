#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/lookup.hpp"

namespace adze::exec {
namespace {

std::size_t axis_of(const Site& site) {
  const auto rank = static_cast<std::int64_t>(site.output_shape().size());
  std::int64_t axis = site.node.integer("axis", 0);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) site.malformed("its axis is too large");
  return static_cast<std::size_t>(axis);
}

/// Blocks of each input are laid one behind the other, `rows` times.
class ConcatKernel final : public Kernel {
 public:
  struct Part {
    std::size_t bytes;
    std::optional<Table> table;  ///< to the result's quantization
  };
  ConcatKernel(std::int64_t rows, std::vector<Part> parts) : rows_(rows), parts_(std::move(parts)) {
    for (const Part& part : parts_) row_bytes_ += part.bytes;
  }

  void run(const Run& run) const override {
    parallel_for(run.threads, rows_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const auto index = static_cast<std::size_t>(row);
        std::byte* to = run.outputs[0] + index * row_bytes_;
        for (std::size_t i = 0; i < parts_.size(); ++i) {
          copy(parts_[i], run.inputs[i] + index * parts_[i].bytes, to);
          to += parts_[i].bytes;
        }
      }
    });
  }

 private:
  static void copy(const Part& part, const std::byte* from, std::byte* to) {
    if (part.bytes == 0) return;
    if (!part.table) {
      std::memcpy(to, from, part.bytes);
      return;
    }
    for (std::size_t i = 0; i < part.bytes; ++i)
      to[i] = static_cast<std::byte>((*part.table)[static_cast<std::uint8_t>(from[i])]);
  }

  std::int64_t rows_;
  std::vector<Part> parts_;
  std::size_t row_bytes_ = 0;
};

}  // namespace

void check_concat(const Site& site) {
  const std::size_t axis = axis_of(site);
  if (static_cast<std::int32_t>(axis) == site.value(site.output).batch_axis)
    site.refuse("it joins along the batch");
  for (std::size_t i = 0; i < site.node.inputs.size(); ++i)
    site.keep_samples_apart(site.input(i), axis);
  Shape expected = site.shape(site.input(0));
  if (axis >= expected.size()) site.malformed("its inputs have too few axes");
  expected[axis] = 0;
  for (std::size_t i = 0; i < site.node.inputs.size(); ++i) {
    site.expect_same_type(site.input(i), site.output);
    Shape shape = site.shape(site.input(i));
    if (shape.size() != expected.size()) site.malformed("its inputs have different ranks");
    expected[axis] += shape[axis];
    shape[axis] = expected[axis];
    if (shape != expected) site.malformed("its inputs differ along another axis");
  }
  site.expect_output_shape(expected);
}

Planned plan_concat(const Site& site) {
  const std::size_t axis = axis_of(site);
  const auto to = site.quant8(site.output);
  bool integers = to.has_value();
  Layout layout = Layout::plain;
  for (const std::uint32_t input : site.node.inputs) {
    integers = integers && site.quant8(input);
    if (!site.value(input).is_constant() && site.existing_layout(input) == Layout::channels_last)
      layout = Layout::channels_last;
  }
  const Storage storage = integers ? Storage::u8 : site.own_form(site.output).storage;
  const std::size_t element_bytes = site.element_bytes(site.output, storage);
  const Shape out = site.output_shape();
  std::int64_t rows = 1;
  for (const std::size_t before : axis_order(out.size(), layout)) {
    if (before == axis) break;
    rows *= out[before];
  }
  Planned planned;
  std::vector<ConcatKernel::Part> parts;
  for (const std::uint32_t input : site.node.inputs) {
    const auto count = static_cast<std::size_t>(element_count(site.shape(input)));
    ConcatKernel::Part part{rows == 0 ? 0 : count / static_cast<std::size_t>(rows) * element_bytes,
                            std::nullopt};
    const auto from = site.quant8(input);
    if (integers && *from != *to) part.table = make_table(*from, *to, site.program.rounding);
    parts.push_back(std::move(part));
    planned.inputs.push_back({input, {storage, layout}});
  }
  planned.outputs = {{site.output, {storage, layout}}};
  planned.kernel = std::make_unique<ConcatKernel>(rows, std::move(parts));
  return planned;
}

}  // namespace adze::exec
