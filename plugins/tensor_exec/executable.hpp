// Runs a program: cuts the batch into parts that fit the cache, and runs the parts on several
// threads. Results do not depend on the number of threads.
#pragma once

#include <functional>
#include <span>

#include "plugins/tensor_exec/plan.hpp"

namespace adze::exec {

/// One step of the last run.
struct StepTime {
  std::vector<std::uint32_t> nodes;  ///< empty: a conversion between two operators
  double latency_ms = 0;             ///< of the whole batch
  std::uint64_t bytes = 0;
};

class Executable {
 public:
  /// One output in the model's type and layout, batch included.
  struct Result {
    std::uint32_t value;
    DType dtype;
    Half half;  ///< then the bytes are 16-bit floats
    std::span<const std::byte> bytes;
    const Shape& shape;
  };
  /// Called for each output, then each extra output.
  using Report = std::function<void(const Result&)>;

  /// Errors: UNIMPLEMENTED or INVALID_ARGUMENT naming the node that cannot be executed.
  Executable(Program program, const Options& options);

  /// `inputs`: in the program's order, `program().batch` samples. Errors: INVALID_ARGUMENT.
  void run(std::span<const adze_tensor* const> inputs, int threads, const Report& report);

  /// Empty before the first run.
  const std::vector<StepTime>& times() const { return times_; }
  /// Without its constants.
  const Program& program() const { return program_; }

 private:
  struct Worker {
    AlignedBytes arena, scratch;
    std::vector<AlignedBytes> inputs;  ///< samples whose bytes are not one block
    std::vector<double> step_ms;
  };

  void check_input(std::size_t index, const adze_tensor& tensor) const;
  void run_part(std::int64_t part, std::span<const adze_tensor* const> inputs, Worker& worker,
                int threads);
  const std::byte* input_part(std::size_t index, const adze_tensor& tensor, std::int64_t part,
                              Worker& worker) const;
  void narrow_results();
  void store_part(std::int64_t part, const std::vector<std::byte*>& buffers);
  Shape full_shape(std::uint32_t value) const;
  std::uint64_t needed_bytes(int threads) const;
  Result result(std::size_t index, const Shape& shape) const;

  Program program_;
  Plan plan_;
  bool shares_parts_ = false;  ///< several threads work on one part
  std::vector<Worker> workers_;
  std::vector<std::uint32_t> reported_;
  std::vector<AlignedBytes> results_;
  std::vector<std::vector<std::uint16_t>> half_results_;  ///< of outputs that are 16-bit floats
  std::vector<StepTime> times_;
};

}  // namespace adze::exec
