// The state of a training as a file, so that a killed run goes on where it was.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace qat {

/// Numbers and arrays by name.
struct Checkpoint {
  std::uint64_t training = 0;  ///< which training it is of: graph, constants, data, options
  std::map<std::string, std::uint64_t> counters;
  std::map<std::string, double> numbers;
  std::map<std::string, std::vector<float>> arrays;
};

/// Written to a temporary name beside it, synced and renamed: there is the old one or the new one.
/// Errors: adze::Error UNAVAILABLE naming the file and why.
void save(const Checkpoint& checkpoint, const std::string& file);
/// nullopt when there is no such file. Errors: adze::Error DATA_LOSS for a file that is damaged or
/// none of ours, UNAVAILABLE when it cannot be read.
std::optional<Checkpoint> load(const std::string& file);

/// FNV-1a, for Checkpoint::training.
class Fingerprint {
 public:
  void add(const void* data, std::size_t bytes);
  void add(const std::string& text) { add(text.c_str(), text.size() + 1); }
  template <class T>
  void number(T value) {
    add(&value, sizeof value);
  }
  std::uint64_t get() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace qat
