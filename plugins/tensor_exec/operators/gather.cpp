// Gather, GatherElements, GatherND: elements of any type, looked up by computed indices. Kernels
// that look at indices run on one thread, so that a bad index is one error.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/indices.hpp"

namespace adze::exec {
namespace {

std::int64_t product(const Shape& shape, std::size_t first, std::size_t last) {
  return element_count(Shape(shape.begin() + static_cast<std::ptrdiff_t>(first),
                             shape.begin() + static_cast<std::ptrdiff_t>(last)));
}

/// outer x size x inner, of which `indices` picks blocks of `inner`.
class GatherKernel final : public Kernel {
 public:
  GatherKernel(Indices indices, std::int64_t outer, std::int64_t size, std::size_t block_bytes)
      : indices_(std::move(indices)), outer_(outer), size_(size), block_bytes_(block_bytes) {}
  void run(const Run& run) const override {
    std::byte* dst = run.outputs[0];
    for (std::int64_t o = 0; o < outer_; ++o)
      for (std::int64_t i = 0; i < indices_.count(); ++i, dst += block_bytes_) {
        const std::int64_t at = o * size_ + indices_.get(run.inputs[1], i, size_);
        if (block_bytes_ > 0)
          std::memcpy(dst, run.inputs[0] + static_cast<std::size_t>(at) * block_bytes_,
                      block_bytes_);
      }
  }

 private:
  Indices indices_;
  std::int64_t outer_, size_;
  std::size_t block_bytes_;
};

class GatherElementsKernel final : public Kernel {
 public:
  GatherElementsKernel(Indices indices, Shape data, Shape result, std::size_t axis,
                       std::size_t element_bytes)
      : indices_(std::move(indices)),
        data_(std::move(data)),
        result_(std::move(result)),
        axis_(axis),
        element_bytes_(element_bytes) {}
  void run(const Run& run) const override {
    const Shape strides = strides_of(data_);
    for (std::int64_t i = 0; i < indices_.count(); ++i) {
      std::int64_t rest = i, at = 0;
      for (std::size_t axis = result_.size(); axis-- > 0; rest /= result_[axis])
        at += strides[axis] *
              (axis == axis_ ? indices_.get(run.inputs[1], i, data_[axis]) : rest % result_[axis]);
      std::memcpy(run.outputs[0] + static_cast<std::size_t>(i) * element_bytes_,
                  run.inputs[0] + static_cast<std::size_t>(at) * element_bytes_, element_bytes_);
    }
  }

 private:
  Indices indices_;
  Shape data_, result_;
  std::size_t axis_, element_bytes_;
};

/// Rows of indices, each naming a block behind the batch axes.
class GatherNdKernel final : public Kernel {
 public:
  GatherNdKernel(Indices indices, Shape indexed, std::int64_t batches, std::size_t block_bytes)
      : indices_(std::move(indices)),
        indexed_(std::move(indexed)),
        batches_(batches),
        block_bytes_(block_bytes) {}
  void run(const Run& run) const override {
    const auto depth = static_cast<std::int64_t>(indexed_.size());
    const std::int64_t rows = depth == 0 ? 0 : indices_.count() / depth;
    const std::int64_t rows_in_batch = batches_ == 0 ? 0 : rows / batches_;
    const std::int64_t blocks = element_count(indexed_);
    for (std::int64_t row = 0; row < rows; ++row) {
      std::int64_t at = 0;
      for (std::int64_t i = 0; i < depth; ++i) {
        const std::int64_t size = indexed_[static_cast<std::size_t>(i)];
        at = at * size + indices_.get(run.inputs[1], row * depth + i, size);
      }
      at += row / rows_in_batch * blocks;
      if (block_bytes_ > 0)
        std::memcpy(run.outputs[0] + static_cast<std::size_t>(row) * block_bytes_,
                    run.inputs[0] + static_cast<std::size_t>(at) * block_bytes_, block_bytes_);
    }
  }

 private:
  Indices indices_;
  Shape indexed_;  ///< sizes of the axes that an index goes through
  std::int64_t batches_;
  std::size_t block_bytes_;
};

void check_gathered_type(const Site& site) {
  if (site.type(site.output) != site.type(site.input(0)))
    site.malformed("its output has another element type than its input");
}

Planned planned_gather(const Site& site, std::unique_ptr<Kernel> kernel) {
  Planned planned;
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}})
    planned.inputs.push_back({site.input(i), site.own_form(site.input(i))});
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.kernel = std::move(kernel);
  return planned;
}

struct NdSizes {
  std::size_t batch_axes, depth;
};

NdSizes nd_sizes(const Site& site) {
  const Shape data = site.shape(site.input(0)), indices = site.shape(site.input(1));
  const std::int64_t batch_axes = site.node.integer("batch_dims", 0);
  if (indices.empty() || batch_axes < 0 ||
      batch_axes >= static_cast<std::int64_t>(std::min(data.size(), indices.size())))
    site.malformed("batch_dims does not fit its inputs");
  const std::int64_t depth = indices.back();
  if (depth < 1 || depth > static_cast<std::int64_t>(data.size()) - batch_axes)
    site.malformed("its indices name " + std::to_string(depth) + " axes");
  const NdSizes sizes{static_cast<std::size_t>(batch_axes), static_cast<std::size_t>(depth)};
  for (std::size_t axis = 0; axis < sizes.batch_axes; ++axis)
    if (data[axis] != indices[axis]) site.malformed("its batch axes differ");
  return sizes;
}

}  // namespace

void check_gather(const Site& site) {
  const Shape data = site.shape(site.input(0)), indices = site.shape(site.input(1));
  const std::size_t axis = site.axis(site.node.integer("axis", 0), data.size());
  site.keep_samples_apart(site.input(0), axis);
  const Indices checked(site, 1);
  check_gathered_type(site);
  Shape expected(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(axis));
  expected.insert(expected.end(), indices.begin(), indices.end());
  expected.insert(expected.end(), data.begin() + static_cast<std::ptrdiff_t>(axis) + 1, data.end());
  site.expect_output_shape(expected);
  // Indices of the batch come first only when nothing is in front of them.
  if (site.program.batch > 1 && axis > 0 && site.value(site.input(1)).batch_axis >= 0)
    site.refuse("its indices have a batch behind other axes; compile the model for a batch of 1");
}

Planned plan_gather(const Site& site) {
  const Shape data = site.shape(site.input(0));
  const std::size_t axis = site.axis(site.node.integer("axis", 0), data.size());
  const std::size_t block = static_cast<std::size_t>(product(data, axis + 1, data.size())) *
                            size_of(site.type(site.input(0)));
  return planned_gather(site, std::make_unique<GatherKernel>(
                                  Indices(site, 1), product(data, 0, axis), data[axis], block));
}

void check_gather_elements(const Site& site) {
  const Shape data = site.shape(site.input(0)), indices = site.shape(site.input(1));
  const std::size_t axis = site.axis(site.node.integer("axis", 0), data.size());
  if (indices.size() != data.size()) site.malformed("its inputs have different ranks");
  for (std::size_t i = 0; i < data.size(); ++i)
    if (i != axis && indices[i] > data[i]) site.malformed("it has more indices than elements");
  site.keep_samples_apart(site.input(0), axis);
  const Indices checked(site, 1);
  check_gathered_type(site);
  site.expect_output_shape(indices);
}

Planned plan_gather_elements(const Site& site) {
  const Shape data = site.shape(site.input(0));
  return planned_gather(site, std::make_unique<GatherElementsKernel>(
                                  Indices(site, 1), data, site.output_shape(),
                                  site.axis(site.node.integer("axis", 0), data.size()),
                                  size_of(site.type(site.input(0)))));
}

void check_gather_nd(const Site& site) {
  const Shape data = site.shape(site.input(0)), indices = site.shape(site.input(1));
  const NdSizes sizes = nd_sizes(site);
  const Indices checked(site, 1);
  check_gathered_type(site);
  Shape expected(indices.begin(), indices.end() - 1);
  expected.insert(expected.end(),
                  data.begin() + static_cast<std::ptrdiff_t>(sizes.batch_axes + sizes.depth),
                  data.end());
  for (std::size_t axis = sizes.batch_axes; axis < sizes.batch_axes + sizes.depth; ++axis)
    site.keep_samples_apart(site.input(0), axis);
  site.expect_output_shape(expected);
}

Planned plan_gather_nd(const Site& site) {
  const Shape data = site.shape(site.input(0));
  const NdSizes sizes = nd_sizes(site);
  const std::size_t behind = sizes.batch_axes + sizes.depth;
  const Shape indexed(data.begin() + static_cast<std::ptrdiff_t>(sizes.batch_axes),
                      data.begin() + static_cast<std::ptrdiff_t>(behind));
  const std::size_t block = static_cast<std::size_t>(product(data, behind, data.size())) *
                            size_of(site.type(site.input(0)));
  return planned_gather(
      site, std::make_unique<GatherNdKernel>(Indices(site, 1), indexed,
                                             product(data, 0, sizes.batch_axes), block));
}

}  // namespace adze::exec
