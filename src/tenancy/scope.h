// Package:       tenancy
// Units:         none
// Errors:        none here: a bad id is carried on, for resolve() to refuse.
// Thread safety: ambient() speaks of the calling thread.
// Ownership:     values.
//
// What TenantScope left on this thread. A Meter takes it when it is made.
#pragma once

#include <string>

#include "aimeter/tenant.h"

namespace aimeter::tenancy {

struct Ambient {
  enum class State { none, central, tenant, bad };
  State state = State::none;
  std::string text = {};  // of tenant and bad
  friend bool operator==(const Ambient&, const Ambient&) = default;
};

[[nodiscard]] Ambient ambient();

}  // namespace aimeter::tenancy
