// GroupNormalization and InstanceNormalization, which is one group a channel, in floats.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/moments.hpp"

namespace adze::exec {
namespace {

struct GroupNormalization {
  std::int64_t batch = 1, channels = 1, groups = 1, pixels = 1;
  std::int64_t channels_a_parameter = 1;  ///< 1, or the channels of a group
  double epsilon = 1e-5;
};

GroupNormalization group_normalization_of(const Site& site) {
  const Shape in = site.shape(site.input(0));
  if (in.size() < 2) site.malformed("its input has no channels");
  GroupNormalization problem;
  problem.batch = in[0];
  problem.channels = in[1];
  for (std::size_t axis = 2; axis < in.size(); ++axis) problem.pixels *= in[axis];
  problem.groups = site.node.op == "InstanceNormalization" ? problem.channels
                                                           : site.node.integer("num_groups", 0);
  if (problem.channels > 0 && (problem.groups < 1 || problem.channels % problem.groups != 0))
    site.malformed(std::to_string(problem.channels) + " channels do not divide into " +
                   std::to_string(problem.groups) + " groups");
  problem.epsilon = site.node.number("epsilon", 1e-5);
  const Shape scale = site.shape(site.input(1)), bias = site.shape(site.input(2));
  const bool by_channel = scale == Shape{problem.channels};
  if (scale != bias || (!by_channel && scale != Shape{problem.groups}))
    site.malformed("scale and bias are not one value a channel or group");
  if (!by_channel) problem.channels_a_parameter = problem.channels / problem.groups;
  return problem;
}

class GroupNormalizationKernel final : public Kernel {
 public:
  explicit GroupNormalizationKernel(const GroupNormalization& problem) : problem_(problem) {}
  void run(const Run& run) const override {
    const GroupNormalization& p = problem_;
    if (p.channels == 0 || p.pixels == 0) return;
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    const auto* scale = reinterpret_cast<const float*>(run.inputs[1]);
    const auto* bias = reinterpret_cast<const float*>(run.inputs[2]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    const std::int64_t members = p.channels / p.groups;
    parallel_for(run.threads, p.batch * p.groups, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t group = begin; group < end; ++group) {
        std::int64_t at = group * members * p.pixels;
        const Moments moments = moments_of(src + at, members * p.pixels);
        const auto mean = static_cast<float>(moments.mean);
        const auto inverse = static_cast<float>(1 / std::sqrt(moments.variance + p.epsilon));
        for (std::int64_t member = 0; member < members; ++member) {
          const std::int64_t channel = group % p.groups * members + member;
          const float factor = inverse * scale[channel / p.channels_a_parameter];
          const float offset = bias[channel / p.channels_a_parameter];
          for (std::int64_t i = 0; i < p.pixels; ++i, ++at)
            dst[at] = (src[at] - mean) * factor + offset;
        }
      }
    });
  }

 private:
  GroupNormalization problem_;
};

}  // namespace

void check_group_normalization(const Site& site) {
  group_normalization_of(site);
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned plan_group_normalization(const Site& site) {
  Planned planned;
  planned.inputs = {{site.input(0), {}}, {site.input(1), {}}, {site.input(2), {}}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = std::make_unique<GroupNormalizationKernel>(group_normalization_of(site));
  return planned;
}

}  // namespace adze::exec
