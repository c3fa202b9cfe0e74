#include "plugins/reconstruct/user_mask.hpp"

#include <adze/adze.hpp>
#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

namespace reconstruct {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why) {
  throw adze::Error(ADZE_INVALID_ARGUMENT, "mask '" + file.string() + "' " + why);
}

std::string sizes_of(std::span<const std::int64_t> shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : "x") + std::to_string(size);
  return text;
}

/// What follows 'key': in the header of an .npy file, a Python dictionary.
std::string after_key(const std::string& header, const std::string& key) {
  const std::size_t found = header.find("'" + key + "':");
  return found == std::string::npos ? "" : header.substr(found + key.size() + 3);
}

std::vector<std::int64_t> shape_of(const std::string& header) {
  const std::string text = after_key(header, "shape");
  std::vector<std::int64_t> shape;
  const std::size_t open = text.find('('), close = text.find(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return {-1};
  std::string sizes = text.substr(open + 1, close - open - 1);
  std::replace(sizes.begin(), sizes.end(), ',', ' ');
  std::istringstream numbers(sizes);
  for (std::int64_t size; numbers >> size;) shape.push_back(size);
  return shape;
}

}  // namespace

std::optional<std::vector<std::uint8_t>> read_user_mask(const std::filesystem::path& folder,
                                                        std::string node,
                                                        std::span<const std::int64_t> shape) {
  std::replace(node.begin(), node.end(), '/', '_');
  const std::filesystem::path file = folder / (node + ".npy");
  if (!std::filesystem::exists(file)) return std::nullopt;
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  constexpr std::size_t kMagic = 8;  // "\x93NUMPY", then two bytes of version
  if (bytes.size() < kMagic + 4 || bytes.compare(0, 6, "\x93NUMPY") != 0)
    refuse(file, "is no .npy file; write it with numpy.save()");
  const bool is_first_version = bytes[6] == 1;
  const auto byte = [&](std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at]));
  };
  const std::size_t begin = kMagic + (is_first_version ? 2 : 4);
  std::size_t length = byte(kMagic) | byte(kMagic + 1) << 8;
  if (!is_first_version) length |= byte(kMagic + 2) << 16 | byte(kMagic + 3) << 24;
  if (begin + length > bytes.size()) refuse(file, "ends in its header");
  const std::string header = bytes.substr(begin, length);
  const std::string type = after_key(header, "descr");
  constexpr const char* kTypes[] = {"|b1", "|u1", "|i1"};
  if (std::none_of(std::begin(kTypes), std::end(kTypes), [&](const char* known) {
        return type.substr(0, 8).find(known) != std::string::npos;
      }))
    refuse(file, "holds another type than bool, int8 or uint8; save mask.astype('uint8')");
  if (after_key(header, "fortran_order").substr(0, 8).find("True") != std::string::npos)
    refuse(file, "is in Fortran order; save numpy.ascontiguousarray(mask)");
  const std::vector<std::int64_t> found = shape_of(header);
  if (!std::equal(found.begin(), found.end(), shape.begin(), shape.end()))
    refuse(file, "is of shape " + sizes_of(found) + ", the weight of node '" + node + "' of " +
                     sizes_of(shape));
  std::size_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  if (bytes.size() - begin - length != count) refuse(file, "has another size than its header says");
  std::vector<std::uint8_t> mask(count);
  for (std::size_t i = 0; i < count; ++i) mask[i] = bytes[begin + length + i] != 0;
  return mask;
}

}  // namespace reconstruct
