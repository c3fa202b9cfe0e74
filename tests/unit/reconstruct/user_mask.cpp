#include "plugins/reconstruct/user_mask.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <adze/adze.hpp>
#include <fstream>

namespace reconstruct {
namespace {

using ::testing::HasSubstr;

class UserMask : public testing::Test {
 protected:
  UserMask() : folder_(testing::TempDir() + "adze_user_mask" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~UserMask() override { std::filesystem::remove_all(folder_); }

  /// As numpy.save() writes it.
  void save(const std::string& name, const std::string& type, const std::string& shape,
            const std::string& bytes, const std::string& order = "False") {
    std::string header =
        "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
    header.resize(117, ' ');
    header += '\n';
    std::ofstream file(folder_ / name, std::ios::binary);
    file << "\x93NUMPY" << '\1' << '\0' << static_cast<char>(header.size()) << '\0' << header
         << bytes;
  }
  std::string error() {
    try {
      read_user_mask(folder_, "a/b", kShape);
    } catch (const adze::Error& error) {
      return error.what();
    }
    return "no error";
  }

  static constexpr std::int64_t kShape[] = {2, 3};
  std::filesystem::path folder_;
};

TEST_F(UserMask, is_read_by_the_name_of_its_node) {
  save("a_b.npy", "|u1", "(2, 3)", std::string("\1\0\1\0\0\1", 6));
  EXPECT_EQ(read_user_mask(folder_, "a/b", kShape).value(),
            (std::vector<std::uint8_t>{1, 0, 1, 0, 0, 1}));
  EXPECT_EQ(read_user_mask(folder_, "other", kShape), std::nullopt);
}

TEST_F(UserMask, of_the_wrong_shape_is_refused_with_both_shapes) {
  save("a_b.npy", "|b1", "(3, 2)", std::string(6, '\1'));
  EXPECT_THAT(error(), HasSubstr("is of shape 3x2, the weight of node 'a_b' of 2x3"));
}

TEST_F(UserMask, that_is_no_array_of_bytes_is_refused) {
  save("a_b.npy", "<f4", "(2, 3)", std::string(24, '\1'));
  EXPECT_THAT(error(), HasSubstr("another type"));
  save("a_b.npy", "|u1", "(2, 3)", std::string(6, '\1'), "True");
  EXPECT_THAT(error(), HasSubstr("Fortran"));
  save("a_b.npy", "|u1", "(2, 3)", std::string(5, '\1'));
  EXPECT_THAT(error(), HasSubstr("another size"));
  std::ofstream(folder_ / "a_b.npy") << "no array";
  EXPECT_THAT(error(), HasSubstr("no .npy file"));
}

}  // namespace
}  // namespace reconstruct
