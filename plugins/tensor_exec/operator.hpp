// The interface every operator implements: it looks at one node and says in which form it wants its
// values and what computes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/tensor_exec/arithmetic.hpp"
#include "plugins/tensor_exec/program.hpp"
#include "plugins/tensor_exec/threads.hpp"

namespace adze::exec {

/// f32: floats, whatever the model says; u8: see Quant8; native: elements of the value's own type,
/// exactly as the model has them. For float32 values f32 and native are the same, and called f32.
enum class Storage : std::uint8_t { f32, u8, native };
/// channels_last: batch, spatial axes, channels. Values whose two orders are the same bytes are
/// always plain.
enum class Layout : std::uint8_t { plain, channels_last };

/// How the elements of a value lie in memory.
struct Form {
  Storage storage = Storage::f32;
  Layout layout = Layout::plain;
  auto operator<=>(const Form&) const = default;
};

/// Which implementation computes integer convolutions; all give the same bits.
enum class Path : std::uint8_t { automatic, fast, plain };

struct Options {
  Path path = Path::automatic;
  int threads = 1;
  std::uint64_t memory_limit_bytes = 0;  ///< 0: what this machine has
};

/// What computes one step. Immutable: several threads run it at once, on different buffers.
class Kernel {
 public:
  struct Run {
    const std::byte* const* inputs;
    std::byte* const* outputs;
    std::byte* scratch;
    int threads;  ///< that this run may use
  };
  Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  virtual ~Kernel() = default;
  virtual void run(const Run& run) const = 0;
};

/// What an operator made of a node. Values it took in while planning (weights, shapes) are not
/// listed as inputs.
struct Planned {
  struct Operand {
    std::uint32_t value;
    Form form;
  };
  std::vector<Operand> inputs, outputs;
  std::size_t scratch_bytes = 0;
  std::unique_ptr<Kernel> kernel;
};

/// Limits put on a node's result by a Relu or Clip that runs with it.
struct Clamp {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  bool any() const;
};

class Chain;

/// One node as its operator sees it.
class Site {
 public:
  Site(const Program& whole, std::uint32_t node_index, std::int64_t samples, const Options& how);

  const Program& program;
  const Node& node;
  const std::int64_t batch;  ///< samples computed at once
  const Options& options;
  Clamp clamp;  ///< to apply to the result
  /// A value of the result's shape, to add to it before the clamp; ADZE_NONE: none.
  std::uint32_t addend = ADZE_NONE;
  /// To apply to the result, and the rounding of what the layer itself computes; or none.
  std::shared_ptr<const Chain> chain;
  std::uint32_t output;  ///< where the result goes: that of the last fused node, if any
  /// The layout in which the planner has a value already, for operators that take either; set by
  /// the planner.
  std::vector<Layout> existing_layouts;

  bool has_input(std::size_t index) const;
  std::uint32_t input(std::size_t index) const;  ///< Errors: refuses when it is missing
  const Value& value(std::uint32_t index) const { return program.values[index]; }
  Shape shape(std::uint32_t value) const;  ///< of `batch` samples
  Shape output_shape() const { return shape(output); }
  DType type(std::uint32_t value) const { return program.values[value].element_type(); }
  /// Elements of the value's own type, row-major.
  Form own_form(std::uint32_t value) const;
  /// Set when the value is held as u8.
  std::optional<Quant8> quant8(std::uint32_t value) const;
  Layout existing_layout(std::uint32_t value) const;
  /// The form in which a value costs least: u8 when quantized so, in the layout given.
  Form natural_form(std::uint32_t value, Layout layout) const;
  /// For operators that move elements and keep their bits: u8 where input and output are quantized
  /// alike, else the value's own type.
  Storage moved_storage(std::uint32_t from, std::uint32_t to) const;
  std::size_t element_bytes(std::uint32_t value, Storage storage) const;
  /// Errors: malformed() when the two have different element types.
  void expect_same_type(std::uint32_t from, std::uint32_t to) const;
  /// `layout`, or plain when the value has only one order.
  Layout normal_layout(std::uint32_t value, Layout layout) const;
  /// An error that names the node and its operator.
  [[noreturn]] void refuse(const std::string& why) const;
  [[noreturn]] void malformed(const std::string& why) const;
  /// Errors: malformed() when the graph says another shape for the result.
  void expect_output_shape(const Shape& expected) const;
  void expect_shape(std::uint32_t value, const Shape& expected) const;
  /// `axis` as ONNX counts it, within `rank`. Errors: malformed().
  std::size_t axis(std::int64_t axis, std::size_t rank) const;
  /// For operators that mix elements along this axis of `value`. Errors: refuse() when these belong
  /// to several samples.
  void keep_samples_apart(std::uint32_t value, std::size_t axis) const;
};

/// What a node computes of elements that lie at the same place: dst[i] = f(a[i], b[i]). Functions
/// of one element do not look at b. `dst` may be `a` or `b`.
using RowFunction =
    std::function<void(const float* a, const float* b, float* dst, std::int64_t count)>;

/// One row of the operator table.
struct Operator {
  std::string_view op;
  /// Errors: Site::refuse() for what this operator cannot do, Site::malformed() for what no
  /// operator could. Looks at no constant that may be omitted.
  void (*check)(const Site& site);
  Planned (*plan)(const Site& site);
  bool takes_clamp = false;  ///< a Relu or Clip behind it can run with it
  /// It looks at the element types of its values itself; without, all must be floats.
  bool any_type = false;
  /// Whether an Add of a value of the result's shape behind it can, too. nullptr: never.
  bool (*takes_addend)(const Program& program, const Node& node) = nullptr;
  /// Of operators on float elements: the first input, or the first two, and numbers besides. Such
  /// nodes run together, see Group::chain. nullptr: this is none.
  RowFunction (*row)(const Site& site) = nullptr;
  /// Whether a chain on the result can run with it, when that is quantized or not. nullptr: never.
  bool (*takes_chain)(const Program& program, const Node& node, bool quantized) = nullptr;
};

/// nullptr when there is none.
const Operator* find_operator(std::string_view op);
/// The operator of a node that can be executed. Errors: as Operator::check().
const Operator& check_node(const Site& site);

/// How a value with `quantization` is held: nullopt when not as u8.
std::optional<Quant8> quant8_of(const Value& value);

/// The limits of a Relu or Clip node; nullopt for any other, or when the limits are computed.
std::optional<Clamp> clamp_of(const Program& program, const Node& node);

// Shapes in memory order.
Shape strides_of(const Shape& shape);  ///< row-major, in elements
/// The axes of `rank` in the order they lie in memory.
std::vector<std::size_t> axis_order(std::size_t rank, Layout layout);
Shape in_memory_order(const Shape& shape, Layout layout);
/// In elements, by ONNX axis.
Shape memory_strides(const Shape& shape, Layout layout);
bool layouts_coincide(const Shape& shape);

}  // namespace adze::exec
