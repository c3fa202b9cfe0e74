#include "plugins/qat/rounding.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace qat {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Sums are made in pieces of this many elements, whatever the number of threads.
constexpr std::int64_t kPiece = 1 << 14;

/// The same elements in the order in which `like` has them in memory.
at::Tensor laid_out_as(const at::Tensor& tensor, const at::Tensor& like) {
  if (tensor.strides() == like.strides()) return tensor;
  at::Tensor made = at::empty_like(like);
  made.copy_(tensor);
  return made;
}

class RoundTensor : public torch::autograd::Function<RoundTensor> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& given,
                            const at::Tensor& log_scale, double low, double high) {
    const at::Tensor x = dense(given);
    context->save_for_backward({x, log_scale});
    context->saved_data["low"] = low;
    context->saved_data["high"] = high;
    at::Tensor y = at::empty_like(x);
    const Levels levels = levels_of(static_cast<double>(log_scale.data_ptr<float>()[0]),
                                    static_cast<float>(low), static_cast<float>(high));
    const float* from = x.data_ptr<float>();
    float* to = y.data_ptr<float>();
    at::parallel_for(0, x.numel(), kPiece, [&](std::int64_t begin, std::int64_t end) {
      round_to_grid(from + begin, to + begin, static_cast<std::size_t>(end - begin), levels);
    });
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], gradient = laid_out_as(gradients[0], x);
    const Levels levels = levels_of(static_cast<double>(saved[1].data_ptr<float>()[0]),
                                    static_cast<float>(context->saved_data["low"].toDouble()),
                                    static_cast<float>(context->saved_data["high"].toDouble()));
    at::Tensor made = at::empty_like(x);
    const float *from = x.data_ptr<float>(), *upstream = gradient.data_ptr<float>();
    float* to = made.data_ptr<float>();
    const std::int64_t pieces = (x.numel() + kPiece - 1) / kPiece;
    std::vector<double> sums(static_cast<std::size_t>(pieces));
    at::parallel_for(0, pieces, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t piece = begin; piece < end; ++piece) {
        const std::int64_t first = piece * kPiece;
        const auto count = static_cast<std::size_t>(std::min(kPiece, x.numel() - first));
        sums[static_cast<std::size_t>(piece)] =
            gradient_of_rounding(from + first, upstream + first, to + first, count, levels);
      }
    });
    double sum = 0;
    for (const double one : sums) sum += one;
    at::Tensor of_scale;
    if (context->needs_input_grad(1)) {
      of_scale = at::zeros({1});
      // The scale is exp(log_scale).
      of_scale.data_ptr<float>()[0] = static_cast<float>(sum * static_cast<double>(levels.scale));
    }
    return {made, of_scale, at::Tensor(), at::Tensor()};
  }
};

class RoundChannels : public torch::autograd::Function<RoundChannels> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& w,
                            const at::Tensor& log_scales, std::int64_t outer, std::int64_t count,
                            std::int64_t inner) {
    context->save_for_backward({w, log_scales});
    context->saved_data["outer"] = outer;
    context->saved_data["count"] = count;
    context->saved_data["inner"] = inner;
    at::Tensor y = at::empty_like(w);
    const float *from = w.data_ptr<float>(), *logs = log_scales.data_ptr<float>();
    float* to = y.data_ptr<float>();
    for_each_run({outer, count, inner}, [&](std::int64_t c, std::int64_t first) {
      round_to_grid(from + first, to + first, static_cast<std::size_t>(inner),
                    levels_of(static_cast<double>(logs[c]), -kLargestWeight, kLargestWeight));
    });
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &w = saved[0], gradient = gradients[0].contiguous();
    const Channels channels{context->saved_data["outer"].toInt(),
                            context->saved_data["count"].toInt(),
                            context->saved_data["inner"].toInt()};
    at::Tensor made = at::empty_like(w);
    const float *from = w.data_ptr<float>(), *upstream = gradient.data_ptr<float>(),
                *logs = saved[1].data_ptr<float>();
    float* to = made.data_ptr<float>();
    std::vector<double> sums(static_cast<std::size_t>(channels.count));
    for_each_run(channels, [&](std::int64_t c, std::int64_t first) {
      sums[static_cast<std::size_t>(c)] += gradient_of_rounding(
          from + first, upstream + first, to + first, static_cast<std::size_t>(channels.inner),
          levels_of(static_cast<double>(logs[c]), -kLargestWeight, kLargestWeight));
    });
    at::Tensor of_scales;
    if (context->needs_input_grad(1)) {
      of_scales = at::empty_like(saved[1]);
      for (std::size_t c = 0; c < sums.size(); ++c)
        of_scales.data_ptr<float>()[c] =
            static_cast<float>(sums[c] * std::exp(static_cast<double>(logs[c])));
    }
    return {made, of_scales, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor dense(const at::Tensor& x) {
  return x.is_non_overlapping_and_dense() ? x : x.contiguous();
}

at::Tensor round_tensor(const at::Tensor& x, const at::Tensor& log_scale, float low, float high) {
  return RoundTensor::apply(x, log_scale, static_cast<double>(low), static_cast<double>(high));
}

at::Tensor round_channels(const at::Tensor& w, const at::Tensor& log_scales,
                          const Channels& channels) {
  return RoundChannels::apply(w, log_scales, channels.outer, channels.count, channels.inner);
}

}  // namespace qat
