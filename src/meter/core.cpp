#include "meter/core.h"

#include <algorithm>

namespace aimeter::meter {
namespace {

constexpr std::string_view kActor = "library";

// Reads of an engine: they see what it settled before.
class Reader final : public UsageReader {
 public:
  explicit Reader(std::shared_ptr<MeterCore> engine) : engine_(std::move(engine)) {}

  Result<UsagePage> page(const UsageFilter& filter, std::string_view cursor,
                         std::size_t limit) const override {
    AIMETER_CHECK_OK(deps().ledger.drain());
    return deps().store.usages(filter, cursor, limit);
  }
  Result<std::vector<UsageTotals>> totals(const UsageFilter& filter) const override {
    AIMETER_CHECK_OK(deps().ledger.drain());
    return totals_of(deps().store, filter);
  }

 private:
  [[nodiscard]] const Core::Deps& deps() const { return Core::of(engine_).deps(); }
  std::shared_ptr<MeterCore> engine_;
};

}  // namespace

Core::Core(const Deps& deps, Options options) : deps_(deps), options_(std::move(options)) {}

Status Core::usable() const {
  if (!born_.forked()) return {};
  return fail(Code::failed_precondition,
              "this process was forked after the engine was opened; open an engine of its own");
}

std::shared_ptr<const UsageReader> Core::reader() const { return std::make_shared<Reader>(self()); }

Result<store::Settlement> Core::settlement(const std::optional<TenantId>& tenant,
                                           std::int64_t row) {
  AIMETER_CHECK_OK(usable());
  AIMETER_CHECK_OK(deps_.ledger.drain());
  AIMETER_TRY(std::optional<store::Settlement> found, deps_.store.settlement(row, tenant));
  if (found) return *std::move(found);
  return fail(Code::not_found, "usage: there is none with the id " + std::to_string(row));
}

Result<LimitCheck> Core::check_limit(const Account& account, const Estimate& requested) {
  AIMETER_CHECK_OK(usable());
  AIMETER_CHECK_OK(check_billable(account.billable));
  budget::Need need{.tokens = 1, .cost_nanos = 1};  // nothing asked for: whether any call fits
  need.credit_nanos = 1;
  need.exchange = {.rates = options_.rates, .at = deps_.clock.now()};
  if (requested.tokens) need.tokens = requested.tokens->count;
  if (requested.cost) {
    need.cost_nanos = need.credit_nanos = requested.cost->nanos;
    need.cost_currency = requested.cost->currency;
  }
  return deps_.ledger.check(account, {}, need);
}

Result<std::shared_ptr<const budget::Terms>> Core::terms(const Account& account) {
  AIMETER_CHECK_OK(usable());
  AIMETER_CHECK_OK(check_billable(account.billable));
  return deps_.ledger.terms(account, deps_.clock.now());
}

Result<store::Changed> Core::change(store::ChangeBody body) {
  AIMETER_CHECK_OK(usable());
  const bool prices = std::holds_alternative<store::PutPrices>(body);
  AIMETER_TRY(const store::Changed changed,
              deps_.ledger.change({.body = std::move(body), .actor = std::string(kActor)}));
  if (prices) deps_.prices.books_changed();
  return changed;
}

}  // namespace aimeter::meter
