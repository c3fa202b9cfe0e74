#include "plugins/drpai_tvm/layout.hpp"

#include <adze/adze.hpp>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "plugins/tensor_exec/backend.hpp"
#include "plugins/tensor_exec/half.hpp"

namespace adze::drpai_tvm {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uintmax_t kMaxTextBytes = 64u << 20;
constexpr int kMaxDepth = 32;

[[noreturn]] void broken(const fs::path& file, const std::string& why) {
  throw Error(ADZE_DATA_LOSS, "the toolchain left '" + file.filename().string() + "', which " +
                                  why + "; compile again, and look at its log");
}

std::string read_text(const fs::path& file) {
  std::error_code failed;
  const std::uintmax_t size = fs::file_size(file, failed);
  if (failed || size > kMaxTextBytes) broken(file, "cannot be read");
  std::ifstream stream(file, std::ios::binary);
  std::string text(static_cast<std::size_t>(size), '\0');
  stream.read(text.data(), static_cast<std::streamsize>(size));
  if (!stream) broken(file, "cannot be read");
  return text;
}

void require_filled(const fs::path& folder, const char* name) {
  std::error_code failed;
  const std::uintmax_t size = fs::file_size(folder / name, failed);
  if (failed)
    throw Error(ADZE_DATA_LOSS, std::string("the toolchain said that it succeeded, but left no '") +
                                    name + "'; look at its log");
  if (size == 0) broken(folder / name, "is empty");
}

/// Stages lie in lists of lists, whose depth is not promised.
void collect_stages(const json& value, std::vector<CompiledStage>& stages, int depth) {
  if (depth > kMaxDepth) return;
  if (value.is_array()) {
    for (const json& item : value) collect_stages(item, stages, depth + 1);
  } else if (value.is_object()) {
    const auto backend = value.find("backend"), folder = value.find("folder");
    if (backend != value.end() && backend->is_string())
      stages.push_back({backend->get<std::string>(), folder != value.end() && folder->is_string()
                                                         ? folder->get<std::string>()
                                                         : ""});
  }
}

void read_plan(const fs::path& folder, CompiledModel& model) {
  const fs::path file = folder / "mera.plan";
  const json plan = json::parse(read_text(file), nullptr, /*allow_exceptions=*/false);
  if (!plan.is_object()) broken(file, "is cut off or no JSON");
  try {
    collect_stages(plan.at("execution").at("stages"), model.stages, 0);
    const json& buffers = plan.at("memory").at("buffers");
    for (const json& buffer : buffers)
      model.buffers.push_back({.name = buffer.at("name").get<std::string>(),
                               .type = buffer.at("data_type").get<std::string>(),
                               .shape = buffer.at("shape").get<std::vector<std::int64_t>>(),
                               .size_bytes = buffer.at("bytes_size").get<std::uint64_t>()});
  } catch (const json::exception& error) {
    broken(file, std::string("lacks what is needed (") + error.what() + ")");
  }
  if (model.stages.empty()) broken(file, "has no stages");
  for (const CompiledStage& stage : model.stages)
    if (!stage.folder.empty() && !fs::is_directory(folder / stage.folder))
      broken(file, "names the folder '" + stage.folder + "', which is missing");
}

std::vector<float> read_floats(const fs::path& file) {
  const std::vector<std::uint8_t> bytes = exec::read_bytes(file);
  if (bytes.size() % sizeof(float)) broken(file, "is no list of 32-bit floats");
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::vector<float> read_halves(const fs::path& file) {
  const std::vector<std::uint8_t> bytes = exec::read_bytes(file);
  if (bytes.size() % sizeof(std::uint16_t)) broken(file, "is no list of 16-bit floats");
  std::vector<std::uint16_t> halves(bytes.size() / sizeof(std::uint16_t));
  if (!halves.empty()) std::memcpy(halves.data(), bytes.data(), bytes.size());
  std::vector<float> values(halves.size());
  std::transform(halves.begin(), halves.end(), values.begin(),
                 [](std::uint16_t half) { return exec::from_f16(half); });
  return values;
}

}  // namespace

bool CompiledModel::uses_drpai() const {
  return !has_plan || std::any_of(stages.begin(), stages.end(), [](const CompiledStage& stage) {
    return stage.backend.find("DRP") != std::string::npos &&
           stage.backend.find("CPU") == std::string::npos;
  });
}

std::vector<Region> read_address_map(const fs::path& file) {
  std::istringstream lines(read_text(file));
  std::vector<Region> regions;
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    std::istringstream words(line);
    Region region;
    std::string begin, size, more;
    if (!(words >> region.name >> begin >> size) || words >> more)
      broken(file, "has a line that is not 'element address size': '" + line.substr(0, 80) + "'");
    const auto number = [&](const std::string& text) {
      std::size_t used = 0;
      std::uint64_t value = 0;
      try {
        value = std::stoull(text, &used, 16);
      } catch (const std::exception&) {
      }
      if (used != text.size() || text[0] == '-')
        broken(file, "has '" + text + "' where a hexadecimal number must be");
      return value;
    };
    region.begin = number(begin);
    region.size_bytes = number(size);
    if (region.size_bytes > std::numeric_limits<std::uint64_t>::max() - region.begin)
      broken(file, "has a region that ends nowhere");
    regions.push_back(std::move(region));
  }
  if (regions.empty()) broken(file, "is empty");
  return regions;
}

CompiledModel read_compiled(const fs::path& folder) {
  CompiledModel model;
  model.has_plan = fs::exists(folder / "mera.plan");
  if (model.has_plan) {
    require_filled(folder, "mera.plan");
    read_plan(folder, model);
  } else {
    if (!fs::exists(folder / "deploy.json"))
      throw Error(ADZE_DATA_LOSS,
                  "the toolchain said that it succeeded, but left neither 'mera.plan' nor "
                  "'deploy.json'; look at its log");
    for (const char* name : {"deploy.json", "deploy.so", "deploy.params"})
      require_filled(folder, name);
    if (!json::parse(read_text(folder / "deploy.json"), nullptr, false).is_object())
      broken(folder / "deploy.json", "is cut off or no JSON");
  }
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_symlink())
      throw Error(ADZE_DATA_LOSS, "the toolchain left a link, '" +
                                      entry.path().filename().string() +
                                      "', which cannot be put on a board");
    if (!entry.is_regular_file()) continue;
    const fs::path relative = entry.path().lexically_relative(folder);
    model.files.push_back(relative.generic_string());
    // The pre-processing has a map of its own, for memory that is shared with nothing here.
    if (entry.path().filename() == "addr_map.txt" && *relative.begin() != "preprocess")
      for (const Region& region : read_address_map(entry.path()))
        model.memory_bytes = std::max(model.memory_bytes, region.begin + region.size_bytes);
  }
  std::sort(model.files.begin(), model.files.end());
  return model;
}

Reference read_reference(const fs::path& folder) {
  Reference reference;
  const fs::path own = folder / "interpreter_out";
  const fs::path input =
      fs::exists(own / "input_0.bin") ? own / "input_0.bin" : folder / "input_0.bin";
  if (!fs::exists(input)) return reference;
  reference.input = read_floats(input);
  for (int i = 0;; ++i) {
    const std::string name = "ref_result_" + std::to_string(i);
    if (fs::exists(own / (name + "_fp16.bin")))
      reference.outputs.push_back(read_halves(own / (name + "_fp16.bin")));
    else if (fs::exists(own / (name + ".bin")))
      reference.outputs.push_back(read_floats(own / (name + ".bin")));
    else
      return reference;
  }
}

Closeness compare(const std::vector<float>& got, const std::vector<float>& reference) {
  if (got.size() != reference.size() || got.empty())
    throw Error(ADZE_DATA_LOSS, "the interpreter's result has " + std::to_string(reference.size()) +
                                    " elements, the model " + std::to_string(got.size()));
  Closeness made;
  std::size_t close = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double difference = std::abs(double{got[i]} - reference[i]);
    if (!(difference <= made.max_abs)) made.max_abs = difference;  // a NaN stays
    made.mean_abs += difference / static_cast<double>(got.size());
    close += difference <= 1e-2 + 1e-3 * std::abs(double{reference[i]});
  }
  made.close_share = static_cast<double>(close) / static_cast<double>(got.size());
  return made;
}

}  // namespace adze::drpai_tvm
