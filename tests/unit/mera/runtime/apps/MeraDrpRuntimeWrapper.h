// A stand-in of the public interface of DRP-AI TVM's runtime wrapper, declared as its documentation
// describes it. Its "models" are texts: see the .cpp file. Nothing here is the vendor's code.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

enum class InOutDataType { FLOAT32, FLOAT16, INT64, OTHER };

class MeraDrpRuntimeWrapper {
 public:
  bool LoadModel(const std::string& model_dir, uint64_t start_address);
  int GetNumInput(std::string model_dir);
  InOutDataType GetInputDataType(int index);
  template <typename T>
  void SetInput(int index, const T* data_ptr);
  void Run();
  void Run(int freq_index);
  void ProfileRun(const std::string& profile_table, const std::string& profile_csv);
  void ProfileRun(const std::string& profile_table, const std::string& profile_csv, int freq_index);
  int GetNumOutput();
  std::tuple<InOutDataType, void*, int64_t> GetOutput(int index);

 private:
  std::string mode_;
  std::vector<float> input_;
  std::vector<float> floats_;
  std::vector<unsigned short> halves_;
};
