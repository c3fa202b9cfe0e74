#include "hil/protocol/bundle.hpp"

#include <functional>
#include <random>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/hash.hpp"

namespace adze::hil {
namespace {

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

Manifest example_manifest() {
  const TensorSpec in{.name = "x", .dtype = host::DType::f32, .shape = {1, 2}, .batch_axis = 0};
  const TensorSpec out{.name = "y", .dtype = host::DType::f32, .shape = {1, 2}, .batch_axis = 0};
  return {.board_type = "rzv2h",
          .backend = "adze.drpai",
          .model = "resnet",
          .inputs = {in},
          .outputs = {out},
          .files = {},
          .provenance = {{"model_sha256", std::string(64, 'a')}},
          .smoke_inputs = {{.spec = in, .path = "smoke/input-0.bin"}},
          .smoke_outputs = {{.spec = out, .path = "smoke/output-0.bin"}}};
}

FileMap example_files() {
  return {{"artifacts/model.bin", bytes_of(std::string(1000, 'm'))},
          {"artifacts/empty", {}},
          {"smoke/input-0.bin", bytes_of("12345678")},
          {"smoke/output-0.bin", bytes_of("87654321")}};
}

std::vector<std::byte> example() { return make_bundle(example_manifest(), example_files()); }

void expect_refused(const std::vector<std::byte>& bytes, const std::string& text) {
  const auto source = memory_source(bytes);
  try {
    Bundle(*source).verify();
    FAIL() << "accepted; expected: " << text;
  } catch (const host::Error& error) {
    EXPECT_EQ(error.code, ADZE_DATA_LOSS) << error.what();
    EXPECT_THAT(error.what(), testing::HasSubstr(text));
  }
}

std::size_t header_at(const std::vector<std::byte>& bytes, const std::string& path) {
  for (std::size_t at = 0; at + 512 <= bytes.size(); at += 512)
    if (std::string(reinterpret_cast<const char*>(&bytes[at])) == path) return at;
  throw std::runtime_error("no such entry");
}

/// Changes bytes of an entry's header and makes its checksum right again.
std::vector<std::byte> with_header(const std::string& path, std::size_t at,
                                   const std::string& text) {
  std::vector<std::byte> bytes = example();
  const std::size_t begin = header_at(bytes, path);
  for (std::size_t i = 0; i < text.size(); ++i) bytes[begin + at + i] = std::byte(text[i]);
  for (std::size_t i = 148; i < 156; ++i) bytes[begin + i] = std::byte{' '};
  unsigned sum = 0;
  for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned>(bytes[begin + i]);
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  for (std::size_t i = 0; i < 7; ++i) bytes[begin + 148 + i] = std::byte(digits[i]);
  return bytes;
}

TEST(Bundle, comes_back_as_it_was_made) {
  const auto bytes = example();
  const auto source = memory_source(bytes);
  const Bundle bundle(*source);
  bundle.verify();
  Manifest expected = example_manifest();
  expected.files = bundle.manifest().files;
  EXPECT_EQ(bundle.manifest(), expected);
  EXPECT_EQ(bundle.manifest().files.size(), 4u);
  for (const auto& [path, contents] : example_files()) EXPECT_EQ(bundle.read(path), contents);
  EXPECT_EQ(bundle.id(), host::sha256_hex(bundle.manifest_bytes()));
}

TEST(Bundle, same_input_gives_the_same_bytes_and_id_depends_on_contents) {
  EXPECT_EQ(example(), example());
  FileMap other = example_files();
  other["artifacts/model.bin"][500] ^= std::byte{1};
  const auto bytes = make_bundle(example_manifest(), other);
  const auto first = example();
  const auto a = memory_source(first), b = memory_source(bytes);
  EXPECT_NE(Bundle(*a).id(), Bundle(*b).id());
}

TEST(Bundle, tar_can_list_it) {
  const host::TemporaryDirectory directory;
  host::write_file(directory.path() / "a.adze", example());
  const std::string list = (directory.path() / "list").string();
  ASSERT_EQ(
      std::system(("tar tf " + (directory.path() / "a.adze").string() + " > " + list).c_str()), 0);
  EXPECT_EQ(host::read_text_file(list),
            "artifacts/empty\nartifacts/model.bin\nmanifest.cbor\nsmoke/input-0.bin\n"
            "smoke/output-0.bin\n");
}

TEST(Bundle, is_read_from_a_file_too) {
  const host::TemporaryDirectory directory;
  host::write_file(directory.path() / "a.adze", example());
  const auto source = file_source(directory.path() / "a.adze");
  const Bundle bundle(*source);
  bundle.verify();
  EXPECT_EQ(bundle.read("smoke/input-0.bin"), bytes_of("12345678"));
  EXPECT_THROW(file_source(directory.path() / "none"), host::Error);
  EXPECT_THROW(file_source(directory.path()), host::Error);
}

TEST(Bundle, long_paths_are_split_as_ustar_has_it) {
  FileMap files = example_files();
  const std::string path = std::string(90, 'a') + "/" + std::string(40, 'b') + "/c";
  files[path] = bytes_of("x");
  const auto bytes = make_bundle(example_manifest(), files);
  const auto source = memory_source(bytes);
  EXPECT_EQ(Bundle(*source).read(path), bytes_of("x"));
}

TEST(Bundle, refuses_paths_that_leave_the_folder) {
  for (const std::string path :
       {"../x", "/etc/passwd", "a/../b", "a//b", "", "a/", "a\\b", "a\n"}) {
    FileMap files = example_files();
    files[path] = bytes_of("x");
    EXPECT_THROW(make_bundle(example_manifest(), files), host::Error) << path;
  }
  expect_refused(with_header("artifacts/empty", 0, "../../../../../"), "leave its folder");
  expect_refused(with_header("artifacts/empty", 0, "/"), "leave its folder");
}

TEST(Bundle, refuses_links_and_devices) {
  expect_refused(with_header("artifacts/empty", 156, "2"), "is a link");
  expect_refused(with_header("artifacts/empty", 156, "1"), "is a link");
  expect_refused(with_header("artifacts/empty", 156, "3"), "no regular file");
}

TEST(Bundle, refuses_headers_that_differ_in_anything) {
  expect_refused(with_header("artifacts/empty", 136, "00000000001"), "not as it must be");
  expect_refused(with_header("artifacts/empty", 100, "0004755"), "not as it must be");
  std::vector<std::byte> bytes = example();
  bytes[150] ^= std::byte{1};
  expect_refused(bytes, "not as it must be");
}

TEST(Bundle, refuses_double_names_and_lying_sizes) {
  std::vector<std::byte> twice = example();
  const std::vector<std::byte> entry(twice.begin(), twice.begin() + 512);
  twice.insert(twice.begin(), entry.begin(), entry.end());
  expect_refused(twice, "twice or out of order");
  expect_refused(with_header("smoke/output-0.bin", 124, "00000010000"), "more bytes than there");
  expect_refused(with_header("artifacts/empty", 124, "77777777777"), "more bytes than there");
  expect_refused(with_header("smoke/output-0.bin", 124, "00000000007"), "behind the end");
}

TEST(Bundle, refuses_truncation_at_every_block_and_trailing_data) {
  const auto bytes = example();
  for (std::size_t size = 0; size < bytes.size(); size += 128)
    expect_refused({bytes.begin(), bytes.begin() + static_cast<long>(size)}, "");
  auto longer = bytes;
  longer.resize(bytes.size() + 512);
  expect_refused(longer, "behind its end");
  longer = bytes;
  longer.push_back(std::byte{});
  expect_refused(longer, "behind its end");
}

TEST(Bundle, finds_changed_contents) {
  std::vector<std::byte> bytes = example();
  bytes[header_at(bytes, "artifacts/model.bin") + 512 + 700] ^= std::byte{1};
  expect_refused(bytes, "'artifacts/model.bin' changed");
}

TEST(Bundle, says_that_a_newer_format_is_newer) {
  const std::vector<std::byte> newer = [] {
    std::vector<std::byte> bytes = example();
    const std::string key = "fformat";
    for (std::size_t at = 0; at + 8 < bytes.size(); ++at)
      if (std::memcmp(&bytes[at],
                      "\x66"
                      "format",
                      7) == 0)
        bytes[at + 7] = std::byte{2};
    return bytes;
  }();
  const auto source = memory_source(newer);
  try {
    const Bundle bundle(*source);
    FAIL() << "accepted";
  } catch (const host::Error& error) {
    EXPECT_EQ(error.code, ADZE_UNIMPLEMENTED);
  }
}

TEST(Bundle, smoke_test_must_fit_the_model) {
  Manifest manifest = example_manifest();
  manifest.smoke_inputs[0].spec.shape = {1, 3};
  EXPECT_THROW(make_bundle(manifest, example_files()), host::Error);
  manifest = example_manifest();
  manifest.smoke_outputs[0].path = "smoke/none";
  EXPECT_THROW(make_bundle(manifest, example_files()), host::Error);
}

TEST(Bundle, signature_is_checked_against_trusted_keys) {
  const KeyPair pair = make_key_pair(), other = make_key_pair();
  const auto bytes = make_bundle(example_manifest(), example_files(), &pair.secret_key);
  const auto plain = example();
  const auto source = memory_source(bytes), unsigned_source = memory_source(plain);
  const Bundle bundle(*source), bare(*unsigned_source);
  EXPECT_EQ(bundle.id(), bare.id());
  EXPECT_EQ(bundle.signed_by({.keys = {{"lab", pair.public_key}}}), "lab");
  EXPECT_THROW(bundle.signed_by({.keys = {{"lab", other.public_key}}}), host::Error);
  EXPECT_THROW(bare.signed_by({.keys = {{"lab", pair.public_key}}}), host::Error);
  EXPECT_EQ(bare.signed_by({.allow_unsigned = true}), "");
  EXPECT_EQ(bundle.signed_by({.allow_unsigned = true}), "");
}

TEST(Bundle, signing_changes_nothing_but_the_signature) {
  const KeyPair first = make_key_pair(), second = make_key_pair();
  const auto plain = example();
  const auto bytes = sign_bundle(Bundle(*memory_source(plain)), first.secret_key);
  EXPECT_EQ(bytes, make_bundle(example_manifest(), example_files(), &first.secret_key));
  const auto source = memory_source(bytes);
  const auto again = sign_bundle(Bundle(*source), second.secret_key);
  const auto source_again = memory_source(again);
  const Bundle bundle(*source_again);
  bundle.verify();
  EXPECT_EQ(bundle.id(), Bundle(*source).id());
  EXPECT_EQ(bundle.signed_by({.keys = {{"second", second.public_key}}}), "second");
  EXPECT_THROW(bundle.signed_by({.keys = {{"first", first.public_key}}}), host::Error);
}

TEST(Bundle, damaged_contents_are_not_signed) {
  auto bytes = example();
  bytes[header_at(bytes, "artifacts/model.bin") + 512] ^= std::byte{1};
  const auto source = memory_source(bytes);
  EXPECT_THROW(sign_bundle(Bundle(*source), make_key_pair().secret_key), host::Error);
}

TEST(Bundle, a_changed_manifest_is_no_longer_signed) {
  const KeyPair pair = make_key_pair();
  const auto ours = make_bundle(example_manifest(), example_files(), &pair.secret_key);
  Manifest other = example_manifest();
  other.model = "evil";
  auto theirs = make_bundle(other, example_files(), &pair.secret_key);
  const std::size_t from = header_at(ours, "manifest.sig"), to = header_at(theirs, "manifest.sig");
  std::copy_n(ours.begin() + static_cast<long>(from), 1024, theirs.begin() + static_cast<long>(to));
  const auto source = memory_source(theirs);
  const Bundle forged(*source);
  forged.verify();
  try {
    forged.signed_by({.keys = {{"lab", pair.public_key}}});
    FAIL() << "accepted";
  } catch (const host::Error& error) {
    EXPECT_EQ(error.code, ADZE_PERMISSION_DENIED);
    EXPECT_THAT(error.what(), testing::HasSubstr("changed after it was signed"));
  }
}

class Keys : public testing::Test {
 protected:
  std::filesystem::path file(const char* name) const { return folder_.path() / "keys" / name; }
  void expect_no_key(const std::filesystem::path& path, adze_status code, const char* text) {
    try {
      load_secret_key(path);
      FAIL() << "accepted; expected: " << text;
    } catch (const host::Error& error) {
      EXPECT_EQ(error.code, code) << error.what();
      EXPECT_THAT(error.what(), testing::HasSubstr(text));
      EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr(host::hex(pair_.secret_key))));
    }
  }
  host::TemporaryDirectory folder_;
  KeyPair pair_ = make_key_pair();
};

TEST_F(Keys, are_files_of_which_only_the_owner_reads_the_secret_one) {
  save_key_pair(pair_, file("a.key"), file("a.pub"));
  EXPECT_EQ(load_secret_key(file("a.key")), pair_.secret_key);
  EXPECT_EQ(load_public_key(file("a.pub")), pair_.public_key);
  EXPECT_EQ(load_trusted_keys(folder_.path() / "keys").at("a"), pair_.public_key);
  using std::filesystem::perms;
  EXPECT_EQ(status(file("a.key")).permissions(), perms(0600));
  EXPECT_EQ(status(file("a.pub")).permissions(), perms(0644));
  EXPECT_EQ(status(folder_.path() / "keys").permissions(), perms(0700));
  std::filesystem::permissions(file("a.key"), perms(0640));
  expect_no_key(file("a.key"), ADZE_PERMISSION_DENIED, "chmod 600");
}

TEST_F(Keys, are_never_overwritten_nor_half_written) {
  save_key_pair(pair_, file("a.key"), file("a.pub"));
  const KeyPair other = make_key_pair();
  EXPECT_THROW(save_key_pair(other, file("a.key"), file("b.pub")), host::Error);
  EXPECT_FALSE(exists(file("b.pub")));
  EXPECT_THROW(save_key_pair(other, file("b.key"), file("a.pub")), host::Error);
  EXPECT_FALSE(exists(file("b.key"))) << "a secret key without its public one is of no use";
  EXPECT_EQ(load_secret_key(file("a.key")), pair_.secret_key);
  EXPECT_EQ(load_public_key(file("a.pub")), pair_.public_key);
}

TEST_F(Keys, that_are_none_or_the_wrong_ones_are_refused) {
  save_key_pair(pair_, file("a.key"), file("a.pub"));
  expect_no_key(file("none"), ADZE_NOT_FOUND, "adze bundle keygen");
  expect_no_key(folder_.path(), ADZE_DATA_LOSS, "not a regular file");
  expect_no_key(file("a.pub"), ADZE_DATA_LOSS, "this is a public key");
  EXPECT_THROW(load_public_key(file("a.key")), host::Error);
  const std::string digits = host::hex(pair_.secret_key);
  const auto try_text = [&](const std::string& text, const char* why) {
    host::write_file(file("b.key"), text);
    std::filesystem::permissions(file("b.key"), std::filesystem::perms(0600));
    expect_no_key(file("b.key"), ADZE_DATA_LOSS, why);
  };
  for (const std::string& text : {std::string(), std::string("zz"), digits.substr(1), digits + "0",
                                  digits + digits, std::string(5000, 'a')})
    try_text(text, "is no key");
  try_text(digits.substr(0, 64) + host::hex(make_key_pair().public_key), "two halves");
  host::write_file(file("c.pub"), "zz");
  EXPECT_THROW(load_trusted_keys(folder_.path() / "keys"), host::Error);
}

TEST_F(Keys, of_one_seed_are_the_same) {
  std::array<std::byte, 32> seed{};
  seed[0] = std::byte{1};
  EXPECT_EQ(key_pair_of(seed).secret_key, key_pair_of(seed).secret_key);
  EXPECT_EQ(public_key_of(key_pair_of(seed).secret_key), key_pair_of(seed).public_key);
  EXPECT_NE(key_pair_of(seed).public_key, pair_.public_key);
}

TEST(Bundle, no_mutation_crashes_or_passes_as_another_bundle) {
  std::mt19937 random(3);
  const auto clean = example();
  const auto clean_source = memory_source(clean);
  const std::string id = Bundle(*clean_source).id();
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::byte> bytes = clean;
    for (auto i = 1 + random() % 3; i > 0; --i)
      bytes[random() % bytes.size()] = std::byte(random() & 255);
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    try {
      const auto source = memory_source(bytes);
      const Bundle bundle(*source);
      bundle.verify();
      // A change of the manifest that is valid in itself shows in the id, which is signed.
      EXPECT_TRUE(bundle.id() != id || bytes == clean);
    } catch (const host::Error& error) {
      EXPECT_TRUE(error.code == ADZE_DATA_LOSS || error.code == ADZE_UNIMPLEMENTED) << error.what();
    }
  }
}

}  // namespace
}  // namespace adze::hil
