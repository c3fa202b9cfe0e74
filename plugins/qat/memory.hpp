// Memory of tensors that is used again. No header of LibTorch is needed to use it.
#pragma once

namespace qat {

/// While one lives, what LibTorch's tensors give back is kept for the next of the same size: each
/// step asks for what the one before it had, and pages that come fresh from the system cost about
/// as much as the arithmetic on them. All of it is given back in the end.
class KeptMemory {
 public:
  KeptMemory();
  ~KeptMemory();
  KeptMemory(const KeptMemory&) = delete;
  KeptMemory& operator=(const KeptMemory&) = delete;
};

}  // namespace qat
