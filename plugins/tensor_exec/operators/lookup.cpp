#include "plugins/tensor_exec/operators/lookup.hpp"

namespace adze::exec {
namespace {

class LookupKernel final : public Kernel {
 public:
  LookupKernel(const Table& table, std::int64_t count) : table_(table), count_(count) {}
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const std::uint8_t*>(run.inputs[0]);
    auto* dst = reinterpret_cast<std::uint8_t*>(run.outputs[0]);
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) dst[i] = table_[src[i]];
    });
  }

 private:
  Table table_;
  std::int64_t count_;
};

}  // namespace

std::unique_ptr<Kernel> make_lookup(const Table& table, std::int64_t count) {
  return std::make_unique<LookupKernel>(table, count);
}

}  // namespace adze::exec
