#include "host/pipeline/recipe.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/pipeline/board_type.hpp"
#include "host/pipeline/policy.hpp"
#include "host/pipeline/toml_table.hpp"

namespace adze::host {
namespace {

constexpr std::int64_t kMostShift = 255;
constexpr double kLongestDeadlineS = 86400;
const std::array<std::string, 5> kSources = {"idx", "npz", "npy", "images", "raw"};
const std::array<std::string, 3> kMetrics = {"top1", "top5", "output_error"};
const std::array<std::string, 3> kColors = {"rgb", "bgr", "gray"};
const std::array<std::string, 2> kLayouts = {"nchw", "nhwc"};

Preprocess parse_preprocess(TomlTable table) {
  Preprocess preprocess;
  preprocess.resize = table.integer("resize", 1);
  preprocess.center_crop = table.integer("center_crop", 1);
  preprocess.color = table.choice("color", kColors).value_or(preprocess.color);
  preprocess.layout = table.choice("layout", kLayouts).value_or(preprocess.layout);
  preprocess.scale = table.number("scale").value_or(preprocess.scale);
  preprocess.mean = table.numbers("mean").value_or(preprocess.mean);
  preprocess.std = table.numbers("std").value_or(preprocess.std);
  for (const double one : preprocess.std)
    if (!(one > 0)) table.fail(*table.raw().get("std"), "every 'std' must be greater than 0");
  table.refuse_other_keys();
  return preprocess;
}

/// What [data], [calibration] and [train] have in common. `inherited`: [data], for the other two.
DataSpec parse_samples(TomlTable& table, const DataSpec* inherited) {
  DataSpec spec;
  if (inherited) {
    spec.source = inherited->source;
    spec.shape = inherited->shape;
    spec.dtype = inherited->dtype;
    spec.preprocess = inherited->preprocess;
  }
  if (auto source = table.choice("source", kSources))
    spec.source = *source;
  else if (!inherited)
    table.required("source", source);
  spec.images = table.required("images", table.path("images"));
  if (auto labels = table.path("labels")) spec.labels = *labels;
  if (auto shape = table.integers("shape")) spec.shape = *shape;
  spec.dtype = table.text("dtype").value_or(spec.dtype);
  if (spec.source == "raw" && spec.shape.empty()) table.required("shape", std::optional<Shape>());
  if (auto preprocess = table.table("preprocess"))
    spec.preprocess = parse_preprocess(std::move(*preprocess));
  return spec;
}

DataSpec parse_data(TomlTable table) {
  DataSpec spec = parse_samples(table, nullptr);
  spec.metric = table.choice("metric", kMetrics).value_or("");
  table.refuse_other_keys();
  return spec;
}

CalibrationSpec parse_calibration(TomlTable table, const DataSpec& data) {
  CalibrationSpec calibration;
  calibration.data = parse_samples(table, &data);
  if (const auto count = table.integer("count", 1)) {
    calibration.count = *count;
    calibration.count_where = table.where(*table.raw().get("count"));
  }
  calibration.seed = static_cast<std::uint64_t>(table.integer("seed", 0).value_or(0));
  table.refuse_other_keys();
  return calibration;
}

TrainSpec parse_train(TomlTable table, const DataSpec& data) {
  TrainSpec train{.data = parse_samples(table, &data)};
  train.count = table.integer("count", 1);
  if (train.count) train.count_where = table.where(*table.raw().get("count"));
  train.augmentation.mirror = table.flag("mirror").value_or(false);
  train.augmentation.shift = table.integer("shift", 0).value_or(0);
  if (train.augmentation.shift > kMostShift)
    table.fail(*table.raw().get("shift"),
               fmt::format("'train.shift' is in pixels, at most {}", kMostShift));
  train.augmentation.layout = train.data.preprocess.layout;
  table.refuse_other_keys();
  return train;
}

template <class Map, class Value>
Map map_of(const toml::table& table) {
  Map map;
  for (const auto& [key, node] : table)
    map.emplace(std::string(key.str()), *node.template value<Value>());
  return map;
}

Setting parse_setting(TomlTable& stage, const std::string& key, const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* integer = node.as_integer()) return integer->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* array = node.as_array()) {
    if (!array->empty() && array->front().is_string()) return *stage.texts(key);
    return *stage.numbers(key);
  }
  if (const auto* table = node.as_table()) {
    bool numbers = true, texts = true;
    for (const auto& [name, value] : *table) {
      numbers = numbers && value.is_number();
      texts = texts && value.is_string();
    }
    if (numbers) return map_of<std::map<std::string, double>, double>(*table);
    if (texts) return map_of<std::map<std::string, std::string>, std::string>(*table);
    stage.fail(node, fmt::format("the values of '{}' must be all numbers or all texts", key));
  }
  stage.fail(node, fmt::format("'{}' is a date or time, which no component takes", key));
}

bool parse_flag(TomlTable& stage, const std::string& key, const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return flag->get();
  stage.fail(node, fmt::format("'{}' must be true or false", key));
}

double parse_share(TomlTable& stage, const std::string& key, const toml::node& node) {
  const std::optional<double> share = stage.number(key);
  if (share && *share >= 0 && *share <= 1) return *share;
  stage.fail(node, fmt::format("'{}' must be a share from 0 to 1", key));
}

StageSpec parse_stage(TomlTable table) {
  StageSpec stage;
  stage.where = table.where();
  stage.use = table.required("use", table.text("use"));
  stage.include = table.texts("include").value_or(stage.include);
  stage.exclude = table.texts("exclude").value_or(stage.exclude);
  for (const auto& [name, node] : table.raw()) {
    const std::string key(name.str());
    if (key == "use" || key == "include" || key == "exclude") continue;
    stage.places.emplace(key, table.where(node));
    const bool automatic = stage.use == kAutomatic;
    if (key == "fallback" || (key == "qat" && automatic))
      (key == "qat" ? stage.qat : stage.fallback) = parse_flag(table, key, node);
    else if (key == "max_float")
      stage.max_float = parse_share(table, key, node);
    else
      stage.settings.emplace(key, parse_setting(table, key, node));
  }
  return stage;
}

}  // namespace

namespace {

Accept parse_accept(TomlTable table) {
  const auto limit = [&](const char* key, double least, double most, const char* range) {
    const std::optional<double> value = table.number(key);
    if (value && !(*value >= least && *value <= most))
      table.fail(*table.raw().get(key), fmt::format("'accept.{}' must {}", key, range));
    return value;
  };
  constexpr double kAny = std::numeric_limits<double>::max();
  const Accept accept{.max_drop = limit("max_drop", 0, kAny, "not be negative"),
                      .min_agreement = limit("min_agreement", 0, 1, "be from 0 to 1"),
                      .min_sqnr_db = limit("min_sqnr_db", -kAny, kAny, "be a number"),
                      .max_latency_ms = limit("max_latency_ms", 0, kAny, "not be negative")};
  table.refuse_other_keys();
  return accept;
}

}  // namespace

Recipe parse_recipe(std::string_view text, const std::filesystem::path& file) {
  const toml::table parsed = parse_toml(text, file);
  TomlTable root(parsed, file, "");
  Recipe recipe;
  recipe.file = std::filesystem::absolute(file);

  // All tables are asked for before any is read: a misspelt one is the better message.
  std::optional<TomlTable> model = root.table("model"), data = root.table("data"),
                           calibration = root.table("calibration"), train = root.table("train"),
                           target = root.table("target"), accept = root.table("accept"),
                           isolation = root.table("isolation");
  const std::vector<TomlTable> stages = root.tables("stage");
  const std::optional<std::int64_t> seed = root.integer("seed", 0);
  root.refuse_other_keys();

  if (!model) throw Error(ADZE_INVALID_ARGUMENT, file.string() + ": the table [model] is missing");
  recipe.model = model->required("path", model->path("path"));
  model->refuse_other_keys();
  if (!data) throw Error(ADZE_INVALID_ARGUMENT, file.string() + ": the table [data] is missing");
  recipe.data = parse_data(*data);
  if (calibration) recipe.calibration = parse_calibration(*calibration, recipe.data);
  if (train) recipe.train = parse_train(*train, recipe.data);
  if (target) {
    if (const auto board_type = target->text("board_type")) {
      try {
        require_board_type(*board_type);
      } catch (const Error& error) {
        target->fail(*target->raw().get("board_type"), error.what());
      }
      recipe.board_type = *board_type;
    }
    recipe.trust = target->texts("trust").value_or(recipe.trust);
    recipe.rewrite = target->flag("rewrite").value_or(recipe.rewrite);
    target->refuse_other_keys();
  }
  if (isolation) {
    if (const auto deadline_s = isolation->number("deadline_s")) {
      if (!(*deadline_s > 0 && *deadline_s <= kLongestDeadlineS))
        isolation->fail(*isolation->raw().get("deadline_s"),
                        "'isolation.deadline_s' must be greater than 0 and at most a day");
      recipe.isolation.deadline_ms = static_cast<std::int64_t>(*deadline_s * 1000);
    }
    recipe.isolation.memory_mb =
        static_cast<std::uint64_t>(isolation->integer("memory_mb", kLeastMemoryMb).value_or(0));
    isolation->refuse_other_keys();
  }
  if (accept) recipe.max_drop = parse_accept(*accept).max_drop;
  if (stages.empty())
    throw Error(ADZE_INVALID_ARGUMENT,
                file.string() + ": there is no [[stage]], so nothing would be done to the model");
  for (const TomlTable& stage : stages) recipe.stages.push_back(parse_stage(stage));
  const std::uint64_t calibration_seed = recipe.calibration ? recipe.calibration->seed : 0;
  recipe.seed = seed ? static_cast<std::uint64_t>(*seed) : calibration_seed;
  return recipe;
}

Recipe parse_recipe(const std::filesystem::path& file) {
  return parse_recipe(read_text_file(file), file);
}

namespace {

DataSpec data_of(TomlTable& root, const std::filesystem::path& file) {
  std::optional<TomlTable> data = root.table("data");
  if (!data)
    throw Error(ADZE_INVALID_ARGUMENT,
                file.string() + ": the table [data] is missing; see the recipe format");
  return parse_data(*data);
}

}  // namespace

Accept parse_accept_file(const std::filesystem::path& file) {
  const toml::table parsed = parse_toml_file(file);
  const auto accept = TomlTable(parsed, file, "").table("accept");
  return accept ? parse_accept(*accept) : Accept{};
}

DataSpec parse_data_file(const std::filesystem::path& file) {
  const toml::table parsed = parse_toml_file(file);
  TomlTable root(parsed, file, "");
  return data_of(root, file);
}

Recipe parse_data_tables(const std::filesystem::path& file) {
  const toml::table parsed = parse_toml_file(file);
  TomlTable root(parsed, file, "");
  Recipe recipe;
  recipe.data = data_of(root, file);
  if (const std::optional<TomlTable> calibration = root.table("calibration")) {
    recipe.calibration = parse_calibration(*calibration, recipe.data);
    recipe.seed = recipe.calibration->seed;
  }
  if (const std::optional<TomlTable> train = root.table("train"))
    recipe.train = parse_train(*train, recipe.data);
  return recipe;
}

}  // namespace adze::host
