#include "plugins/drpai_tvm/settings.hpp"

#include <algorithm>
#include <array>

#include "plugins/tensor_exec/facts.hpp"

namespace adze::drpai_tvm {
namespace {

constexpr const char* kScales[] = {"auto", "own", "vendor", nullptr};
constexpr const char* kProducts[] = {"", "V2H", "V2N", "V2L", "V2M", "V2MA", nullptr};
constexpr const char* kMethods[] = {"MinMax", "Percentile", "Entropy", nullptr};
constexpr std::uint64_t kDefaultAreaBytes = 512ull << 20;

constexpr std::array kAll = {
    adze::text("tvm_root", "Folder of DRP-AI TVM; empty: the environment's TVM_ROOT.", ""),
    adze::text("translator", "Folder of the Translator; empty: the environment's TRANSLATOR.", ""),
    adze::text("quantizer", "Folder of the Quantizer; empty: the environment's QUANTIZER.", ""),
    adze::text("sdk", "Folder of the cross compiler; empty: the environment's SDK.", ""),
    adze::text("product", "Name of the part for the toolchain; empty: that of the board type.", "",
               kProducts),
    adze::text("version", "Version of DRP-AI TVM, such as 2.7.0; empty: that of its checkout.", ""),
    adze::text("container",
               "Image in which the toolchain is installed; empty: it is installed here.", ""),
    adze::text("container_program", "What runs images: docker, podman, or a path.", "docker"),
    adze::text("python", "The Python that the toolchain was installed for.", "python3"),
    adze::text("scales",
               "Whose scales the board uses: own (the model's), vendor (its calibrator's), auto "
               "(own when the model has any).",
               "auto", kScales),
    adze::text("calibration",
               "Folder of images for the vendor's calibrator, as its scripts expect them.", ""),
    adze::text("calibrate_method", "Method of the vendor's calibrator.", "MinMax", kMethods),
    adze::f64("percentile", "Of the method Percentile, in percent.", 99.99, 50, 100),
    adze::flag("activation_zeropoint", "Let the vendor's calibrator use zero points.", false),
    adze::text("exclude_nodes", "Nodes that the vendor's quantizer leaves in floats.", nullptr,
               nullptr, ADZE_PARAM_LIST),
    adze::f64("mean",
              "What the toolchain's calibration script subtracts, a value a channel (default: "
              "ImageNet's).",
              0, 0, 0, ADZE_PARAM_LIST),
    adze::f64("std",
              "What the toolchain's calibration script divides by, a value a channel (default: "
              "ImageNet's).",
              1, 0, 0, ADZE_PARAM_LIST),
    adze::i64("recorder_resize",
              "Pixels to which the calibration script resizes the shorter side; 0: it does not.",
              256, 0, 1 << 16),
    adze::i64("recorder_crop", "Pixels it crops from the middle; 0: it does not.", 224, 0, 1 << 16),
    adze::flag("sparse", "Let the Translator use zeros among the weights.", true),
    adze::i64("memory_area_mib", "DRP-AI memory of the board in MiB; 0: what the board type says.",
              0, 0, 1 << 16),
    adze::i64("time_limit_s", "Seconds after which a step of the toolchain is killed.", 3600, 1,
              1 << 20),
    adze::text("keep", "Folder for the toolchain's log and its intermediate models; empty: none.",
               ""),
};

const adze_property& argument(const adze_call& call, std::string_view name) {
  for (std::size_t i = 0; i < kAll.size(); ++i)
    if (kAll[i].name == name) return *call.arguments[i];
  throw Error(ADZE_INTERNAL, "no parameter '" + std::string(name) + "'");
}

std::string product_of(const adze_target* target) {
  if (!target) return {};
  std::string made = target->board_type;
  if (made.rfind("rz", 0) == 0) made.erase(0, 2);
  for (char& c : made) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  const bool known = std::any_of(std::begin(kProducts), std::end(kProducts) - 1,
                                 [&](const char* product) { return made == product; });
  return known ? made : std::string();
}

/// Words of a command line that a script of the toolchain takes apart again.
void require_plain(const std::string& name) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '/' || c == ':' || c == '-';
  });
  if (!plain || name.front() == '-')
    throw Error(ADZE_INVALID_ARGUMENT,
                "exclude_nodes: '" + name +
                    "' cannot be handed to the toolchain, whose script splits its options at "
                    "blanks and commas; rename the node");
}

std::vector<double> numbers(const adze_property& property, std::vector<double> fallback) {
  if (property.count == 0) return fallback;
  return {property.f64, property.f64 + property.count};
}

}  // namespace

const std::span<const adze_param> kParameters = kAll;

Settings::Settings(const adze_call& call) {
  const auto text = [&](const char* name) { return std::string(*argument(call, name).text); };
  const auto integer = [&](const char* name) { return *argument(call, name).i64; };
  tvm_root = text("tvm_root");
  translator = text("translator");
  quantizer = text("quantizer");
  sdk = text("sdk");
  version = text("version");
  container = text("container");
  container_program = text("container_program");
  python = text("python");
  keep = text("keep");
  calibration = text("calibration");
  scales = text("scales");
  calibrate_method = text("calibrate_method");
  percentile = *argument(call, "percentile").f64;
  zero_point = integer("activation_zeropoint") != 0;
  sparse = integer("sparse") != 0;
  recorder_resize = integer("recorder_resize");
  recorder_crop = integer("recorder_crop");
  time_limit = std::chrono::seconds(integer("time_limit_s"));
  mean = numbers(argument(call, "mean"), {0.485, 0.456, 0.406});
  deviation = numbers(argument(call, "std"), {0.229, 0.224, 0.225});
  const adze_property& nodes = argument(call, "exclude_nodes");
  for (std::uint64_t i = 0; i < nodes.count; ++i) {
    exclude_nodes.emplace_back(nodes.text[i]);
    require_plain(exclude_nodes.back());
  }
  for (const double value : deviation)
    if (!(value > 0)) throw Error(ADZE_INVALID_ARGUMENT, "std: must be above 0");
  if (recorder_resize && recorder_crop > recorder_resize)
    throw Error(ADZE_INVALID_ARGUMENT,
                "recorder_crop is larger than recorder_resize: nothing could be cropped");

  const std::string expected = product_of(call.target);
  product = text("product");
  if (product.empty()) product = expected;
  if (product.empty())
    throw Error(ADZE_INVALID_ARGUMENT,
                "the board type names no part that DRP-AI TVM compiles for; set 'product'");
  if (!expected.empty() && product != expected)
    throw Error(ADZE_INVALID_ARGUMENT, "product is " + product + ", but the board type is " +
                                           call.target->board_type + "; leave one of them out");
  int8 = product == "V2H" || product == "V2N";
  const exec::Facts facts(call.target);
  const auto area = integer("memory_area_mib");
  memory_area_bytes = area > 0 ? static_cast<std::uint64_t>(area) << 20
                               : static_cast<std::uint64_t>(facts.number(
                                     "memory.drpai_area_bytes", double{kDefaultAreaBytes}));
}

std::string Settings::quantizer_opts() const {
  std::string opts = "exclude_act_func_dir ./exclude_operator";
  if (calibrate_method == "Percentile") {
    std::string number = std::to_string(percentile);
    number.erase(number.find_last_not_of('0') + 1);
    if (number.back() == '.') number.pop_back();
    opts += " percentile_value " + number;
  }
  if (zero_point) opts += " activation_zeropoint True";
  return opts;
}

std::string Settings::quantizer_options() const {
  std::string options;
  if (calibrate_method != "MinMax") options = "--calibrate_method " + calibrate_method;
  if (!exclude_nodes.empty()) {
    options += options.empty() ? "--node_to_exclude " : " --node_to_exclude ";
    for (std::size_t i = 0; i < exclude_nodes.size(); ++i)
      options += (i ? "," : "") + exclude_nodes[i];
  }
  return options;
}

}  // namespace adze::drpai_tvm
