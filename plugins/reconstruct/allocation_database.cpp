#include "plugins/reconstruct/allocation_database.hpp"

#include <adze/ext/calibration.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

namespace reconstruct {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFormat = 1;
constexpr std::uint64_t kMostBytes = 64u << 20;
constexpr std::uint64_t kSamplesAtOnce = 32;

class Hash {
 public:
  Hash() { crypto_hash_sha256_init(&state_); }
  void bytes(const void* data, std::size_t size) {
    crypto_hash_sha256_update(&state_, static_cast<const unsigned char*>(data), size);
  }
  void number(std::uint64_t value) { bytes(&value, sizeof value); }
  void text(std::string_view text) {
    number(text.size());
    bytes(text.data(), text.size());
  }
  void tensor(const adze_tensor& tensor) {
    number(tensor.code * 256u + tensor.bits);
    number(static_cast<std::uint64_t>(tensor.ndim));
    bytes(tensor.shape, sizeof(std::int64_t) * static_cast<std::size_t>(tensor.ndim));
    const auto bits = static_cast<std::uint64_t>(adze::element_count(tensor)) * tensor.bits;
    if (tensor.data)
      bytes(static_cast<const char*>(tensor.data) + tensor.byte_offset, (bits + 7) / 8);
  }
  void property(const adze_property& property) {
    text(property.name);
    number(property.type);
    number(property.count);
    if (property.f64) bytes(property.f64, sizeof(double) * property.count);
    if (property.i64) bytes(property.i64, sizeof(std::int64_t) * property.count);
    for (std::uint64_t i = 0; property.text && i < property.count; ++i) text(property.text[i]);
    if (property.tensor) tensor(*property.tensor);
  }
  std::string digits() {
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(&state_, digest);
    char text[2 * sizeof digest + 1];
    sodium_bin2hex(text, sizeof text, digest, sizeof digest);
    return text;
  }

 private:
  crypto_hash_sha256_state state_;
};

void add_graph(Hash& hash, const adze_graph& graph) {
  for (std::uint32_t v = 0; v < graph.value_count; ++v) {
    const adze_value& value = *graph.values[v];
    hash.text(value.name);
    hash.number(value.constant ? 1 : 0);
    if (!value.constant) continue;
    hash.tensor(*value.constant);
    hash.number(value.keep ? 1 : 0);
    if (value.keep)
      hash.bytes(value.keep, static_cast<std::size_t>(adze::element_count(*value.constant)));
  }
  for (std::uint32_t n = 0; n < graph.node_count; ++n) {
    const adze_node& node = *graph.nodes[n];
    for (const char* text : {node.op, node.domain, node.name}) hash.text(text);
    hash.number(node.op_version);
    hash.bytes(node.inputs, sizeof(std::uint32_t) * node.input_count);
    hash.bytes(node.outputs, sizeof(std::uint32_t) * node.output_count);
    for (std::uint64_t a = 0; a < node.attribute_count; ++a) hash.property(*node.attributes[a]);
  }
}

/// The samples themselves, a few at a time.
void add_samples(Hash& hash, adze_call* call) {
  const auto& calibration = adze::need<adze_calibration>(call, ADZE_CALIBRATION);
  hash.number(calibration.sample_count);
  for (std::uint32_t i = 0; i < call->graph->input_count; ++i) {
    adze_stat_request request{};
    request.struct_size = sizeof request;
    request.kind = ADZE_STAT_SAMPLES;
    request.node = ADZE_NONE;
    request.value = call->graph->inputs[i];
    for (request.first = 0; request.first < calibration.sample_count;
         request.first += kSamplesAtOnce) {
      request.count =
          std::min<std::uint64_t>(kSamplesAtOnce, calibration.sample_count - request.first);
      const adze_stat* samples = nullptr;
      adze::check(calibration.collect(call, &request, 1, &samples));
      hash.tensor(samples->data);
      calibration.release(call, samples);
    }
  }
}

fs::path folder_named(const char* variable) {
  const char* value = ::secure_getenv(variable);
  return value && fs::path(value).is_absolute() ? value : "";
}

DatabaseLayer layer_of(const json& document) {
  DatabaseLayer layer{.weights = document.at("weights").get<std::int64_t>(), .levels = {}};
  for (const json& level : document.at("levels"))
    layer.levels.push_back({level.at("sparsity").get<double>(), level.at("error").get<double>(),
                            level.at("kept").get<std::int64_t>()});
  return layer;
}

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

/// False with errno.
bool replace_file(const fs::path& path, std::string_view text) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::string temporary = (path.parent_path() / "new-XXXXXX").string();
  const int file = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (file < 0) return false;
  // No fsync: what a power loss damages is not used, and searched again.
  bool saved = write_all(file, text);
  saved = ::close(file) == 0 && saved && ::rename(temporary.c_str(), path.c_str()) == 0;
  const int why = errno;
  if (!saved) ::unlink(temporary.c_str());
  errno = why;
  return saved;
}

}  // namespace

std::string database_key(adze_call* call, const std::string& options) {
  if (sodium_init() < 0) throw adze::Error(ADZE_INTERNAL, "libsodium does not start");
  Hash hash;
  hash.number(kFormat);
  hash.text(options);
  add_graph(hash, *call->graph);
  add_samples(hash, call);
  return hash.digits();
}

fs::path Database::default_folder() {
  if (const fs::path own = folder_named("ADZE_PRUNING_CACHE"); !own.empty()) return own;
  if (const fs::path cache = folder_named("XDG_CACHE_HOME"); !cache.empty())
    return cache / "adze" / "pruning";
  const fs::path home = folder_named("HOME");
  return home.empty() ? home : home / ".cache" / "adze" / "pruning";
}

Database::Database(const std::vector<fs::path>& folders, std::string key) : key_(std::move(key)) {
  for (const fs::path& folder : folders)
    if (!folder.empty()) files_.push_back(folder / (key_.substr(0, 32) + ".json"));
  for (const fs::path& file : files_)
    if (auto found = read(file)) {
      layers_ = *std::move(found);
      return;
    }
}

std::optional<std::map<std::string, DatabaseLayer>> Database::read(const fs::path& file) const try {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  if (error || size > kMostBytes) return std::nullopt;
  std::ifstream stream(file);
  const json document = json::parse(stream);
  if (document.at("format") != kFormat || document.at("key") != key_) return std::nullopt;
  std::map<std::string, DatabaseLayer> layers;
  for (const auto& [node, layer] : document.at("layers").items()) {
    layers[node] = layer_of(layer);
    const ErrorCurve checked = curve_of(layers[node]);
  }
  return layers;
} catch (const json::exception&) {
  return std::nullopt;
} catch (const adze::Error&) {  // figures that no search gives
  return std::nullopt;
}

std::vector<double> Database::missing(const std::string& node,
                                      std::span<const double> sparsities) const {
  const auto found = layers_.find(node);
  std::vector<double> missing;
  for (const double sparsity : sparsities)
    if (found == layers_.end() ||
        std::ranges::find(found->second.levels, sparsity, &DatabaseLevel::sparsity) ==
            found->second.levels.end())
      missing.push_back(sparsity);
  return missing;
}

std::optional<DatabaseLayer> Database::find(const std::string& node,
                                            std::span<const double> sparsities) const {
  if (!missing(node, sparsities).empty()) return std::nullopt;
  const auto found = layers_.find(node);
  DatabaseLayer layer{.weights = found == layers_.end() ? 0 : found->second.weights, .levels = {}};
  for (const double sparsity : sparsities)
    layer.levels.push_back(
        *std::ranges::find(found->second.levels, sparsity, &DatabaseLevel::sparsity));
  return layer;
}

void Database::store(const std::string& node, DatabaseLayer layer) {
  DatabaseLayer& known = layers_[node];
  known.weights = layer.weights;
  for (const DatabaseLevel& level : layer.levels) {
    std::erase_if(known.levels,
                  [&](const DatabaseLevel& one) { return one.sparsity == level.sparsity; });
    known.levels.push_back(level);
  }
  std::ranges::sort(known.levels, {}, &DatabaseLevel::sparsity);
  save();
}

void Database::save() {
  json layers = json::object();
  for (const auto& [node, layer] : layers_) {
    json levels = json::array();
    for (const DatabaseLevel& level : layer.levels)
      levels.push_back(
          {{"sparsity", level.sparsity}, {"error", level.error}, {"kept", level.kept}});
    layers[node] = {{"weights", layer.weights}, {"levels", std::move(levels)}};
  }
  const std::string text =
      json{{"format", kFormat}, {"key", key_}, {"layers", std::move(layers)}}.dump(1) + "\n";
  for (const fs::path& file : files_)
    if (!replace_file(file, text))
      problem_ = "cannot keep the pruning database in '" + file.parent_path().string() +
                 "': " + std::generic_category().message(errno);
}

ErrorCurve curve_of(const DatabaseLayer& layer) {
  std::vector<ErrorPoint> points;
  for (const DatabaseLevel& level : layer.levels) points.push_back({level.sparsity, level.error});
  return ErrorCurve(std::move(points));
}

}  // namespace reconstruct
