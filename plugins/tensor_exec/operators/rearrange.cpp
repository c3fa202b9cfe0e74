// Expand, Tile, DepthToSpace, SpaceToDepth, Split: copies with strides, of any type.
#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/strided_copy.hpp"

namespace adze::exec {
namespace {

/// Copies one input to one or more outputs.
class StridedCopiesKernel final : public Kernel {
 public:
  explicit StridedCopiesKernel(std::vector<std::unique_ptr<Kernel>> copies)
      : copies_(std::move(copies)) {}
  void run(const Run& run) const override {
    for (std::size_t i = 0; i < copies_.size(); ++i)
      copies_[i]->run({run.inputs, run.outputs + i, run.scratch, run.threads});
  }

 private:
  std::vector<std::unique_ptr<Kernel>> copies_;
};

/// The input's axes as DepthToSpace and SpaceToDepth see them, and the order they come out in.
struct Blocks {
  Shape sizes;
  std::vector<std::size_t> order;
};

std::int64_t block_size(const Site& site) {
  const std::int64_t size = site.node.integer("blocksize", 0);
  if (size < 1 || size > (1 << 15)) site.malformed("its blocksize is " + std::to_string(size));
  if (site.shape(site.input(0)).size() != 4) site.malformed("its input does not have 4 axes");
  return size;
}

Blocks blocks_of(const Site& site) {
  const Shape in = site.shape(site.input(0));
  const std::int64_t block = block_size(site);
  if (site.node.op == "SpaceToDepth") {
    if (in[2] % block != 0 || in[3] % block != 0)
      site.malformed("its blocksize does not divide height and width");
    return {{in[0], in[1], in[2] / block, block, in[3] / block, block}, {0, 3, 5, 1, 2, 4}};
  }
  if (in[1] % (block * block) != 0) site.malformed("its blocksize does not divide the channels");
  const std::int64_t channels = in[1] / (block * block);
  const std::string mode = site.node.text("mode", "DCR");
  if (mode == "DCR") return {{in[0], block, block, channels, in[2], in[3]}, {0, 3, 4, 1, 5, 2}};
  if (mode != "CRD") site.malformed("its mode is '" + mode + "', neither DCR nor CRD");
  return {{in[0], channels, block, block, in[2], in[3]}, {0, 1, 4, 2, 5, 3}};
}

/// For each output, where it starts along the axis and how long it is.
std::vector<std::pair<std::int64_t, std::int64_t>> pieces_of(const Site& site, std::size_t axis) {
  const std::int64_t size = site.shape(site.input(0))[axis];
  const auto count = static_cast<std::int64_t>(site.node.outputs.size());
  Shape lengths = site.node.integers("split");
  if (site.has_input(1)) {
    if (!site.value(site.input(1)).constant) site.refuse("its sizes are computed");
    lengths = site.program.integers(site.input(1));
  }
  const bool given = !lengths.empty();
  const std::int64_t each = (size + count - 1) / count;
  std::vector<std::pair<std::int64_t, std::int64_t>> pieces;
  std::int64_t start = 0;
  if (given && static_cast<std::int64_t>(lengths.size()) != count)
    site.malformed("it has another number of sizes than of outputs");
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t length = given ? lengths[static_cast<std::size_t>(i)]
                                      : std::clamp<std::int64_t>(size - start, 0, each);
    if (length < 0 || length > size - start) site.malformed("its sizes do not fit its axis");
    pieces.emplace_back(start, length);
    start += length;
  }
  if (start != size) site.malformed("its sizes do not add up to its axis");
  return pieces;
}

Planned planned_copy(const Site& site, StridedCopy copy) {
  const std::uint32_t input = site.input(0);
  const Storage storage = site.moved_storage(input, site.output);
  copy.element_bytes = site.element_bytes(input, storage);
  Planned planned;
  planned.inputs = {{input, {storage, Layout::plain}}};
  planned.outputs = {{site.output, {storage, Layout::plain}}};
  planned.kernel = make_strided_copy(std::move(copy));
  return planned;
}

}  // namespace

void check_expand(const Site& site) {
  const Shape in = site.shape(site.input(0)), out = site.output_shape();
  site.expect_same_type(site.input(0), site.output);
  bool fits = in.size() <= out.size();
  for (std::size_t i = 1; fits && i <= in.size(); ++i)
    fits = in[in.size() - i] == 1 || in[in.size() - i] == out[out.size() - i];
  if (!fits) site.malformed("its input " + to_string(in) + " does not expand to " + to_string(out));
}

Planned plan_expand(const Site& site) {
  const Shape in = site.shape(site.input(0)), out = site.output_shape(), own = strides_of(in);
  StridedCopy copy{out, Shape(out.size(), 0), 0, 0};
  for (std::size_t i = 1; i <= in.size(); ++i)
    if (in[in.size() - i] != 1) copy.strides[out.size() - i] = own[in.size() - i];
  return planned_copy(site, std::move(copy));
}

void check_tile(const Site& site) {
  const Shape in = site.shape(site.input(0)), out = site.output_shape();
  site.expect_same_type(site.input(0), site.output);
  bool fits = in.size() == out.size();
  for (std::size_t axis = 0; fits && axis < in.size(); ++axis) {
    fits = in[axis] == 0 ? out[axis] == 0 : out[axis] % in[axis] == 0;
    if (fits && out[axis] != in[axis]) site.keep_samples_apart(site.input(0), axis);
  }
  if (!fits) site.malformed("its input " + to_string(in) + " does not repeat to " + to_string(out));
}

Planned plan_tile(const Site& site) {
  const Shape in = site.shape(site.input(0)), out = site.output_shape(), own = strides_of(in);
  StridedCopy copy{{}, {}, 0, 0};
  for (std::size_t axis = 0; axis < in.size(); ++axis) {
    copy.sizes.push_back(in[axis] == 0 ? 0 : out[axis] / in[axis]);
    copy.strides.push_back(0);
    copy.sizes.push_back(in[axis]);
    copy.strides.push_back(own[axis]);
  }
  return planned_copy(site, std::move(copy));
}

void check_depth_and_space(const Site& site) {
  const Blocks blocks = blocks_of(site);
  const Shape in = site.shape(site.input(0));
  const std::int64_t block = block_size(site);
  site.expect_same_type(site.input(0), site.output);
  site.expect_output_shape(site.node.op == "DepthToSpace"
                               ? Shape{in[0], in[1] / (block * block), in[2] * block, in[3] * block}
                               : Shape{in[0], in[1] * block * block, in[2] / block, in[3] / block});
}

Planned plan_depth_and_space(const Site& site) {
  const Blocks blocks = blocks_of(site);
  const Shape strides = strides_of(blocks.sizes);
  StridedCopy copy{{}, {}, 0, 0};
  for (const std::size_t axis : blocks.order) {
    copy.sizes.push_back(blocks.sizes[axis]);
    copy.strides.push_back(strides[axis]);
  }
  return planned_copy(site, std::move(copy));
}

void check_split(const Site& site) {
  const std::uint32_t input = site.input(0);
  const Shape in = site.shape(input);
  const std::size_t axis = site.axis(site.node.integer("axis", 0), in.size());
  site.keep_samples_apart(input, axis);
  const auto pieces = pieces_of(site, axis);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::uint32_t output = site.node.outputs[i];
    if (output == ADZE_NONE) continue;
    Shape expected = in;
    expected[axis] = pieces[i].second;
    site.expect_same_type(input, output);
    site.expect_shape(output, expected);
  }
}

Planned plan_split(const Site& site) {
  const std::uint32_t input = site.input(0);
  const Shape in = site.shape(input);
  const std::size_t axis = site.axis(site.node.integer("axis", 0), in.size());
  const auto pieces = pieces_of(site, axis);
  bool integers = true;  // all outputs hold the input's integers
  for (const std::uint32_t output : site.node.outputs)
    integers =
        integers && (output == ADZE_NONE || site.moved_storage(input, output) == Storage::u8);
  const Storage storage =
      integers && site.quant8(input) ? Storage::u8 : site.own_form(input).storage;
  Planned planned;
  planned.inputs = {{input, {storage, Layout::plain}}};
  std::vector<std::unique_ptr<Kernel>> copies;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::uint32_t output = site.node.outputs[i];
    if (output == ADZE_NONE) continue;
    StridedCopy copy{in, strides_of(in), 0, site.element_bytes(input, storage)};
    copy.sizes[axis] = pieces[i].second;
    copy.source_offset = pieces[i].first * copy.strides[axis];
    copies.push_back(make_strided_copy(std::move(copy)));
    planned.outputs.push_back({output, {storage, Layout::plain}});
  }
  planned.kernel = std::make_unique<StridedCopiesKernel>(std::move(copies));
  return planned;
}

}  // namespace adze::exec
