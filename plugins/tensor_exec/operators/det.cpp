// Det: determinants of the last two axes, by elimination in double.
#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"

namespace adze::exec {
namespace {

class DetKernel final : public Kernel {
 public:
  DetKernel(std::int64_t count, std::int64_t size) : count_(count), size_(size) {}

  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      std::vector<double> matrix(static_cast<std::size_t>(size_ * size_));
      for (std::int64_t i = begin; i < end; ++i) {
        std::copy_n(src + i * size_ * size_, matrix.size(), matrix.begin());
        dst[i] = static_cast<float>(determinant(matrix.data()));
      }
    });
  }

 private:
  /// Rows are exchanged so that the largest element is divided by.
  double determinant(double* matrix) const {
    double product = 1;
    for (std::int64_t column = 0; column < size_; ++column) {
      std::int64_t pivot = column;
      for (std::int64_t row = column + 1; row < size_; ++row)
        if (std::abs(matrix[row * size_ + column]) > std::abs(matrix[pivot * size_ + column]))
          pivot = row;
      double* top = matrix + column * size_;
      if (pivot != column) {
        std::swap_ranges(top, top + size_, matrix + pivot * size_);
        product = -product;
      }
      product *= top[column];
      if (top[column] == 0) return 0;
      for (std::int64_t row = column + 1; row < size_; ++row) {
        double* below = matrix + row * size_;
        const double factor = below[column] / top[column];
        for (std::int64_t i = column; i < size_; ++i) below[i] -= factor * top[i];
      }
    }
    return product;
  }

  std::int64_t count_, size_;
};

}  // namespace

void check_det(const Site& site) {
  const Shape in = site.shape(site.input(0));
  if (in.size() < 2 || in.back() != in[in.size() - 2])
    site.malformed("its input " + to_string(in) + " holds no square matrices");
  for (const std::size_t axis : {in.size() - 2, in.size() - 1})
    site.keep_samples_apart(site.input(0), axis);
  site.expect_output_shape(Shape(in.begin(), in.end() - 2));
}

Planned plan_det(const Site& site) {
  Planned planned;
  planned.inputs = {{site.input(0), {}}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = std::make_unique<DetKernel>(element_count(site.output_shape()),
                                               site.shape(site.input(0)).back());
  return planned;
}

}  // namespace adze::exec
