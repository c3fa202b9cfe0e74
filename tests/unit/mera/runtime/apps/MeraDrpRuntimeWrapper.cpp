// mera.plan is a word: what to do with the two elements of the input. "double" gives twice of each
// as 16-bit floats (of small whole numbers), "clock" the clock, "half" takes 16-bit floats, the
// others fail.
#include "MeraDrpRuntimeWrapper.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace {

constexpr int kElements = 2;

unsigned short half_of(float value) {
  if (value == 0) return 0;
  const int exponent = std::ilogb(value);
  const auto fraction = static_cast<int>(std::ldexp(std::fabs(value), 10 - exponent)) - 1024;
  return static_cast<unsigned short>((value < 0 ? 0x8000 : 0) | (exponent + 15) << 10 | fraction);
}

float float_of(unsigned short half) {
  if (half == 0) return 0;
  const float magnitude =
      std::ldexp(static_cast<float>((half & 0x3FF) + 1024), (half >> 10 & 31) - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

}  // namespace

bool MeraDrpRuntimeWrapper::LoadModel(const std::string& model_dir, uint64_t start_address) {
  std::ifstream(model_dir + "/mera.plan") >> mode_;
  if (mode_ == "throw_load") throw std::runtime_error("[DRP-AI TVM] deploy.so: cannot open");
  return start_address != 0 && mode_ != "refuse";
}

int MeraDrpRuntimeWrapper::GetNumInput(std::string) { return 1; }

InOutDataType MeraDrpRuntimeWrapper::GetInputDataType(int) {
  return mode_ == "half" ? InOutDataType::FLOAT16 : InOutDataType::FLOAT32;
}

template <>
void MeraDrpRuntimeWrapper::SetInput(int, const float* data) {
  input_.assign(data, data + kElements);
}

template <>
void MeraDrpRuntimeWrapper::SetInput(int, const unsigned short* data) {
  input_ = {float_of(data[0]), float_of(data[1])};
}

void MeraDrpRuntimeWrapper::Run() { Run(1); }

void MeraDrpRuntimeWrapper::Run(int freq_index) {
  if (mode_ == "crash") std::abort();
  if (mode_ == "hang")
    for (;;) ::sleep(1);
  if (mode_ == "throw") throw std::runtime_error("[DRP-AI] start failed: EBUSY");
  floats_.clear();
  halves_.clear();
  for (const float value : input_) {
    floats_.push_back(mode_ == "clock" ? static_cast<float>(freq_index) : 2 * value);
    halves_.push_back(half_of(floats_.back()));
  }
}

void MeraDrpRuntimeWrapper::ProfileRun(const std::string& table, const std::string& csv) {
  ProfileRun(table, csv, 1);
}

void MeraDrpRuntimeWrapper::ProfileRun(const std::string& table, const std::string& csv,
                                       int freq_index) {
  Run(freq_index);
  if (mode_ == "half") {
    std::printf("[RT] Unit 0: 1250.5 (us)\n[RT] Unit 1: 30 (us)\ntotal_latency: 7e30\n");
    return;
  }
  std::ofstream(table) << "a table for people\n";
  std::ofstream(csv) << "Name,Duration (us),Percent,Device\n\"mera_drp_0\",\"1,500.00\",75,drp-ai\n"
                        "tvmgen_default_fused_pad,500,25,cpu0\n----------,,,\nSum,2000,100,\n";
}

int MeraDrpRuntimeWrapper::GetNumOutput() { return mode_ == "two_outputs" ? 2 : 1; }

std::tuple<InOutDataType, void*, int64_t> MeraDrpRuntimeWrapper::GetOutput(int) {
  if (mode_ == "short_output") return {InOutDataType::FLOAT32, floats_.data(), 1};
  if (mode_ == "odd_output") return {InOutDataType::OTHER, floats_.data(), kElements};
  if (mode_ == "clock") return {InOutDataType::FLOAT32, floats_.data(), kElements};
  return {InOutDataType::FLOAT16, halves_.data(), kElements};
}
