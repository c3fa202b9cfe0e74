#include "plugins/onnxruntime/api.hpp"

#include <dlfcn.h>

#include <adze/adze.hpp>
#include <charconv>
#include <filesystem>

namespace adze::ort {
namespace {

/// The first release whose table and whose quantized kernels are known to serve here.
constexpr int kMajor = 1, kOldestMinor = 11;

struct ApiBase {
  const void* (*get_api)(std::uint32_t version);
  const char* (*version)();
};

enum ErrorCode {
  kInvalidArgument = 2,
  kInvalidProtobuf = 7,
  kNotImplemented = 9,
  kInvalidGraph = 10
};

adze_status status_of(int code) {
  switch (code) {
    case kInvalidArgument:
    case kInvalidProtobuf:
    case kInvalidGraph:
      return ADZE_INVALID_ARGUMENT;
    case kNotImplemented:
      return ADZE_UNIMPLEMENTED;
    default:
      return ADZE_FAILED_PRECONDITION;
  }
}

/// "1.30.0" -> 30; -1 for another major version and for what is no version.
int minor_version(std::string_view version) {
  int major = 0, minor = 0;
  const char* end = version.data() + version.size();
  const auto first = std::from_chars(version.data(), end, major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return -1;
  const auto second = std::from_chars(first.ptr + 1, end, minor);
  return second.ec == std::errc() && major == kMajor ? minor : -1;
}

constexpr const char* kAdvice =
    "; name libonnxruntime.so.1 of ONNX Runtime 1.11 or later in the parameter 'library' or in "
    "ADZE_ONNXRUNTIME";

}  // namespace

Api::Api(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char* why = dlerror();
    std::error_code ignored;
    const bool missing =
        library.find('/') != std::string::npos && !std::filesystem::exists(library, ignored);
    throw Error(missing ? ADZE_NOT_FOUND : ADZE_INVALID_ARGUMENT,
                "cannot load '" + library +
                    "' as ONNX Runtime: " + (why ? why : "no reason given") + kAdvice);
  }
  using GetBase = const ApiBase* (*)();
  const auto get_base = reinterpret_cast<GetBase>(dlsym(handle, "OrtGetApiBase"));
  const ApiBase* base = get_base ? get_base() : nullptr;
  if (!base) {
    // Nothing of it was used, and whatever it is should not stay.
    if (!get_base) dlclose(handle);
    throw Error(ADZE_INVALID_ARGUMENT, "'" + library +
                                           "' is a library, but not ONNX Runtime: it has no "
                                           "function OrtGetApiBase" +
                                           kAdvice);
  }
  version_ = base->version ? base->version() : "";
  const int minor = minor_version(version_);
  if (minor >= kOldestMinor)
    table_ = static_cast<void* const*>(base->get_api(static_cast<std::uint32_t>(kOldestMinor)));
  if (!table_)
    throw Error(ADZE_FAILED_PRECONDITION,
                "'" + library + "' is ONNX Runtime " + (version_.empty() ? "?" : version_) +
                    (minor >= kOldestMinor ? ", which no longer offers the functions of 1.11"
                     : minor >= 0          ? ", which is too old"
                                           : ", which is another major version") +
                    kAdvice);
}

void Api::release(Slot slot, void* object) const {
  using Function = void (*)(void*);
  if (object) reinterpret_cast<Function>(at(slot))(object);
}

void Api::fail(void* status) const {
  using Code = int (*)(const void*);
  using Message = const char* (*)(const void*);
  const int code = reinterpret_cast<Code>(at(Slot::get_error_code))(status);
  const std::string text = reinterpret_cast<Message>(at(Slot::get_error_message))(status);
  release(Slot::release_status, status);
  throw Error(status_of(code), "ONNX Runtime " + version_ + ": " + text);
}

}  // namespace adze::ort
