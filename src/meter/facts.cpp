#include "meter/facts.h"

#include <algorithm>

#include "store/record.h"

namespace aimeter::meter {
namespace {

LimitCheck check_of(const std::shared_ptr<const Refusal>& refusal) {
  LimitCheck check{.allowed = false, .approaching = true, .hard_limit_reached = true};
  check.reason = refusal;
  check.budget = refusal->budget;
  check.limit = refusal->limit;
  check.used = refusal->used;
  check.held = refusal->held;
  check.resets_at = refusal->resets_at;
  if (refusal->limit && refusal->used) {
    check.usage_percentage = Percent::of(refusal->used->count, refusal->limit->count);
    check.remaining_tokens = Tokens{std::max<std::int64_t>(
        0, refusal->limit->count - refusal->used->count - refusal->held.value_or(Tokens{}).count)};
  } else if (refusal->limit_cost && refusal->used_cost) {
    check.usage_percentage = Percent::of(refusal->used_cost->nanos, refusal->limit_cost->nanos);
    const std::int64_t held = refusal->held_cost ? refusal->held_cost->nanos : 0;
    check.remaining_cost = Money{
        std::max<std::int64_t>(0, refusal->limit_cost->nanos - refusal->used_cost->nanos - held),
        refusal->limit_cost->currency};
  }
  return check;
}

}  // namespace

void Facts::settled(const Settled& settled, const ledger::SettleOutcome& outcome,
                    std::string_view problem) {
  const UsageRecord& record = settled.record;
  if (events_.wanted<UsageRecorded>()) events_.publish(UsageRecorded{record});
  if (record.estimated && events_.wanted<UsageEstimated>())
    events_.publish(UsageEstimated{record, std::string(problem)});
  if (record.unpriced && !record.adjustment && events_.wanted<UsageProvisional>())
    events_.publish(UsageProvisional{record});
  if (outcome.crossed_approaching && events_.wanted<LimitApproaching>())
    events_.publish(LimitApproaching{record.account, settled.limit});
  if (outcome.crossed_reached && events_.wanted<LimitReached>())
    events_.publish(LimitReached{record.account, settled.limit});
}

void Facts::refused(const Account& account, const Error& error) {
  const bool by_budget =
      error.code == Code::quota_exceeded || error.code == Code::insufficient_credits;
  if (!by_budget || !error.refusal) return;
  if (events_.wanted<CallRefused>()) events_.publish(CallRefused{account, error});
  if (!error.refusal->first || error.code != Code::quota_exceeded) return;
  if (events_.wanted<LimitReached>())
    events_.publish(LimitReached{account, check_of(error.refusal)});
}

void Facts::odd(const store::Settlement& settlement, const store::Outcome& outcome) {
  const std::int64_t row = store::row_id(settlement.hold_engine, outcome.seq);
  if (outcome.what == store::Odd::duplicate && events_.wanted<DuplicateAnswer>()) {
    UsageRecord record = store::record_of(settlement, row);
    record.duplicate = true;
    events_.publish(DuplicateAnswer{std::move(record), outcome.original});
  } else if (outcome.what == store::Odd::dead) {
    events_.publish(SettlementDead{settlement.account, row, outcome.reason});
  }
}

void Facts::orphan(const store::Orphan& orphan) {
  Tokens held;
  for (const store::BudgetPart& part : orphan.begin.budgets) {
    if (part.key.kind == BudgetKind::tokens) held = std::max(held, Tokens{part.held});
  }
  events_.publish(CallOrphaned{orphan.begin.account, orphan.begin.provider, orphan.begin.model,
                               orphan.begin.feature, held, orphan.begin.opened_at});
}

void Facts::expired(const store::EndedHold& hold) {
  events_.publish(HoldExpired{hold.account, hold_id(hold.hold)});
}

void Facts::credits(const store::CreditMove& move) {
  const auto& [account, transaction] = move;
  if (transaction.is_credit() && events_.wanted<CreditsAdded>()) {
    events_.publish(CreditsAdded{account, transaction});
  } else if (transaction.is_debit() && events_.wanted<CreditsDeducted>()) {
    events_.publish(CreditsDeducted{account, transaction});
  }
}

std::string hold_id(const base::Key16& hold) {
  return base::hex({reinterpret_cast<const char*>(hold.data()), hold.size()});
}

}  // namespace aimeter::meter
