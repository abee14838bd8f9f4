// Wallets in an engine: which budget they are, and what the store does to them beside settlements.
#include "ledger/engine_ledger.h"
#include "store/audit.h"
#include "time/zone.h"

namespace aimeter::ledger {

plans::ConcreteBudget EngineLedger::wallet_of(const store::AccountState& state) const {
  const Options::Wallets& options = options_.wallets;
  return {.kind = BudgetKind::credits,
          .span = {.start = time::kFirstInstant, .end = time::kLastInstant},
          .limit = 0,  // by the store's word
          .currency = state.wallet_currency.empty() ? options.currency : state.wallet_currency,
          .overage = options.overdraft ? OverageBehavior::allow : OverageBehavior::block};
}

// Errors are met again at the next heartbeat: what is over is neither leased nor withdrawn.
void EngineLedger::expire_credits() {
  for (bool more = true; more;) {
    Result<store::Changed> expired = fail(Code::unavailable, "");
    {
      const std::scoped_lock lock(lane_);
      expired = deps_.store.change({.body = store::ExpireCredits{}, .actor = "engine"});
      if (expired) hear_wallet(*expired);
    }
    if (!expired) return;
    tell_credits(expired->credits);
    more = expired->more;
  }
}

void EngineLedger::tell_credits(const std::vector<store::CreditMove>& moves) {
  if (!sinks_.credits) return;
  for (const store::CreditMove& move : moves) sinks_.credits(move);
}

void EngineLedger::free_wallet(const store::ChangeBody& body) {
  const auto* withdrawal = std::get_if<store::DeductCredits>(&body);
  if (withdrawal == nullptr) return;
  const std::vector<store::BudgetKey> keys{
      store::wallet_key(withdrawal->account, withdrawal->amount.currency)};
  give_back(book_.take_back(keys));
}

// Requires the lane. An error is no matter: a call that lacks credits asks the store.
void EngineLedger::hear_wallet(const store::Changed& changed) {
  for (const store::CreditMove& move : changed.credits) {
    const std::vector<store::BudgetKey> keys{
        store::wallet_key(move.account, move.transaction.amount.currency)};
    const budget::LocalAccount local = book_.local(move.account);
    if (!book_.unknown_of(local, keys).empty()) continue;
    const auto states = deps_.store.budget_states(keys);
    if (!states) continue;
    const budget::StoreWord word = word_of(states->at(0));
    book_.applied({}, {&word, 1});
  }
}

}  // namespace aimeter::ledger
