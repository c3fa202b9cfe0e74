#include "hil/protocol/bundle.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "hil/protocol/sha256_stream.hpp"
#include "host/base/error.hpp"

namespace adze::hil {
namespace {

using host::Error;

constexpr std::size_t kBlockBytes = 512;
constexpr std::uint64_t kMaxFileBytes = (1ull << 33) - 1;  ///< 11 octal digits
constexpr std::size_t kPieceBytes = 256u << 10;
using Block = std::array<std::byte, kBlockBytes>;

std::uint64_t padded(std::uint64_t size) {
  return (size + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

void put(Block& block, std::size_t at, const std::string& text) {
  std::memcpy(block.data() + at, text.data(), text.size());
}

std::string octal(std::uint64_t value, std::size_t digits) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i-- > 0; value >>= 3) text[i] = static_cast<char>('0' + (value & 7));
  return text;
}

/// The one header an entry can have.
Block header_of(const std::string& path, std::uint64_t size_bytes) {
  Block block{};
  // ustar: up to 100 bytes of name, and up to 155 of the folders before it.
  std::size_t split = 0;
  while (path.size() - split > 100) split = path.find('/', split) + 1;
  put(block, 0, path.substr(split));
  if (split) put(block, 345, path.substr(0, split - 1));
  put(block, 100, "0000644");
  put(block, 108, "0000000");
  put(block, 116, "0000000");
  put(block, 124, octal(size_bytes, 11));
  put(block, 136, octal(0, 11));
  put(block, 148, "        ");
  put(block, 156, "0");
  put(block, 257,
      std::string("ustar\0"
                  "00",
                  8));
  unsigned sum = 0;
  for (const std::byte b : block) sum += static_cast<unsigned>(b);
  put(block, 148, octal(sum, 6) + '\0' + ' ');
  return block;
}

bool fits_ustar(const std::string& path) {
  if (!is_safe_path(path)) return false;
  std::size_t split = 0;
  while (path.size() - split > 100) {
    const std::size_t slash = path.find('/', split);
    if (slash == std::string::npos) return false;
    split = slash + 1;
  }
  return split <= 156;
}

[[noreturn]] void damaged(const ByteSource& source, const std::string& why) {
  throw Error(ADZE_DATA_LOSS, source.name() +
                                  " is damaged or was not made by `adze bundle make`: " + why +
                                  "; make or copy it again");
}

std::string field(const Block& block, std::size_t at, std::size_t size) {
  const char* begin = reinterpret_cast<const char*>(block.data()) + at;
  return {begin, ::strnlen(begin, size)};
}

std::uint64_t parse_size(const ByteSource& source, const Block& block) {
  std::uint64_t size = 0;
  for (const char c : field(block, 124, 12)) {
    if (c < '0' || c > '7') damaged(source, "a size that is no octal number");
    size = size << 3 | static_cast<std::uint64_t>(c - '0');
  }
  return size;
}

std::vector<std::byte> archive_of(std::span<const std::byte> description, const FileMap& files,
                                  const SecretKey* key) {
  std::map<std::string, std::span<const std::byte>> entries(files.begin(), files.end());
  entries[kManifestPath] = description;
  Signature signature;
  if (key) {
    signature = sign(description, *key);
    entries[kSignaturePath] = signature;
  }
  std::vector<std::byte> bytes;
  for (const auto& [path, contents] : entries) {
    const Block header = header_of(path, contents.size());
    bytes.insert(bytes.end(), header.begin(), header.end());
    bytes.insert(bytes.end(), contents.begin(), contents.end());
    bytes.resize(padded(bytes.size()));
  }
  bytes.resize(bytes.size() + 2 * kBlockBytes);
  return bytes;
}

class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> into) const override {
    if (offset > bytes_.size() || into.size() > bytes_.size() - offset)
      damaged(*this, "it is cut off");
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
  }

 private:
  std::span<const std::byte> bytes_;
};

class FileSource : public ByteSource {
 public:
  explicit FileSource(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), path_(path) {
    struct stat found {};
    const bool ok = fd_ >= 0 && ::fstat(fd_, &found) == 0;
    const int error = errno;
    if (!ok || !S_ISREG(found.st_mode)) {
      if (fd_ >= 0) ::close(fd_);
      const adze_status code = ok                ? ADZE_INVALID_ARGUMENT
                               : error == EACCES ? ADZE_PERMISSION_DENIED
                                                 : ADZE_NOT_FOUND;
      throw Error(code, "cannot read '" + path.string() +
                            "': " + (ok ? "not a regular file" : std::strerror(error)));
    }
    size_ = static_cast<std::uint64_t>(found.st_size);
  }
  ~FileSource() override { ::close(fd_); }
  std::uint64_t size() const override { return size_; }
  std::string name() const override { return "the bundle '" + path_.string() + "'"; }
  void read(std::uint64_t offset, std::span<std::byte> into) const override {
    while (!into.empty()) {
      const ssize_t got = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) damaged(*this, got ? std::strerror(errno) : "it is cut off");
      into = into.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
  }

 private:
  int fd_;
  std::filesystem::path path_;
  std::uint64_t size_ = 0;
};

}  // namespace

std::unique_ptr<ByteSource> memory_source(std::span<const std::byte> bytes) {
  return std::make_unique<MemorySource>(bytes);
}

std::unique_ptr<ByteSource> file_source(const std::filesystem::path& path) {
  return std::make_unique<FileSource>(path);
}

std::vector<std::byte> make_bundle(Manifest manifest, const FileMap& files, const SecretKey* key) {
  manifest.files.clear();
  for (const auto& [path, contents] : files) {
    if (!fits_ustar(path))
      throw Error(ADZE_INVALID_ARGUMENT, "'" + path + "' cannot be the path of a file in a bundle");
    if (contents.size() > kMaxFileBytes)
      throw Error(ADZE_OUT_OF_RANGE, "'" + path + "' is too large for a bundle");
    manifest.files.push_back(
        {.path = path, .size_bytes = contents.size(), .sha256 = host::sha256_hex(contents)});
  }
  const std::vector<std::byte> description = manifest.encode();
  Manifest::decode(description);  // what the board would refuse is not written
  return archive_of(description, files, key);
}

std::vector<std::byte> sign_bundle(const Bundle& bundle, const SecretKey& key) {
  bundle.verify();
  FileMap files;
  for (const BundleFile& file : bundle.manifest().files) files[file.path] = bundle.read(file.path);
  return archive_of(bundle.manifest_bytes(), files, &key);
}

Bundle::Bundle(const ByteSource& source) : source_(source) {
  read_entries();
  const auto manifest = entries_.find(kManifestPath);
  if (manifest == entries_.end()) damaged(source_, "it has no manifest");
  if (manifest->second.size_bytes > kMaxManifestBytes)
    damaged(source_, "its manifest is too large");
  manifest_bytes_ = read(kManifestPath);
  id_ = host::sha256_hex(manifest_bytes_);
  manifest_ = Manifest::decode(manifest_bytes_);
  std::size_t described = 1;
  if (const auto found = entries_.find(kSignaturePath); found != entries_.end()) {
    if (found->second.size_bytes != Signature{}.size())
      damaged(source_, "its signature has a wrong size");
    signature_ = read(kSignaturePath);
    ++described;
  }
  for (const BundleFile& file : manifest_.files) {
    const auto found = entries_.find(file.path);
    if (found == entries_.end()) damaged(source_, "'" + file.path + "' is missing");
    if (found->second.size_bytes != file.size_bytes)
      damaged(source_, "'" + file.path + "' has " + std::to_string(found->second.size_bytes) +
                           " bytes, the manifest says " + std::to_string(file.size_bytes));
  }
  if (entries_.size() != described + manifest_.files.size())
    damaged(source_, "it holds files its manifest does not list");
}

void Bundle::read_entries() {
  std::string last;
  Block block;
  std::uint64_t at = 0;
  for (;; at += kBlockBytes) {
    source_.read(at, block);
    if (block == Block{}) break;
    const std::string folders = field(block, 345, 155), name = field(block, 0, 100);
    const std::string path = folders.empty() ? name : folders + "/" + name;
    const auto type = static_cast<char>(block[156]);
    if (type == '1' || type == '2') damaged(source_, "'" + path + "' is a link");
    if (type != '0') damaged(source_, "'" + path + "' is no regular file");
    if (!is_safe_path(path))
      damaged(source_, "an entry's name would leave its folder or is malformed");
    const std::uint64_t size = parse_size(source_, block);
    if (!fits_ustar(path) || block != header_of(path, size))
      damaged(source_, "the header of '" + path + "' is not as it must be");
    if (path <= last) damaged(source_, "'" + path + "' is there twice or out of order");
    // Sorted, yet "a" and "a/b" need not be neighbours.
    for (std::size_t cut = path.find('/'); cut != std::string::npos; cut = path.find('/', cut + 1))
      if (entries_.contains(path.substr(0, cut)))
        damaged(source_, "'" + path.substr(0, cut) + "' is a file and a folder");
    last = path;
    const std::uint64_t begin = at + kBlockBytes;
    if (begin > source_.size() || padded(size) > source_.size() - begin)
      damaged(source_, "'" + path + "' claims more bytes than there are");
    entries_[path] = {.offset = begin, .size_bytes = size};
    at += padded(size);
    if (padded(size) != size) {
      std::vector<std::byte> padding(static_cast<std::size_t>(padded(size) - size));
      source_.read(begin + size, padding);
      if (std::any_of(padding.begin(), padding.end(), [](std::byte b) { return b != std::byte{}; }))
        damaged(source_, "there is something behind the end of '" + path + "'");
    }
  }
  source_.read(at + kBlockBytes, block);
  if (block != Block{}) damaged(source_, "its end is not marked");
  if (source_.size() != at + 2 * kBlockBytes) damaged(source_, "there is something behind its end");
}

void Bundle::read(const std::string& path,
                  const std::function<void(std::span<const std::byte>)>& take) const {
  const auto found = entries_.find(path);
  if (found == entries_.end()) throw Error(ADZE_NOT_FOUND, "the bundle has no file '" + path + "'");
  std::vector<std::byte> piece(kPieceBytes);
  for (std::uint64_t at = 0; at < found->second.size_bytes; at += kPieceBytes) {
    const auto count = std::min<std::uint64_t>(kPieceBytes, found->second.size_bytes - at);
    const auto part = std::span(piece).first(static_cast<std::size_t>(count));
    source_.read(found->second.offset + at, part);
    take(part);
  }
}

std::vector<std::byte> Bundle::read(const std::string& path) const {
  std::vector<std::byte> contents;
  read(path, [&](std::span<const std::byte> part) {
    contents.insert(contents.end(), part.begin(), part.end());
  });
  return contents;
}

void Bundle::verify() const {
  for (const BundleFile& file : manifest_.files) {
    Sha256Stream hash;
    read(file.path, [&](std::span<const std::byte> part) { hash.add(part); });
    if (hash.hex() != file.sha256) damaged(source_, "the contents of '" + file.path + "' changed");
  }
}

std::string signer_of(std::span<const std::byte> manifest, std::span<const std::byte> signature,
                      const Trust& trust) {
  for (const auto& [name, key] : trust.keys)
    if (is_signed_by(manifest, signature, key)) return name;
  if (trust.allow_unsigned) return {};
  throw Error(ADZE_PERMISSION_DENIED,
              signature.empty()
                  ? "the bundle is not signed; sign it with `adze bundle sign` and a key that is "
                    "trusted here, or allow unsigned bundles (lab mode)"
              : trust.keys.empty()
                  ? "the bundle is signed, but no key is trusted here; put the *.pub file of the "
                    "signer among the trusted keys"
                  : "the bundle is signed by a key that is not trusted here, or was changed after "
                    "it was signed; put the *.pub file of the signer among the trusted keys, or "
                    "sign it again");
}

}  // namespace adze::hil
