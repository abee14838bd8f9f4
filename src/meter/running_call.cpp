#include "meter/running_call.h"

#include <future>

#include "base/fault.h"
#include "base/log.h"
#include "store/record.h"

namespace aimeter::meter {

RunningCall::RunningCall(std::shared_ptr<MeterCore> engine) : engine_(std::move(engine)) {}

RunningCall::~RunningCall() { release("dropped"); }

Status RunningCall::boards(const ledger::KeyEntry& entry) {
  if (entry.what == ledger::KeyEntry::What::fresh) {
    in_flight_ = true;
    return {};
  }
  repeat_of_ = entry.seen.row;
  if (entry.seen.content != prepared_.key->content)
    return aimeter::fail(Code::conflict,
                         "idempotency_key: was used before with other content; expected the same "
                         "call, or another key");
  if (prepared_.call.if_recorded == OnRepeat::refuse)
    return aimeter::fail(Code::conflict,
                         "idempotency_key: was settled before, and the caller wants no repeat");
  return {};
}

Status RunningCall::holds(Result<budget::Held> held) {
  if (!held) {
    core().deps().facts.refused(prepared_.ask.account, held.error());
    return std::unexpected(std::move(held).error());
  }
  held_ = *std::move(held);
  holding_ = true;
  return check_billed(*held_.terms, prepared_.guess,
                      prepared_.call.billing_mode);  // refused: the hold goes with this call
}

Result<Answered> RunningCall::read(int http_status, std::string_view body) const {
  return core().deps().answers.read(prepared_.info, http_status, body);
}

// ---- usage, price

HeldAmounts RunningCall::held_amounts() const {
  const budget::Need& need = prepared_.guess.need;
  HeldAmounts held{
      .tokens = need.tokens, .cost_nanos = need.cost_nanos, .currency = need.cost_currency};
  if (!held_.terms || held_.parts.empty()) return held;
  const auto& budgets = held_.terms->limits.budgets;  // the first is the account's tokens
  if (!budgets.empty() && budgets[0].kind == BudgetKind::tokens &&
      budgets[0].scope == BudgetScope::account && held_.parts[0].held > 0) {
    held.tokens = std::min(held.tokens, held_.parts[0].held);
  }
  return held;
}

Usage RunningCall::usage_of_answer(Answered& answered) {
  Usage usage = normalised(prepared_.call.manual_usage ? *prepared_.call.manual_usage
                                                       : std::move(answered.usage));
  problem_ = std::move(answered.problem);
  if (const Status good = usage.check(); !good) {
    problem_ = good.error().message;
    usage = Usage{};
  }
  if (!is_missing(usage)) return usage;
  if (problem_.empty()) problem_ = "the answer carries no usage";
  prepared_.ask.expected.flags |= store::kEstimated;
  return estimated_usage(held_amounts().tokens);
}

void RunningCall::take(Answered answered) {
  store::Settlement& settlement = prepared_.ask.expected;
  settlement.usage = usage_of_answer(answered);
  if (settlement.model.empty()) {
    const bool usable = !answered.model.empty() && check_call_text("model", answered.model);
    settlement.model = usable ? std::move(answered.model) : std::string("unknown");
  }
  const CallInfo info{.provider = settlement.provider, .model = settlement.model};
  set_price(settlement, priced(prepared_.pin, info, settlement.usage, held_amounts()));
  if (is_repeat()) settlement.flags |= store::kDuplicate;
  if (held_.would_refuse()) settlement.flags |= store::kWouldRefuse;
  if (held_.terms) {
    pin_terms(settlement, *held_.terms, prepared_.call.billing_mode);
    pin_rates(settlement, *held_.terms, core().options().rates.get());
  }
  std::string meta = std::exchange(settlement.meta, {});
  record_ = store::record_of(settlement, 0);
  record_.meta = prepared_.meta;
  record_.idempotency_key = prepared_.call.idempotency_key;
  settlement.meta = std::move(meta);
}

// ---- settle, events

Settled RunningCall::conclude(Result<ledger::SettleOutcome> written) {
  holding_ = false;
  Settled settled{.record = std::move(record_)};
  if (!written) {
    base::log(base::LogLevel::error,
              "meter: an answer was not written: " + written.error().message);
    settled.unrecorded = std::move(written).error();
    leave_key(0);
    return settled;
  }
  settled.record.id = written->row;
  settled.limit = std::move(written->check);
  leave_key(settled.record.id);
  if (!settled.record.estimated) {
    const Call& call = prepared_.call;
    core().estimates().learn({.tenant = prepared_.ask.account.tenant.text,
                              .provider = prepared_.info.provider,
                              .model = prepared_.info.model,
                              .feature = call.feature},
                             {.tokens = settled.record.usage.total_tokens.count,
                              .cost_nanos = settled.record.total_cost.nanos});
  }
  AIMETER_FAULT_POINT("meter.acknowledged");
  core().deps().facts.settled(settled, *written, problem_);
  AIMETER_FAULT_POINT("meter.event_delivered");
  return settled;
}

LimitCheck RunningCall::limit_now() const {
  const ledger::HoldAsk& ask = prepared_.ask;
  return core().deps().ledger.check(ask.account, ask.names, {.requests = 0}).value_or(LimitCheck{});
}

// A hold of nothing loads the account without blocking; after it, also after its refusal, the look
// finds everything in memory.
void RunningCall::limit_now(std::move_only_function<void(LimitCheck)> done) {
  ledger::HoldAsk nothing{
      .account = prepared_.ask.account, .names = prepared_.ask.names, .need = {.requests = 0}};
  nothing.expected.account = nothing.account;
  core().deps().ledger.hold(nothing, [self = shared_from_this(),
                                      done = std::move(done)](Result<budget::Held> held) mutable {
    if (held) self->core().deps().ledger.release(*std::move(held), "only looked");
    const bool away = !held && held.error().code == Code::unavailable;
    LimitCheck check = away ? LimitCheck{} : self->limit_now();
    self.reset();
    done(std::move(check));
  });
}

// Counted nowhere.
Settled RunningCall::store_repeat() {
  Settled settled{.record = std::move(record_), .duplicate = true};
  const Result<ledger::Ledger::Recorded> stored =
      core().deps().ledger.adjust(std::move(prepared_.ask.expected));
  if (stored) {
    settled.record.id = stored->outcome.row;
    settled.limit = stored->outcome.check;
  } else {
    settled.unrecorded = stored.error();
  }
  return settled;
}

void RunningCall::leave_key(std::int64_t row) {
  if (!std::exchange(in_flight_, false)) return;
  core().deps().ledger.leave_key(*prepared_.key, row);
}

// ---- the one end

std::optional<Result<Settled>> RunningCall::begin_settling() {
  std::promise<Result<Settled>> promise;
  SettleDone done = [&promise](Result<Settled> first) { promise.set_value(std::move(first)); };
  if (begin_settling(done)) return std::nullopt;
  return promise.get_future().get();
}

bool RunningCall::begin_settling(SettleDone& done) {
  if (const Status usable = core().usable(); !usable) {
    done(std::unexpected(usable.error()));
    return false;
  }
  std::optional<Result<Settled>> ended;
  {
    const base::Lock lock(mutex_);
    switch (state_) {
      case State::open:
        state_ = State::settling;
        return true;
      case State::settling:
        waiting_.push_back(std::move(done));
        return false;
      case State::settled:
        ended = *first_;
        break;
      case State::released:
        ended = aimeter::fail(Code::failed_precondition,
                              "hold: was released before; nothing was counted");
        break;
      case State::detached:
        ended = aimeter::fail(Code::failed_precondition,
                              "hold: was detached before; its token settles it");
        break;
    }
  }
  done(*std::move(ended));
  return false;
}

void RunningCall::finish(const Settled& settled) {
  std::vector<SettleDone> waiting;
  {
    const base::Lock lock(mutex_);
    first_ = settled;
    state_ = State::settled;
    waiting.swap(waiting_);
  }
  for (SettleDone& done : waiting) done(settled);
}

bool RunningCall::end_unsettled(std::string_view reason) {
  if (!core().usable()) return false;  // the parent's hold is not this child's to release
  {
    const base::Lock lock(mutex_);
    if (state_ != State::open) return false;
    state_ = State::released;
  }
  if (std::exchange(holding_, false)) core().deps().ledger.release(std::move(held_), reason);
  leave_key(0);
  return true;
}

void RunningCall::release(std::string_view reason) { (void)end_unsettled(reason); }

void RunningCall::fail(std::string_view reason, std::exception_ptr thrown) {
  if (!end_unsettled(reason)) return;
  core().deps().facts.failed({.account = prepared_.ask.account,
                              .provider = prepared_.info.provider,
                              .model = prepared_.info.model,
                              .error = std::string(reason),
                              .exception = std::move(thrown)});
}

}  // namespace aimeter::meter
