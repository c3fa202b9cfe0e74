// ONNX Runtime's C API as far as it is used here, from its public documentation: a table of
// functions to which each release only appends, so that a place in it keeps its meaning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace adze::ort {

/// Places in the table of functions. `->`: what the function hands out; it is released by the
/// function of the same name below.
enum class Slot : std::size_t {
  get_error_code = 1,             // (status): a number of ErrorCode
  get_error_message = 2,          // (status): text, as long as the status lives
  create_env = 3,                 // (log level, log id) -> env
  create_session = 7,             // (env, path, options) -> session
  create_session_from_array = 8,  // (env, bytes, size, options) -> session
  run = 9,                        // (session, run options, names, values, count, names, count, out)
  create_session_options = 10,    // () -> options
  set_graph_optimization_level = 23,  // (options, level)
  set_intra_op_threads = 24,          // (options, count)
  set_inter_op_threads = 25,          // (options, count)
  input_count = 30,                   // (session, out)
  output_count = 31,                  // (session, out)
  input_type = 33,                    // (session, index) -> type
  input_name = 36,                    // (session, index, allocator, out): freed with the allocator
  output_name = 37,                   // as input_name
  create_tensor = 49,                 // (memory, data, size, shape, rank, element type) -> value
  is_tensor = 50,                     // (value, out)
  get_data = 51,                      // (value, out): as long as the value lives
  cast_to_tensor_info = 55,           // (type, out): part of the type; null: no tensor
  element_type = 60,                  // (tensor info, out)
  dimension_count = 61,               // (tensor info, out)
  dimensions = 62,                    // (tensor info, out, count); -1: open
  get_tensor_info = 65,               // (value) -> tensor info
  create_cpu_memory = 69,             // (allocator type, memory type) -> memory
  free_with_allocator = 76,           // (allocator, pointer)
  default_allocator = 78,             // (out): never released
  release_env = 92,
  release_status = 93,
  release_memory = 94,
  release_session = 95,
  release_value = 96,
  release_type = 98,
  release_tensor_info = 99,
  release_session_options = 100,
  add_session_config_entry = 130,  // (options, key, value)
};

/// The functions of one library, which stays loaded: it keeps threads of its own.
class Api {
 public:
  /// A path, or a name that the loader finds. Errors: NOT_FOUND, INVALID_ARGUMENT (no library, not
  /// ONNX Runtime), FAILED_PRECONDITION (too old).
  explicit Api(const std::string& library);

  const std::string& version() const { return version_; }  ///< "1.30.0"

  /// Errors: with ONNX Runtime's own text.
  template <class... Arguments>
  void call(Slot slot, Arguments... arguments) const {
    using Function = void* (*)(Arguments...);
    if (void* status = reinterpret_cast<Function>(at(slot))(arguments...)) fail(status);
  }
  /// Nothing happens to NULL.
  void release(Slot slot, void* object) const;

 private:
  void* at(Slot slot) const { return table_[static_cast<std::size_t>(slot)]; }
  [[noreturn]] void fail(void* status) const;

  void* const* table_ = nullptr;
  std::string version_;
};

/// An object of the library and how it is released.
class Owned {
 public:
  Owned(const Api& api, Slot release) : api_(&api), release_(release) {}
  ~Owned() { api_->release(release_, object_); }
  Owned(Owned&& other) noexcept
      : api_(other.api_), release_(other.release_), object_(other.object_) {
    other.object_ = nullptr;
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  void* get() const { return object_; }
  void** out() { return &object_; }

 private:
  const Api* api_;
  Slot release_;
  void* object_ = nullptr;
};

}  // namespace adze::ort
