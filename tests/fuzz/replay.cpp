// Gives a fuzz target the files of its corpus, one after the other: what was found once is tried in
// every build, with or without Clang.
#include <cstdint>
#include <cstdio>
#include <filesystem>

#include "host/base/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int count, char** folders) {
  namespace fs = std::filesystem;
  int files = 0;
  for (int i = 1; i < count; ++i)
    for (const auto& entry : fs::directory_iterator(folders[i])) {
      const auto bytes = adze::host::read_file(entry.path());
      std::fprintf(stderr, "%s\n", entry.path().filename().c_str());  // the last one is the culprit
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
      ++files;
    }
  std::printf("%d inputs\n", files);
  return files > 0 ? 0 : 1;
}
