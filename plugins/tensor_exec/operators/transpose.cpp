#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/strided_copy.hpp"

namespace adze::exec {
namespace {

Shape permutation_of(const Site& site) {
  const auto rank = static_cast<std::int64_t>(site.shape(site.input(0)).size());
  Shape reversed;
  for (std::int64_t axis = rank; axis-- > 0;) reversed.push_back(axis);
  const Shape permutation = site.node.integers("perm", reversed);
  std::vector<char> seen(static_cast<std::size_t>(rank), 0);
  if (static_cast<std::int64_t>(permutation.size()) != rank)
    site.malformed("perm has the wrong length");
  for (const std::int64_t axis : permutation) {
    if (axis < 0 || axis >= rank || seen[static_cast<std::size_t>(axis)])
      site.malformed("perm is no permutation");
    seen[static_cast<std::size_t>(axis)] = 1;
  }
  return permutation;
}

}  // namespace

void check_transpose(const Site& site) {
  site.expect_same_type(site.input(0), site.output);
  const Shape in = site.shape(site.input(0));
  Shape expected;
  for (const std::int64_t axis : permutation_of(site))
    expected.push_back(in[static_cast<std::size_t>(axis)]);
  site.expect_output_shape(expected);
}

Planned plan_transpose(const Site& site) {
  const std::uint32_t input = site.input(0);
  const Storage storage = site.moved_storage(input, site.output);
  const Layout layout = site.existing_layout(input);
  const Shape strides = memory_strides(site.shape(input), layout);
  StridedCopy copy{site.output_shape(), {}, 0, site.element_bytes(input, storage)};
  for (const std::int64_t axis : permutation_of(site))
    copy.strides.push_back(strides[static_cast<std::size_t>(axis)]);
  Planned planned;
  planned.inputs = {{input, {storage, layout}}};
  planned.outputs = {{site.output, {storage, Layout::plain}}};
  planned.kernel = make_strided_copy(std::move(copy));
  return planned;
}

}  // namespace adze::exec
