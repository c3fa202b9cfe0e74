#include "hil/protocol/manifest.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "hil/protocol/fields.hpp"
#include "host/base/cbor.hpp"
#include "host/base/error.hpp"

namespace adze::hil {
namespace {

using nlohmann::json;

json smoke_json(const std::vector<SmokeTensor>& tensors) {
  json list = json::array();
  for (const SmokeTensor& tensor : tensors) {
    json entry = to_json(tensor.spec);
    entry["path"] = tensor.path;
    list.push_back(entry);
  }
  return list;
}

std::vector<SmokeTensor> smoke_of(const Fields& fields, const char* key) {
  std::vector<SmokeTensor> tensors;
  for (const Fields& entry : fields.list(key, 256))
    tensors.push_back({.spec = entry.tensor(), .path = entry.text("path")});
  return tensors;
}

bool is_digest(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

BundleFile file_of(const Fields& fields) {
  BundleFile file{.path = fields.text("path"),
                  .size_bytes = fields.unsigned_integer("size"),
                  .sha256 = fields.text("sha256")};
  if (!is_safe_path(file.path)) fields.fail("'" + file.path + "' is no path for a bundle");
  if (file.path == kManifestPath || file.path == kSignaturePath)
    fields.fail("it lists '" + file.path + "', which cannot describe itself");
  if (!is_digest(file.sha256)) fields.fail("the SHA-256 of '" + file.path + "' is not one");
  return file;
}

/// A smoke test of wrong inputs would say nothing about the slot.
void check_smoke(const Fields& fields, const Manifest& manifest,
                 const std::vector<SmokeTensor>& tensors, const std::vector<TensorSpec>& specs) {
  if (tensors.empty() && manifest.smoke_inputs.empty() && manifest.smoke_outputs.empty()) return;
  if (tensors.size() != specs.size()) fields.fail("the smoke test does not cover every tensor");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].spec != specs[i])
      fields.fail("the smoke test's '" + tensors[i].spec.name + "' is not the model's '" +
                  specs[i].name + "'");
    const auto file = std::find_if(manifest.files.begin(), manifest.files.end(),
                                   [&](const BundleFile& f) { return f.path == tensors[i].path; });
    if (file == manifest.files.end() || file->size_bytes != size_bytes(tensors[i].spec))
      fields.fail("the smoke test's file '" + tensors[i].path + "' is missing or has a wrong size");
  }
}

}  // namespace

bool is_safe_path(const std::string& path) {
  if (path.empty() || path.size() > 240 || path.front() == '/') return false;
  for (const char c : path)
    if (c < 0x20 || c > 0x7E || c == '\\') return false;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == ".." || part.size() > 100) return false;
    begin = end + 1;
  }
  return true;
}

std::vector<std::byte> Manifest::encode() const {
  json list = json::array();
  for (const BundleFile& file : files)
    list.push_back({{"path", file.path}, {"size", file.size_bytes}, {"sha256", file.sha256}});
  json origins = json::object();
  for (const auto& [key, text] : provenance) origins[key] = text;
  return host::encode_cbor({{"format", kBundleFormat},
                            {"board_type", board_type},
                            {"backend", backend},
                            {"model", model},
                            {"batch", batch},
                            {"predicted_ms", predicted_ms},
                            {"inputs", to_json(inputs)},
                            {"outputs", to_json(outputs)},
                            {"nodes", nodes},
                            {"files", list},
                            {"provenance", origins},
                            {"smoke_inputs", smoke_json(smoke_inputs)},
                            {"smoke_outputs", smoke_json(smoke_outputs)},
                            {"smoke_tolerance", smoke_tolerance}});
}

Manifest Manifest::decode(std::span<const std::byte> bytes) {
  const json value =
      host::decode_cbor(bytes, "the bundle's manifest", {.max_bytes = kMaxManifestBytes});
  const Fields fields(value, "the bundle's manifest");
  const std::int64_t format = fields.integer("format", 0, 1 << 20);
  if (format != kBundleFormat)
    throw host::Error(ADZE_UNIMPLEMENTED,
                      "the bundle has format " + std::to_string(format) + ", this program reads " +
                          std::to_string(kBundleFormat) + "; update it, or make the bundle again");
  Manifest manifest{.board_type = fields.text("board_type", 256),
                    .backend = fields.text("backend", 256),
                    .model = fields.text("model"),
                    .batch = fields.integer("batch", 1, 1 << 20),
                    .predicted_ms = fields.real("predicted_ms"),
                    .inputs = fields.tensors("inputs"),
                    .outputs = fields.tensors("outputs"),
                    .nodes = fields.texts("nodes", 1 << 16),
                    .files = {},
                    .provenance = fields.text_map("provenance"),
                    .smoke_inputs = smoke_of(fields, "smoke_inputs"),
                    .smoke_outputs = smoke_of(fields, "smoke_outputs"),
                    .smoke_tolerance = fields.real("smoke_tolerance")};
  for (const Fields& entry : fields.list("files", 1 << 16))
    manifest.files.push_back(file_of(entry));
  for (std::size_t i = 1; i < manifest.files.size(); ++i)
    if (manifest.files[i - 1].path >= manifest.files[i].path)
      fields.fail("'" + manifest.files[i].path + "' is listed twice or out of order");
  check_smoke(fields, manifest, manifest.smoke_inputs, manifest.inputs);
  check_smoke(fields, manifest, manifest.smoke_outputs, manifest.outputs);
  return manifest;
}

}  // namespace adze::hil
