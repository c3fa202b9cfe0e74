#include "plugins/tensor_exec/operators/resize_taps.hpp"

#include <algorithm>
#include <array>

namespace adze::exec {
namespace {

enum class ResizeMode : std::uint8_t { nearest, linear, cubic };

/// What the attributes and inputs of one node say, for all axes.
struct ResizeRules {
  ResizeMode mode = ResizeMode::nearest;
  std::string coordinates, rounding;
  double cubic_a = -0.75;
  bool exclude_outside = false;
};

/// How one axis is scaled.
struct Scaling {
  std::int64_t in = 1, out = 1;
  std::optional<double> given;  ///< the scale the model says; without: out / in
  double roi_begin = 0, roi_end = 1;

  double source(double place) const {
    return given ? place / *given : place * static_cast<double>(in) / static_cast<double>(out);
  }
  /// Before it is cut to whole elements.
  double length() const {
    return given ? *given * static_cast<double>(in) : static_cast<double>(out);
  }
};

double source_of(const std::string& mode, std::int64_t index, const Scaling& scaling) {
  const auto at = static_cast<double>(index), last = static_cast<double>(scaling.in - 1);
  const double length = scaling.length();
  if (mode == "asymmetric") return scaling.source(at);
  if (mode == "tf_half_pixel_for_nn") return scaling.source(at + 0.5);
  if (mode == "align_corners") return index == 0 || length == 1 ? 0 : at * last / (length - 1);
  if (mode == "tf_crop_and_resize") {
    const double begin = scaling.roi_begin, end = scaling.roi_end;
    if (scaling.out == 1) return 0.5 * (begin + end) * last;
    return begin * last + at * (end - begin) * last / static_cast<double>(scaling.out - 1);
  }
  if (mode == "pytorch_half_pixel" && scaling.out == 1) return 0;
  double shift = 0;
  if (mode == "half_pixel_symmetric")
    shift = static_cast<double>(scaling.in) / 2 * (1 - static_cast<double>(scaling.out) / length);
  return shift + scaling.source(at + 0.5) - 0.5;
}

std::int64_t nearest_of(const std::string& mode, double at, const Scaling& scaling) {
  double nearest = std::ceil(at - 0.5);
  if (mode == "floor") nearest = std::floor(at);
  if (mode == "ceil") nearest = std::ceil(at);
  if (mode == "round_prefer_ceil") nearest = std::floor(at + 0.5);
  // Before opset 11 the rule was left open; this is what implementations agreed on.
  if (mode == "simple") nearest = scaling.out < scaling.in ? std::ceil(at) : std::floor(at);
  return static_cast<std::int64_t>(nearest);
}

/// Weights of the elements at -1, 0, 1 and 2 around a place `t` behind element 0.
std::array<double, 4> cubic_weights(double a, double t) {
  const auto near = [&](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [&](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  return {far(t + 1), near(t), near(1 - t), far(2 - t)};
}

void add_taps(const ResizeRules& rules, const Scaling& scaling, double at, ResizeAxis& axis) {
  const auto inside = [&](std::int64_t index) {
    return std::clamp<std::int64_t>(index, 0, scaling.in - 1);
  };
  if (rules.mode == ResizeMode::nearest) {
    axis.taps.push_back({inside(nearest_of(rules.rounding, at, scaling)), 1});
    return;
  }
  const double low = std::floor(at), behind = at - low;
  const auto first = static_cast<std::int64_t>(low);
  if (rules.mode == ResizeMode::linear) {
    axis.taps.push_back({inside(first), static_cast<float>(1 - behind)});
    axis.taps.push_back({inside(first + 1), static_cast<float>(behind)});
    return;
  }
  std::array<double, 4> weights = cubic_weights(rules.cubic_a, behind);
  if (rules.exclude_outside) {
    double sum = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::int64_t index = first - 1 + static_cast<std::int64_t>(i);
      if (index < 0 || index >= scaling.in) weights[i] = 0;
      sum += weights[i];
    }
    for (double& weight : weights) weight = sum == 0 ? 0 : weight / sum;
  }
  for (std::size_t i = 0; i < 4; ++i)
    axis.taps.push_back(
        {inside(first - 1 + static_cast<std::int64_t>(i)), static_cast<float>(weights[i])});
}

ResizeRules rules_of(const Site& site) {
  const Node& node = site.node;
  ResizeRules rules;
  const std::string mode = node.text("mode", "nearest");
  if (mode == "linear" || mode == "bilinear")
    rules.mode = ResizeMode::linear;
  else if (mode == "cubic")
    rules.mode = ResizeMode::cubic;
  else if (mode != "nearest")
    site.malformed("unknown mode '" + mode + "'");
  const bool old = node.op == "Upsample" || node.op_version < 11;
  rules.coordinates =
      old ? "asymmetric" : node.text("coordinate_transformation_mode", "half_pixel");
  rules.rounding = old ? "simple" : node.text("nearest_mode", "round_prefer_floor");
  rules.cubic_a = node.number("cubic_coeff_a", -0.75);
  rules.exclude_outside = node.integer("exclude_outside", 0) != 0;
  const auto known = [&](const std::string& text, std::initializer_list<const char*> names) {
    if (std::none_of(names.begin(), names.end(), [&](const char* name) { return text == name; }))
      site.malformed("unknown '" + text + "'");
  };
  known(rules.coordinates,
        {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric", "align_corners",
         "tf_half_pixel_for_nn", "tf_crop_and_resize"});
  known(rules.rounding, {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", "simple"});
  if (node.integer("antialias", 0) != 0) site.refuse("antialias is not supported");
  if (node.text("keep_aspect_ratio_policy", "stretch") != "stretch")
    site.refuse("keep_aspect_ratio_policy is not supported");
  return rules;
}

std::vector<float> constant_floats(const Site& site, std::size_t input, const char* what) {
  if (!site.has_input(input) || element_count(site.shape(site.input(input))) == 0) return {};
  if (!site.value(site.input(input)).constant)
    site.refuse(std::string("its ") + what + " is computed");
  return site.program.floats(site.input(input));
}

std::vector<Scaling> scalings_of(const Site& site, const ResizeRules& rules) {
  const Shape in = site.shape(site.input(0)), out = site.output_shape();
  if (in.size() != out.size()) site.malformed("input and output have different ranks");
  const bool old = site.node.op == "Upsample" || site.node.op_version < 11;
  std::vector<float> scales;
  if (site.node.op == "Upsample" && site.node.op_version < 9) {
    const auto found = site.node.attributes.find("scales");
    if (found == site.node.attributes.end()) site.malformed("it has no scales");
    for (const double scale : found->second.floats) scales.push_back(static_cast<float>(scale));
  } else {
    scales = constant_floats(site, old ? 1 : 2, "scale");
  }
  std::vector<float> roi;
  if (rules.coordinates == "tf_crop_and_resize") roi = constant_floats(site, 1, "region");

  Shape every;
  for (std::size_t i = 0; i < in.size(); ++i) every.push_back(static_cast<std::int64_t>(i));
  const Shape axes = site.node.integers("axes", every);
  if (!scales.empty() && scales.size() != axes.size())
    site.malformed("it has not one scale an axis");
  if (!roi.empty() && roi.size() != 2 * axes.size())
    site.malformed("its region has not two numbers an axis");
  std::vector<Scaling> scalings;
  for (std::size_t i = 0; i < in.size(); ++i) {
    scalings.push_back({in[i], out[i], {}});
    if (in[i] == 0 && out[i] != 0) site.malformed("its input is empty");
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Scaling& scaling = scalings[site.axis(axes[i], in.size())];
    if (!roi.empty()) {
      scaling.roi_begin = static_cast<double>(roi[i]);
      scaling.roi_end = static_cast<double>(roi[i + axes.size()]);
      if (!std::isfinite(scaling.roi_begin) || !std::isfinite(scaling.roi_end))
        site.malformed("its region is no finite number");
    }
    if (scales.empty()) continue;
    if (!std::isfinite(scales[i]) || scales[i] <= 0) site.malformed("a scale is not positive");
    scaling.given = static_cast<double>(scales[i]);
    if (std::abs(scaling.length() - static_cast<double>(scaling.out)) > 1)
      site.malformed("the scale " + std::to_string(scales[i]) + " does not make " +
                     std::to_string(scaling.out) + " elements of " + std::to_string(scaling.in));
  }
  return scalings;
}

}  // namespace

bool ResizeAxis::is_identity() const {
  if (in != out || !extrapolated.empty()) return false;
  for (std::size_t i = 0; i < taps.size(); ++i) {
    const bool own = taps[i].index == static_cast<std::int64_t>(i / width);
    if (!own && taps[i].weight != 0) return false;
    if (own && width == 1) continue;
    if (own && taps[i].weight != 1 && taps[i].weight != 0) return false;
  }
  return true;
}

std::vector<ResizeAxis> resize_axes(const Site& site) {
  const ResizeRules rules = rules_of(site);
  std::vector<ResizeAxis> axes;
  for (const Scaling& scaling : scalings_of(site, rules)) {
    ResizeAxis axis;
    axis.in = scaling.in;
    axis.out = scaling.out;
    const bool still = scaling.in == scaling.out && (!scaling.given || *scaling.given == 1) &&
                       scaling.roi_begin == 0 && scaling.roi_end == 1;
    if (still) {
      for (std::int64_t i = 0; i < axis.out; ++i) axis.taps.push_back({i, 1});
      axes.push_back(std::move(axis));
      continue;
    }
    axis.width = rules.mode == ResizeMode::nearest ? 1 : rules.mode == ResizeMode::linear ? 2 : 4;
    std::vector<char> outside;
    for (std::int64_t i = 0; i < axis.out; ++i) {
      // Far outside all places look the same; this keeps them countable.
      const double at = std::clamp(source_of(rules.coordinates, i, scaling), -1e9, 1e9);
      outside.push_back(at < 0 || at > static_cast<double>(scaling.in - 1));
      add_taps(rules, scaling, at, axis);
    }
    if (rules.coordinates == "tf_crop_and_resize" &&
        std::find(outside.begin(), outside.end(), 1) != outside.end())
      axis.extrapolated = std::move(outside);
    axes.push_back(std::move(axis));
  }
  return axes;
}

}  // namespace adze::exec
