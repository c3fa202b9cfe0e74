#include "plugins/tensor_exec/strided_copy.hpp"

namespace adze::exec {
namespace {

template <class T>
void copy_part(const StridedCopy& copy, const T* src, T* dst, std::int64_t begin,
               std::int64_t end) {
  // [begin, end) counts rows along the last axis.
  const std::size_t rank = copy.sizes.size();
  const std::int64_t width = copy.sizes.back(), step = copy.strides.back();
  for (std::int64_t row = begin; row < end; ++row) {
    std::int64_t from = copy.source_offset, rest = row;
    for (std::size_t axis = rank - 1; axis-- > 0;) {
      from += rest % copy.sizes[axis] * copy.strides[axis];
      rest /= copy.sizes[axis];
    }
    const T* source = src + from;
    T* target = dst + row * width;
    if (step == 1)
      std::copy(source, source + width, target);
    else
      for (std::int64_t i = 0; i < width; ++i) target[i] = source[i * step];
  }
}

class StridedCopyKernel final : public Kernel {
 public:
  explicit StridedCopyKernel(StridedCopy copy) : copy_(std::move(copy)) {}
  void run(const Run& run) const override { copy_.run(run.inputs[0], run.outputs[0], run.threads); }

 private:
  StridedCopy copy_;
};

/// Joins neighbouring axes that one stride walks through.
StridedCopy simplified(const StridedCopy& copy) {
  StridedCopy result{{}, {}, copy.source_offset, copy.element_bytes};
  for (std::size_t i = 0; i < copy.sizes.size(); ++i) {
    if (copy.sizes[i] == 1) continue;
    if (!result.sizes.empty() && result.strides.back() == copy.sizes[i] * copy.strides[i]) {
      result.sizes.back() *= copy.sizes[i];
      result.strides.back() = copy.strides[i];
    } else {
      result.sizes.push_back(copy.sizes[i]);
      result.strides.push_back(copy.strides[i]);
    }
  }
  if (result.sizes.empty()) {
    result.sizes.push_back(1);
    result.strides.push_back(1);
  }
  return result;
}

}  // namespace

void StridedCopy::run(const std::byte* src, std::byte* dst, int threads) const {
  const std::int64_t width = sizes.back();
  const std::int64_t rows = width == 0 ? 0 : element_count(sizes) / width;
  parallel_for(threads, rows, [&](std::int64_t begin, std::int64_t end) {
    const auto copy = [&]<class T>(T) {
      copy_part(*this, reinterpret_cast<const T*>(src), reinterpret_cast<T*>(dst), begin, end);
    };
    if (element_bytes == 1)
      copy(std::uint8_t{});
    else if (element_bytes == 2)
      copy(std::uint16_t{});
    else if (element_bytes == 4)
      copy(std::uint32_t{});
    else
      copy(std::uint64_t{});
  });
}

std::unique_ptr<Kernel> make_strided_copy(StridedCopy copy) {
  return std::make_unique<StridedCopyKernel>(simplified(copy));
}

StridedCopy layout_change(const Shape& shape, Layout from, Layout to, std::size_t element_bytes) {
  const Shape source = memory_strides(shape, from);
  StridedCopy copy{{}, {}, 0, element_bytes};
  for (const std::size_t axis : axis_order(shape.size(), to)) {
    copy.sizes.push_back(shape[axis]);
    copy.strides.push_back(source[axis]);
  }
  return copy;
}

}  // namespace adze::exec
