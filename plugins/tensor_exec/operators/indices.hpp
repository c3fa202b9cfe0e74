// Indices that a model computes: read and checked while it runs.
#pragma once

#include <string>

#include "plugins/tensor_exec/operator.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {

class Indices {
 public:
  /// Input `index` of the node, of int32 or int64. Errors: malformed().
  Indices(const Site& site, std::size_t index)
      : wide_(site.type(site.input(index)) == DType::i64),
        count_(element_count(site.shape(site.input(index)))),
        node_("node '" + site.node.name + "' (" + site.node.op + ")") {
    if (!wide_ && site.type(site.input(index)) != DType::i32)
      site.malformed("its indices are " + std::string(name_of(site.type(site.input(index)))));
  }

  std::int64_t count() const { return count_; }

  /// Element `at`, from the end when negative. Errors: INVALID_ARGUMENT naming the node when it is
  /// not below `size`.
  std::int64_t get(const std::byte* elements, std::int64_t at, std::int64_t size) const {
    const std::int64_t given = wide_ ? reinterpret_cast<const std::int64_t*>(elements)[at]
                                     : reinterpret_cast<const std::int32_t*>(elements)[at];
    if (given < -size || given >= size)
      throw Error(ADZE_INVALID_ARGUMENT, node_ + ": index " + std::to_string(given) +
                                             " is out of range for an axis of " +
                                             std::to_string(size));
    return given < 0 ? given + size : given;
  }

 private:
  bool wide_;
  std::int64_t count_;
  std::string node_;
};

}  // namespace adze::exec
