// Files that are no ONNX Runtime, or not one that serves.
#include "plugins/onnxruntime/api.hpp"

#include <adze/adze.hpp>
#include <filesystem>
#include <fstream>

#include "host/base/file.hpp"

namespace adze::ort {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(const std::filesystem::path& library, adze_status code) {
  try {
    const Api api(library.string());
  } catch (const Error& error) {
    EXPECT_EQ(error.code, code) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("ADZE_ONNXRUNTIME")) << "says what to do";
    return error.what();
  }
  return "accepted";
}

std::filesystem::path built(const std::string& name) {
  return std::filesystem::path(std::getenv("ADZE_BINARY_DIR")) / "tests/libraries" / name;
}

TEST(OnnxRuntimeLibrary, that_is_not_there_is_named) {
  EXPECT_THAT(refusal("/nowhere/libonnxruntime.so.1", ADZE_NOT_FOUND),
              AllOf(HasSubstr("'/nowhere/libonnxruntime.so.1'"), HasSubstr("No such file")));
}

TEST(OnnxRuntimeLibrary, may_not_be_a_text_or_a_folder) {
  const host::TemporaryDirectory folder;
  std::ofstream(folder.path() / "notes.so") << std::string(4096, 'x');
  EXPECT_THAT(refusal(folder.path() / "notes.so", ADZE_INVALID_ARGUMENT),
              AllOf(HasSubstr("notes.so"), HasSubstr("ELF")));
  EXPECT_THAT(refusal(folder.path(), ADZE_INVALID_ARGUMENT), HasSubstr(folder.path().string()));
}

TEST(OnnxRuntimeLibrary, may_not_be_another_library) {
  EXPECT_THAT(refusal(built("libnot_onnxruntime_none.so"), ADZE_INVALID_ARGUMENT),
              AllOf(HasSubstr("not ONNX Runtime"), HasSubstr("OrtGetApiBase")));
}

TEST(OnnxRuntimeLibrary, may_not_be_too_old_or_of_another_major_version) {
  EXPECT_THAT(refusal(built("libnot_onnxruntime_1.2.0.so"), ADZE_FAILED_PRECONDITION),
              AllOf(HasSubstr("ONNX Runtime 1.2.0, which is too old"), HasSubstr("1.11 or later")));
  EXPECT_THAT(refusal(built("libnot_onnxruntime_2.0.0.so"), ADZE_FAILED_PRECONDITION),
              HasSubstr("ONNX Runtime 2.0.0, which is another major version"));
}

}  // namespace
}  // namespace adze::ort
