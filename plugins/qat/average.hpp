// The running mean of what is trained. Steps jump around a minimum; their mean is closer to it.
#pragma once

#include <span>
#include <vector>

#include "plugins/qat/network.hpp"

namespace qat {

class Average {
 public:
  /// Of each step's state, `decay` of the mean before stays; 0: there is no mean.
  explicit Average(double decay) : decay_(decay) {}

  /// Of constants and learned scales; the first state is taken as it is.
  void add(std::span<const Parameter> parameters);
  bool empty() const { return means_.empty(); }
  /// Exchanges the parameters' elements with the mean; twice is as before.
  void exchange(std::span<Parameter> parameters);

  std::vector<std::vector<float>>& means() { return means_; }  ///< by parameter; for checkpoints

 private:
  double decay_;
  std::vector<std::vector<float>> means_;
};

}  // namespace qat
