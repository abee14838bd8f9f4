// Package:       meter
// Units:         Tokens, Money, Percent with two decimals.
// Errors:        those of the tenant resolver; a refusal is an Admission, not an error.
// Thread safety: any thread.
// Ownership:     shares the engine.
//
// The middleware: admit() before a handler, headers() after it. Asks about the tenant, else the
// user; nobody passes without headers. Looks and holds nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aimeter/call.h"

namespace aimeter {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Admission {
  bool admitted = true;
  int status = 200;                          // 429 when refused
  std::string content_type = {}, body = {};  // to send when refused
  Headers headers = {};                      // to send when refused
  std::optional<TenantId> tenant = {};       // whom it is about
  std::optional<Billable> billable = {};
};

class QuotaGuard {
 public:
  explicit QuotaGuard(std::shared_ptr<MeterCore> core) : core_(std::move(core)) {}
  template <class E>  // an Engine
    requires requires(const E& engine) {
      { engine.core() } -> std::convertible_to<std::shared_ptr<MeterCore>>;
    }
  explicit QuotaGuard(const E& engine) : core_(engine.core()) {}

  [[nodiscard]] Result<Admission> admit(const Context& context) const;
  template <HasContext R>
  [[nodiscard]] Result<Admission> admit(const R& request) const {
    return admit(context_of(request));
  }
  // X-Remaining-Tokens, X-Remaining-Cost, X-Usage-Percentage as they are now; nobody: none.
  [[nodiscard]] Headers headers(const Admission& admission) const;

 private:
  std::shared_ptr<MeterCore> core_;
};

[[nodiscard]] Headers quota_headers(const LimitCheck& check);

}  // namespace aimeter
