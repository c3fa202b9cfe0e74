// One model in ONNX Runtime: what goes in and comes out, of any element type both sides know.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "plugins/onnxruntime/api.hpp"

namespace adze::ort {

using Shape = std::vector<std::int64_t>;

/// DLPack's pair for an element type of ONNX; nothing is said of text and of complex numbers.
struct ElementType {
  std::int32_t onnx;
  std::uint8_t code, bits;
};
/// nullptr: has no counterpart.
const ElementType* element_type_of_onnx(std::int32_t onnx);
const ElementType* element_type_of(std::uint8_t code, std::uint8_t bits);

enum class Optimization : int { none = 0, basic = 1, extended = 2, all = 99 };

struct SessionOptions {
  int threads = 1;
  Optimization optimization = Optimization::all;
};

struct Input {
  std::string name;
  std::int32_t onnx_type = 0;  ///< 0: no tensor
  Shape shape;                 ///< -1: open
};

/// Elements that someone else holds, row-major and without gaps.
struct TensorView {
  const void* data;
  std::size_t size_bytes;
  std::int32_t onnx_type;
  std::span<const std::int64_t> shape;
};

/// A result, as long as the object lives.
class Result {
 public:
  /// Errors: UNIMPLEMENTED for what is no tensor, naming the output.
  Result(const Api& api, Owned value, const std::string& name);
  const Shape& shape() const { return shape_; }
  std::int32_t onnx_type() const { return onnx_type_; }
  const void* data() const { return data_; }

 private:
  Owned value_;
  Shape shape_;
  std::int32_t onnx_type_ = 0;
  const void* data_ = nullptr;
};

class Session {
 public:
  /// The bytes are not needed afterwards. Errors: as Api::call.
  Session(Api api, std::span<const std::uint8_t> model, const SessionOptions& options);
  Session(Api api, const std::filesystem::path& model, const SessionOptions& options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Api& api() const { return api_; }
  const std::vector<Input>& inputs() const { return inputs_; }
  const std::vector<std::string>& outputs() const { return outputs_; }

  /// `inputs` in the order of inputs(); results in that of outputs(). Errors: as Api::call.
  std::vector<Result> run(std::span<const TensorView> inputs) const;

 private:
  Owned prepared(const SessionOptions& options);
  void describe();

  const Api api_;
  Owned env_, session_, memory_;
  std::vector<Input> inputs_;
  std::vector<std::string> outputs_;
};

}  // namespace adze::ort
