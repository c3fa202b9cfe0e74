// What the toolchain leaves behind: files for the board, and what they say about themselves.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace adze::drpai_tvm {

struct CompiledStage {
  std::string backend, folder;
};

struct CompiledBuffer {
  std::string name, type;
  std::vector<std::int64_t> shape;
  std::uint64_t size_bytes = 0;
};

/// A region of DRP-AI memory.
struct Region {
  std::string name;
  std::uint64_t begin = 0, size_bytes = 0;
};

struct CompiledModel {
  bool has_plan = false;  ///< mera.plan (MERA2); otherwise deploy.json and its companions (MERA1)
  std::vector<CompiledStage> stages;    ///< of the plan
  std::vector<CompiledBuffer> buffers;  ///< of the plan
  std::uint64_t memory_bytes = 0;       ///< DRP-AI memory up to the end of the last region
  std::vector<std::string> files;       ///< relative, sorted
  bool uses_drpai() const;              ///< some part of it runs there
};

/// Errors: DATA_LOSS naming the file that is missing, empty or not what it must be.
CompiledModel read_compiled(const std::filesystem::path& folder);

/// "element address size" a line, in hexadecimal. Errors: DATA_LOSS.
std::vector<Region> read_address_map(const std::filesystem::path& file);

/// What the vendor's interpreter computed while compiling.
struct Reference {
  std::vector<float> input;
  std::vector<std::vector<float>> outputs;
};
/// Empty outputs: there is none. Errors: DATA_LOSS for files of odd sizes.
Reference read_reference(const std::filesystem::path& folder);

/// How far results are from the reference, as the vendor's own comparison counts it.
struct Closeness {
  double max_abs = 0, mean_abs = 0;
  double close_share = 0;  ///< of elements within 1e-2 + 1e-3 of the reference's magnitude
};
Closeness compare(const std::vector<float>& got, const std::vector<float>& reference);

}  // namespace adze::drpai_tvm
