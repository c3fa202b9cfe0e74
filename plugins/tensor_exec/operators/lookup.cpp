#include "plugins/tensor_exec/operators/lookup.hpp"

namespace adze::exec {
namespace {

class LookupKernel final : public Kernel {
 public:
  LookupKernel(const Table& table, std::int64_t count) : lookup_(table), count_(count) {}
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const std::uint8_t*>(run.inputs[0]);
    auto* dst = reinterpret_cast<std::uint8_t*>(run.outputs[0]);
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      lookup_.run(src + begin, end - begin, dst + begin);
    });
  }

 private:
  Lookup lookup_;
  std::int64_t count_;
};

}  // namespace

std::unique_ptr<Kernel> make_lookup(const Table& table, std::int64_t count) {
  return std::make_unique<LookupKernel>(table, count);
}

}  // namespace adze::exec
