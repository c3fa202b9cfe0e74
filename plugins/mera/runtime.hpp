// The vendor's runtime, and the only file but runtime.cpp that knows what it looks like.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace adze::mera {

enum class ElementType { f32, f16, i64, other };

struct Output {
  ElementType type = ElementType::other;
  const void* data = nullptr;  ///< until the next run
  std::int64_t count = 0;
};

/// One model on DRP-AI. The engine runs one inference at a time: calls of several objects wait for
/// each other.
class Runtime {
 public:
  /// `start_address`: of the memory area, physical. Errors: DATA_LOSS when the runtime refuses the
  /// files, or whatever it throws.
  Runtime(const std::filesystem::path& folder, std::uint64_t start_address);
  ~Runtime();

  ElementType input_type(int index) const;
  /// `data`: elements of input_type(), kept until run() returns.
  void set_input(int index, const void* data);
  /// `freq_index`: as the vendor counts clocks; 0: the default.
  void run(int freq_index);
  int output_count() const;
  Output output(int index) const;
  /// Runs with timing by part; what it writes is the vendor's table.
  void profile(const std::filesystem::path& table, const std::filesystem::path& csv,
               int freq_index);

 private:
  struct Wrapper;
  std::unique_ptr<Wrapper> wrapper_;
};

}  // namespace adze::mera
