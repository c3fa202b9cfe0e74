// Which channels of a group can leave at the least cost to the layers that read them.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <functional>
#include <vector>

#include "plugins/pruning/refit.hpp"

namespace channel {

using pruning::MaskMatrix;
using pruning::RowMatrix;

/// A layer that reads channels of a group.
struct Reader {
  /// The mean of [x; 1] [x; 1]^T over its inputs x; 0x0 when it is not known.
  Eigen::MatrixXd gram;
  Eigen::VectorXd power;  ///< the mean of x^2, where `gram` is not known
  RowMatrix weight;       ///< a row an output; the last column is the bias
  MaskMatrix keep;        ///< weights without the bias: 0 was pruned before; 0x0: none was
  bool refits = true;     ///< its weights may take over what the leaving channels did
  bool moves_bias = true;
  std::vector<std::vector<Eigen::Index>> columns;  ///< by channel
  /// By channel: outputs of the layer that leave with it, whose error counts no more; or empty.
  std::vector<std::vector<Eigen::Index>> rows;
};

struct Removal {
  std::vector<std::uint32_t> order;  ///< channels as they leave; those that never do are missing
  /// By number of channels that left: the readers' error in relation to the variance of what they
  /// answer, summed over them. Falls only where one is not refitted and two errors cancel.
  std::vector<double> error;
  /// By level, then reader: what refitted weights are after that many channels left. Empty for a
  /// reader that is not refitted.
  std::vector<std::vector<Eigen::MatrixXf>> weights;
};

/// Lets channels leave one by one, each time the one whose leaving costs least once the readers'
/// other weights have taken over what they can (the optimal brain surgeon on blocks of columns), so
/// that channels which can stand in for each other are told from those that nothing replaces.
/// `levels`: ascending numbers of channels to leave; the last is how many do. `damping`: pull
/// towards the weights as they are, as a share of the inputs' mean power.
/// `progress` is called with the share that is done. Errors: adze::Error FAILED_PRECONDITION when
/// the Gram matrix of a reader cannot be inverted (only with damping 0).
Removal choose_removal(std::vector<Reader> readers, std::uint32_t channels,
                       const std::vector<std::uint32_t>& levels, double damping,
                       const std::function<void(double)>& progress);

/// The same by the norm of the columns alone, as a yardstick and where no samples are given.
Removal choose_by_norm(const std::vector<Reader>& readers, std::uint32_t channels,
                       const std::vector<std::uint32_t>& levels);

}  // namespace channel
