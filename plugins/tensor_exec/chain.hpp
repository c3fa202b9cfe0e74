// Functions of one element that follow each other, as one function: what lies between them stays in
// the first-level cache. Of integers it is a table.
#pragma once

#include <span>

#include "plugins/tensor_exec/operator.hpp"
#include "plugins/tensor_exec/operators/lookup.hpp"

namespace adze::exec {

/// Gives the bits of its nodes run one after the other.
class Chain {
 public:
  /// `sites`: of a Group's nodes, see Group::chain.
  explicit Chain(std::span<const Site> sites);

  std::uint32_t source() const { return source_; }  ///< value
  std::uint32_t result() const { return result_; }  ///< value
  /// Results in floats, not quantized. `dst` may be `src`.
  void apply(const float* src, float* dst, std::int64_t count) const;
  Table table(const Quant8& from, const Quant8& to) const;

 private:
  /// Where an operand is: the source, the result of a link, or a number that is repeated.
  struct Operand {
    enum class Kind : std::uint8_t { source, link, number } kind = Kind::source;
    std::size_t index = 0;  ///< of the link or number
  };
  struct Link {
    RowFunction function;
    Operand a, b;
    std::optional<Quant8> quant;  ///< the result is rounded to
  };

  Operand operand(const Site& site, std::size_t input, std::span<const Site> sites);

  std::uint32_t source_ = ADZE_NONE, result_ = ADZE_NONE;
  Rounding rounding_;
  std::vector<Link> links_;
  std::vector<std::vector<float>> numbers_;
};

Planned plan_chain(std::span<const Site> sites);

}  // namespace adze::exec
