#include "app/top_ups.h"

#include "base/log.h"

namespace aimeter::app {
namespace {

constexpr Duration kEvery = std::chrono::seconds(1);

void log_failure(const Account& account, const Error& error) {
  base::log(base::LogLevel::warning, "app: the top-up of " + account.billable.type + " " +
                                         account.billable.id + ": " + error.message);
}

// What was asked for before may have been paid: only the driver's word ends that claim.
store::EndTopUp::How how_ended(const Result<Receipt>& receipt, bool sent_before) {
  using How = store::EndTopUp::How;
  if (receipt) return How::paid;
  const Code code = receipt.error().code;
  if (code == Code::insufficient_credits || code == Code::not_found) return How::declined;
  const bool unknown =
      code == Code::in_doubt || code == Code::unavailable || code == Code::rate_limited;
  return unknown || sent_before ? How::unknown : How::declined;
}

}  // namespace

bool TopUpWatch::step() {
  const Instant now = deps_.clock.now();
  if (now - looked_at_ < kEvery && now >= looked_at_) return false;
  looked_at_ = now;
  const auto due = deps_.store.top_ups({.due = true});
  if (!due || due->empty()) return false;
  const auto claimed = deps_.ledger.change({.body = store::BeginTopUps{}, .actor = "engine"});
  if (!claimed) return false;
  for (const store::TopUpState& claim : claimed->top_ups) ask(claim);
  return false;
}

Meta TopUpWatch::ids_of(const Account& account) {
  const auto state = deps_.store.load_account(account, deps_.clock.now());
  if (state) {
    const auto active = plans::active_at(state->contract.subscriptions, deps_.clock.now());
    if (active && !active->meta.empty()) return active->meta;
  }
  return deps_.driver.ids_of(account).value_or(Meta{});
}

void TopUpWatch::ask(const store::TopUpState& claim) {
  std::optional<Instant> sent_at;
  if (claim.claimed_at < looked_at_) sent_at = claim.claimed_at;
  const Result<Receipt> receipt = deps_.driver.top_up({.account = claim.account,
                                                       .amount = claim.amount,
                                                       .idempotency_key = claim.key,
                                                       .ids = ids_of(claim.account),
                                                       .sent_at = sent_at});
  if (!receipt) log_failure(claim.account, receipt.error());
  const auto ended =
      deps_.ledger.change({.body = store::EndTopUp{.how = how_ended(receipt, sent_at.has_value()),
                                                   .account = claim.account,
                                                   .amount = claim.amount,
                                                   .key = claim.key,
                                                   .receipt = receipt ? receipt->id : ""},
                           .actor = "engine"});
  // Not written: the claim is asked for again, with its key.
  if (!ended) log_failure(claim.account, ended.error());
}

}  // namespace aimeter::app
