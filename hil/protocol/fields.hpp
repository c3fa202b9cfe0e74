// Typed access to a map that came from the other side.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "hil/protocol/tensor_spec.hpp"

namespace adze::hil {

/// All getters throw DATA_LOSS "<what>: ..." when the key is missing or its value has the wrong
/// type or range. `map` must outlive it. Unknown keys are skipped, so that later versions can add
/// some.
class Fields {
 public:
  Fields(const nlohmann::json& map, std::string what);

  std::string text(const char* key, std::size_t max_bytes = 4096) const;
  std::int64_t integer(const char* key, std::int64_t min, std::int64_t max) const;
  std::uint64_t unsigned_integer(const char* key) const;
  double real(const char* key) const;  ///< finite
  bool flag(const char* key) const;
  bool has(const char* key) const;
  /// The elements of an array, each a map.
  std::vector<Fields> list(const char* key, std::size_t max_count = 4096) const;
  std::vector<double> reals(const char* key, std::size_t max_count = 4096) const;
  std::vector<std::string> texts(const char* key, std::size_t max_count = 4096) const;
  Fields map(const char* key) const;
  std::map<std::string, std::string> text_map(const char* key) const;
  std::map<std::string, double> real_map(const char* key) const;
  std::vector<TensorSpec> tensors(const char* key) const;
  TensorSpec tensor() const;

  [[noreturn]] void fail(const std::string& why) const;

 private:
  const nlohmann::json& at(const char* key) const;

  const nlohmann::json* map_;
  std::string what_;
};

nlohmann::json to_json(const TensorSpec& spec);
nlohmann::json to_json(const std::vector<TensorSpec>& specs);

}  // namespace adze::hil
