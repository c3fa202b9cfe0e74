// NonMaxSuppression. How many boxes it selects depends on the data: it runs where the model
// declares the number, and a run that selects another one is an error.
#include <algorithm>
#include <array>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/integers.hpp"

namespace adze::exec {
namespace {

struct Suppression {
  std::int64_t batch = 0, classes = 0, boxes = 0, selected = 0;
  bool centres = false;  ///< boxes are centre and size, not two corners
  DType limit_type = DType::i64;
  std::array<std::size_t, 3> places{};  ///< of limit, IOU and score among the inputs; 0: not there
  std::string node;
};

struct Box {
  float top, left, bottom, right;
};

Box box_of(const float* numbers, bool centres) {
  if (centres) {
    const float half_width = numbers[2] / 2, half_height = numbers[3] / 2;
    return {numbers[1] - half_height, numbers[0] - half_width, numbers[1] + half_height,
            numbers[0] + half_width};
  }
  return {std::min(numbers[0], numbers[2]), std::min(numbers[1], numbers[3]),
          std::max(numbers[0], numbers[2]), std::max(numbers[1], numbers[3])};
}

/// Intersection over union.
float overlap(const Box& a, const Box& b) {
  const float height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (!(height > 0) || !(width > 0)) return 0;
  const auto area = [](const Box& box) { return (box.bottom - box.top) * (box.right - box.left); };
  const float common = height * width;
  return common / (area(a) + area(b) - common);
}

class SuppressionKernel final : public Kernel {
 public:
  explicit SuppressionKernel(Suppression problem) : problem_(std::move(problem)) {}

  void run(const Run& run) const override {
    const Suppression& p = problem_;
    const auto* boxes = reinterpret_cast<const float*>(run.inputs[0]);
    const auto* scores = reinterpret_cast<const float*>(run.inputs[1]);
    const auto number = [&](std::size_t which) {
      return reinterpret_cast<const float*>(run.inputs[p.places[which]])[0];
    };
    const std::int64_t limit =
        p.places[0] == 0 ? 0 : integer_at(p.limit_type, run.inputs[p.places[0]], 0);
    const float iou = p.places[1] == 0 ? 0 : number(1);
    std::vector<std::int64_t> selected;
    for (std::int64_t image = 0; image < p.batch; ++image)
      for (std::int64_t group = 0; group < p.classes; ++group) {
        const float* of_class = scores + (image * p.classes + group) * p.boxes;
        std::vector<std::int64_t> order;
        for (std::int64_t i = 0; i < p.boxes; ++i)
          if (!std::isnan(of_class[i]) && (p.places[2] == 0 || of_class[i] > number(2)))
            order.push_back(i);
        std::stable_sort(order.begin(), order.end(),
                         [&](std::int64_t a, std::int64_t b) { return of_class[a] > of_class[b]; });
        for (const std::int64_t box : chosen(boxes + image * p.boxes * 4, order, limit, iou))
          selected.insert(selected.end(), {image, group, box});
      }
    if (static_cast<std::int64_t>(selected.size()) != 3 * p.selected)
      throw Error(ADZE_UNIMPLEMENTED, p.node + ": selected " + std::to_string(selected.size() / 3) +
                                          " boxes where the model declares " +
                                          std::to_string(p.selected));
    std::copy(selected.begin(), selected.end(), reinterpret_cast<std::int64_t*>(run.outputs[0]));
  }

 private:
  std::vector<std::int64_t> chosen(const float* boxes, const std::vector<std::int64_t>& order,
                                   std::int64_t limit, float iou) const {
    std::vector<std::int64_t> kept;
    std::vector<Box> kept_boxes;
    for (const std::int64_t candidate : order) {
      if (static_cast<std::int64_t>(kept.size()) >= limit) break;
      const Box box = box_of(boxes + candidate * 4, problem_.centres);
      if (std::any_of(kept_boxes.begin(), kept_boxes.end(),
                      [&](const Box& other) { return overlap(box, other) > iou; }))
        continue;
      kept.push_back(candidate);
      kept_boxes.push_back(box);
    }
    return kept;
  }

  Suppression problem_;
};

Suppression suppression_of(const Site& site) {
  const Shape boxes = site.shape(site.input(0)), scores = site.shape(site.input(1));
  if (boxes.size() != 3 || scores.size() != 3 || boxes[2] != 4 || scores[0] != boxes[0] ||
      scores[2] != boxes[1])
    site.malformed("boxes " + to_string(boxes) + " and scores " + to_string(scores) +
                   " do not fit");
  site.keep_samples_apart(site.input(0), 0);
  site.keep_samples_apart(site.input(1), 0);
  Suppression problem;
  problem.batch = boxes[0];
  problem.classes = scores[1];
  problem.boxes = boxes[1];
  const Shape out = site.output_shape();
  if (out.size() != 2 || out[1] != 3) site.malformed("its output is no list of three numbers");
  problem.selected = out[0];
  problem.centres = site.node.integer("center_point_box", 0) != 0;
  problem.node = "node '" + site.node.name + "' (" + site.node.op + ")";
  std::size_t place = 2;
  for (std::size_t i = 0; i < 3; ++i) {
    if (!site.has_input(i + 2)) continue;
    if (element_count(site.shape(site.input(i + 2))) != 1)
      site.malformed("a limit is not one number");
    problem.places[i] = place++;
  }
  if (site.has_input(2)) problem.limit_type = site.type(site.input(2));
  for (const std::size_t i : {0u, 1u, 3u, 4u})
    if (site.has_input(i) && site.type(site.input(i)) != DType::f32)
      site.malformed("boxes, scores and thresholds are not float32");
  if (problem.limit_type != DType::i64 || site.type(site.output) != DType::i64)
    site.malformed("its limit or its output is no int64");
  return problem;
}

}  // namespace

void check_non_max_suppression(const Site& site) { suppression_of(site); }

Planned plan_non_max_suppression(const Site& site) {
  Planned planned;
  for (std::size_t i = 0; i < site.node.inputs.size(); ++i)
    if (site.has_input(i)) planned.inputs.push_back({site.input(i), site.own_form(site.input(i))});
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.kernel = std::make_unique<SuppressionKernel>(suppression_of(site));
  return planned;
}

}  // namespace adze::exec
