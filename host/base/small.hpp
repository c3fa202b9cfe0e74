// Small words of C++ that the standard library lacks.
#pragma once

#include <vector>

namespace adze::host {

/// `std::visit(Match{[](int) {...}, [](double) {...}}, variant)`.
template <class... Cases>
struct Match : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Match(Cases...) -> Match<Cases...>;

/// What a C array of no elements is.
template <class T>
const T* data_or_null(const std::vector<T>& elements) {
  return elements.empty() ? nullptr : elements.data();
}

}  // namespace adze::host
