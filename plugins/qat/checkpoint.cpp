#include "plugins/qat/checkpoint.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <adze/adze.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace qat {
namespace {

constexpr char kMagic[8] = {'a', 'd', 'z', 'e', 'q', 'a', 't', '1'};

[[noreturn]] void unavailable(const std::string& file, const char* what) {
  throw adze::Error(ADZE_UNAVAILABLE, std::string("cannot ") + what + " checkpoint '" + file +
                                          "': " + std::strerror(errno));
}

[[noreturn]] void damaged(const std::string& file) {
  throw adze::Error(ADZE_DATA_LOSS,
                    "checkpoint '" + file +
                        "' is damaged or no checkpoint: delete it to start anew, or "
                        "name another file");
}

std::uint32_t checksum(const std::string& bytes, std::size_t count) {
  uLong sum = crc32(0, nullptr, 0);
  sum = crc32_z(sum, reinterpret_cast<const Bytef*>(bytes.data()), count);
  return static_cast<std::uint32_t>(sum);
}

class Out {
 public:
  template <class T>
  void number(T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  template <class Map, class Value>
  void map(const Map& entries, Value&& value) {
    number<std::uint64_t>(entries.size());
    for (const auto& [name, entry] : entries) {
      number<std::uint64_t>(name.size());
      bytes.append(name);
      value(entry);
    }
  }
  std::string bytes;
};

class In {
 public:
  In(const std::string& bytes, std::size_t end, const std::string& file)
      : bytes_(bytes), end_(end), file_(file) {}
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }
  template <class Map, class Value>
  void map(Map& entries, Value&& value) {
    for (auto left = number<std::uint64_t>(); left > 0; --left) {
      const auto size = number<std::uint64_t>();
      const std::string name(take(size), size);
      entries[name] = value();
    }
  }
  std::vector<float> array() {
    const auto count = number<std::uint64_t>();
    if (count > end_ / sizeof(float)) damaged(file_);
    std::vector<float> made(count);
    if (count) std::memcpy(made.data(), take(count * sizeof(float)), count * sizeof(float));
    return made;
  }

 private:
  const char* take(std::uint64_t size) {
    if (size > end_ - at_) damaged(file_);
    const char* found = bytes_.data() + at_;
    at_ += size;
    return found;
  }
  const std::string& bytes_;
  std::size_t end_, at_ = sizeof kMagic;
  const std::string& file_;
};

void write_synced(const std::string& bytes, const std::string& file) {
  const int to = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (to < 0) unavailable(file, "write");
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t written = ::write(to, bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int why = errno;
      ::close(to);
      ::unlink(file.c_str());
      errno = why;
      unavailable(file, "write");
    }
    at += static_cast<std::size_t>(written);
  }
  const bool synced = ::fsync(to) == 0;
  if (::close(to) != 0 || !synced) unavailable(file, "write");
}

}  // namespace

void Fingerprint::add(const void* data, std::size_t bytes) {
  const auto* at = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < bytes; ++i) hash_ = (hash_ ^ at[i]) * 0x100000001b3u;
}

void save(const Checkpoint& checkpoint, const std::string& file) {
  Out out;
  out.bytes.assign(kMagic, sizeof kMagic);
  out.number(checkpoint.training);
  out.map(checkpoint.counters, [&](std::uint64_t value) { out.number(value); });
  out.map(checkpoint.numbers, [&](double value) { out.number(value); });
  out.map(checkpoint.arrays, [&](const std::vector<float>& array) {
    out.number<std::uint64_t>(array.size());
    out.bytes.append(reinterpret_cast<const char*>(array.data()), array.size() * sizeof(float));
  });
  out.number(checksum(out.bytes, out.bytes.size()));
  const std::string temporary = file + ".new";
  write_synced(out.bytes, temporary);
  if (std::rename(temporary.c_str(), file.c_str()) != 0) unavailable(file, "write");
}

std::optional<Checkpoint> load(const std::string& file) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> from(std::fopen(file.c_str(), "rbe"),
                                                             std::fclose);
  if (!from && errno == ENOENT) return std::nullopt;
  if (!from) unavailable(file, "read");
  std::string bytes;
  char piece[1 << 16];
  while (const std::size_t got = std::fread(piece, 1, sizeof piece, from.get()))
    bytes.append(piece, got);
  if (std::ferror(from.get())) unavailable(file, "read");
  if (bytes.size() < sizeof kMagic + sizeof(std::uint32_t) ||
      bytes.compare(0, sizeof kMagic, kMagic, sizeof kMagic) != 0)
    damaged(file);
  const std::size_t end = bytes.size() - sizeof(std::uint32_t);
  std::uint32_t sum;
  std::memcpy(&sum, bytes.data() + end, sizeof sum);
  if (sum != checksum(bytes, end)) damaged(file);
  In in(bytes, end, file);
  Checkpoint found;
  found.training = in.number<std::uint64_t>();
  in.map(found.counters, [&] { return in.number<std::uint64_t>(); });
  in.map(found.numbers, [&] { return in.number<double>(); });
  in.map(found.arrays, [&] { return in.array(); });
  return found;
}

}  // namespace qat
