// Package:       store
// Units:         none
// Errors:        none
// Thread safety: pure functions.
// Ownership:     none.
//
// What a change says of itself in the audit, and whether it is the catalogue's: the same for every
// store. Never a secret, never who was erased.
#pragma once

#include <string>

#include "store/store.h"

namespace aimeter::store {

template <class... F>
struct Overloaded : F... {  // for std::visit: one function for each body
  using F::operator()...;
};

struct Said {
  std::string action = {}, tenant = {}, details = {};
};
[[nodiscard]] Said said_of(const ChangeBody& body);
// It raises the catalogue's version; maintenance leaves it.
[[nodiscard]] bool is_catalogue(const ChangeBody& body);

}  // namespace aimeter::store
