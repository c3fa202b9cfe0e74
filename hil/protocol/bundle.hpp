// The .adze file: an uncompressed ustar archive of manifest, signature and files, entries sorted,
// modification times 0. There is one way to write a given content, and the reader takes no other.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hil/protocol/manifest.hpp"
#include "hil/protocol/signature.hpp"

namespace adze::hil {

using FileMap = std::map<std::string, std::vector<std::byte>>;  ///< path in the bundle to contents

/// The bytes of a bundle. `manifest.files` is filled in from `files`. The same input gives the same
/// bytes. Errors: INVALID_ARGUMENT for paths that cannot be in a bundle.
std::vector<std::byte> make_bundle(Manifest manifest, const FileMap& files,
                                   const SecretKey* key = nullptr);

class Bundle;
/// The same bundle, signed with `key` whether it was signed before or not. Errors: those of
/// Bundle::verify(): what is damaged is not signed.
std::vector<std::byte> sign_bundle(const Bundle& bundle, const SecretKey& key);

/// Bytes that can be read at any place: memory, or a file too large for it.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;
  /// Fills all of `into`. Errors: DATA_LOSS.
  virtual void read(std::uint64_t offset, std::span<std::byte> into) const = 0;
  /// What messages call it.
  virtual std::string name() const { return "the bundle"; }
};
/// `bytes` must outlive it.
std::unique_ptr<ByteSource> memory_source(std::span<const std::byte> bytes);
/// Errors: NOT_FOUND, PERMISSION_DENIED.
std::unique_ptr<ByteSource> file_source(const std::filesystem::path& path);

/// Who must have signed.
struct Trust {
  std::map<std::string, PublicKey> keys;  ///< by name
  bool allow_unsigned = false;            ///< lab mode
};
/// The name of the key that signed; empty for what is not signed, or signed by a key that is not
/// trusted, in lab mode. Errors: PERMISSION_DENIED.
std::string signer_of(std::span<const std::byte> manifest, std::span<const std::byte> signature,
                      const Trust& trust);

/// An archive whose structure and manifest hold together: each listed file is there once, with the
/// listed size, and nothing else is. Contents are checked by verify() or by whoever reads them.
class Bundle {
 public:
  /// `source` must outlive it. Errors: DATA_LOSS (truncated, damaged, links, other entry types,
  /// bad or double names, lying sizes, trailing data), UNIMPLEMENTED (newer format).
  explicit Bundle(const ByteSource& source);

  const Manifest& manifest() const { return manifest_; }
  const std::string& id() const { return id_; }  ///< SHA-256 of the manifest
  std::span<const std::byte> manifest_bytes() const { return manifest_bytes_; }
  std::span<const std::byte> signature() const { return signature_; }  ///< empty: unsigned

  /// Hands the contents of one file over in pieces.
  void read(const std::string& path,
            const std::function<void(std::span<const std::byte>)>& take) const;
  std::vector<std::byte> read(const std::string& path) const;
  /// Hashes every file. Errors: DATA_LOSS naming the damaged one.
  void verify() const;
  /// See signer_of().
  std::string signed_by(const Trust& trust) const {
    return signer_of(manifest_bytes_, signature_, trust);
  }

 private:
  struct Entry {
    std::uint64_t offset, size_bytes;
  };
  void read_entries();
  const ByteSource& source_;
  std::map<std::string, Entry> entries_;
  std::vector<std::byte> manifest_bytes_, signature_;
  Manifest manifest_;
  std::string id_;
};

}  // namespace adze::hil
