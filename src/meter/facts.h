// Package:       meter
// Units:         none
// Errors:        none: what a handler throws is logged by the bus.
// Thread safety: any thread.
// Ownership:     borrows the bus.
//
// The events of a call, published after its durability is reached. LimitReached comes once per
// budget and period: on the settlement that crosses or on the first refusal.
#pragma once

#include "aimeter/billing.h"
#include "aimeter/call.h"
#include "aimeter/events.h"
#include "ledger/ledger.h"

namespace aimeter::meter {

[[nodiscard]] Overage overage_of(const store::OverageLine& line);
[[nodiscard]] std::string hold_id(const base::Key16& hold);  // HoldToken::id

class Facts {
 public:
  explicit Facts(Events& events) : events_(events) {}

  void settled(const Settled& settled, const ledger::SettleOutcome& outcome,
               std::string_view problem);
  void refused(const Account& account, const Error& error);
  void failed(const ProviderCallFailed& failure) { events_.publish(failure); }
  // From the engine's own threads.
  void odd(const store::Settlement& settlement, const store::Outcome& outcome);
  void orphan(const store::Orphan& orphan);
  void expired(const store::EndedHold& hold);
  void credits(const store::CreditMove& move);
  void charged(const store::OverageLine& line);
  [[nodiscard]] Events& events() { return events_; }

 private:
  Events& events_;
};

}  // namespace aimeter::meter
