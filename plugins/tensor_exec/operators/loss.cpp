// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss, in floats: forward only.
#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/integers.hpp"

namespace adze::exec {
namespace {

enum class LossReduction : std::uint8_t { none, sum, mean };

struct Loss {
  std::int64_t batch = 0, classes = 0, pixels = 1;
  LossReduction reduction = LossReduction::mean;
  std::optional<std::int64_t> ignored;  ///< class whose elements do not count
  DType target_type = DType::i64;
  bool has_weights = false, takes_softmax = false, has_probabilities = false;
  std::string node;
};

class LossKernel final : public Kernel {
 public:
  explicit LossKernel(Loss loss) : loss_(std::move(loss)) {}

  void run(const Run& run) const override {
    const auto* logarithms = reinterpret_cast<const float*>(run.inputs[0]);
    if (loss_.takes_softmax) {
      auto* made = reinterpret_cast<float*>(loss_.has_probabilities ? run.outputs[1] : run.scratch);
      log_softmax(logarithms, made);
      logarithms = made;
    }
    const auto* weights =
        loss_.has_weights ? reinterpret_cast<const float*>(run.inputs[2]) : nullptr;
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    double sum = 0, weight_sum = 0;
    for (std::int64_t i = 0; i < loss_.batch * loss_.pixels; ++i) {
      const std::int64_t target = integer_at(loss_.target_type, run.inputs[1], i);
      float loss = 0;
      if (target != loss_.ignored) {
        if (target < 0 || target >= loss_.classes)
          throw Error(ADZE_INVALID_ARGUMENT,
                      loss_.node + ": there is no class " + std::to_string(target));
        const float weight = weights ? weights[target] : 1;
        loss = -weight * logarithms[place(i, target)];
        weight_sum += static_cast<double>(weight);
      }
      sum += static_cast<double>(loss);
      if (loss_.reduction == LossReduction::none) dst[i] = loss;
    }
    if (loss_.reduction == LossReduction::sum) dst[0] = static_cast<float>(sum);
    if (loss_.reduction == LossReduction::mean) dst[0] = static_cast<float>(sum / weight_sum);
  }

 private:
  std::int64_t place(std::int64_t element, std::int64_t target) const {
    return (element / loss_.pixels * loss_.classes + target) * loss_.pixels +
           element % loss_.pixels;
  }

  void log_softmax(const float* src, float* dst) const {
    for (std::int64_t i = 0; i < loss_.batch * loss_.pixels; ++i) {
      float largest = -std::numeric_limits<float>::infinity();
      double sum = 0;
      for (std::int64_t c = 0; c < loss_.classes; ++c)
        largest = std::max(largest, src[place(i, c)]);
      for (std::int64_t c = 0; c < loss_.classes; ++c)
        sum += std::exp(static_cast<double>(src[place(i, c)] - largest));
      const auto logarithm = static_cast<float>(std::log(sum));
      for (std::int64_t c = 0; c < loss_.classes; ++c)
        dst[place(i, c)] = src[place(i, c)] - largest - logarithm;
    }
  }

  Loss loss_;
};

bool reports_probabilities(const Site& site) {
  return site.node.outputs.size() > 1 && site.node.outputs[1] != ADZE_NONE;
}

Loss loss_of(const Site& site) {
  const Shape in = site.shape(site.input(0));
  if (in.size() < 2) site.malformed("its input has no classes");
  Loss loss;
  loss.batch = in[0];
  loss.classes = in[1];
  Shape target{in[0]};
  for (std::size_t axis = 2; axis < in.size(); ++axis) {
    target.push_back(in[axis]);
    loss.pixels *= in[axis];
  }
  loss.takes_softmax = site.node.op == "SoftmaxCrossEntropyLoss";
  loss.has_probabilities = loss.takes_softmax && reports_probabilities(site);
  loss.target_type = site.type(site.input(1));
  if (site.shape(site.input(1)) != target ||
      (loss.target_type != DType::i32 && loss.target_type != DType::i64))
    site.malformed("its target is no list of integers of shape " + to_string(target));
  loss.has_weights = site.has_input(2);
  if (loss.has_weights && site.shape(site.input(2)) != Shape{loss.classes})
    site.malformed("its weights are not one value a class");
  const std::string reduction = site.node.text("reduction", "mean");
  if (reduction != "none" && reduction != "sum" && reduction != "mean")
    site.malformed("unknown reduction '" + reduction + "'");
  loss.reduction = reduction == "none"  ? LossReduction::none
                   : reduction == "sum" ? LossReduction::sum
                                        : LossReduction::mean;
  if (site.node.attributes.contains("ignore_index"))
    loss.ignored = site.node.integer("ignore_index", 0);
  if (loss.reduction != LossReduction::none) site.keep_samples_apart(site.input(0), 0);
  site.expect_output_shape(loss.reduction == LossReduction::none ? target : Shape{});
  loss.node = "node '" + site.node.name + "' (" + site.node.op + ")";
  return loss;
}

}  // namespace

void check_loss(const Site& site) {
  const Loss loss = loss_of(site);
  for (const std::size_t input : {0u, 2u})
    if (site.has_input(input) && site.type(site.input(input)) != DType::f32)
      site.refuse("only float32 is supported");
  if (site.type(site.output) != DType::f32) site.malformed("its output is no float32");
  if (loss.has_probabilities && (site.shape(site.node.outputs[1]) != site.shape(site.input(0)) ||
                                 site.type(site.node.outputs[1]) != DType::f32))
    site.malformed("its probabilities are not like its input");
}

Planned plan_loss(const Site& site) {
  Loss loss = loss_of(site);
  Planned planned;
  planned.inputs = {{site.input(0), {}}, {site.input(1), site.own_form(site.input(1))}};
  if (loss.has_weights) planned.inputs.push_back({site.input(2), {}});
  planned.outputs = {{site.output, {}}};
  if (loss.has_probabilities) planned.outputs.push_back({site.node.outputs[1], {}});
  if (loss.takes_softmax && !loss.has_probabilities)
    planned.scratch_bytes =
        static_cast<std::size_t>(element_count(site.shape(site.input(0)))) * sizeof(float);
  planned.kernel = std::make_unique<LossKernel>(std::move(loss));
  return planned;
}

}  // namespace adze::exec
