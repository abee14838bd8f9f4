// Holds that leave their engine under a token, and their settlement by whoever has it. The token
// carries what the call fixed before it ran: names, pins, price version, key, metadata.
#include <future>

#include "base/log.h"
#include "meter/running_call.h"
#include "store/record.h"

namespace aimeter::meter {
namespace {

HoldToken token_of(ledger::Detached detached) {
  return {.text = std::move(detached.token),
          .id = hold_id(detached.hold),
          .expires_at = detached.expires_at};
}

Status check_usage(const Answered& answered) { return normalised(answered.usage).check(); }

}  // namespace

// ---- out of the engine

Status RunningCall::begin_detaching() {
  AIMETER_CHECK_OK(core().usable());
  if (is_repeat()) {
    return aimeter::fail(Code::failed_precondition,
                         "hold: its idempotency key was settled before; nothing is held");
  }
  const base::Lock lock(mutex_);
  if (state_ != State::open) {
    return aimeter::fail(Code::failed_precondition,
                         "hold: was settled, released or detached before");
  }
  state_ = State::detached;
  return {};
}

ledger::HoldClaim RunningCall::claim() const {
  ledger::HoldClaim claim = prepared_.ask.expected;
  const HeldAmounts held = held_amounts();
  claim.total_cost = {held.cost_nanos, held.currency};
  if (held_.terms) {
    pin_terms(claim, *held_.terms, prepared_.call.billing_mode);
    pin_rates(claim, *held_.terms, core().options().rates.get());
  }
  if (prepared_.call.manual_usage) {
    claim.usage = normalised(*prepared_.call.manual_usage);
    claim.flags |= store::kUsageManual;
  } else {
    claim.usage = estimated_usage(held.tokens);
  }
  return claim;
}

Result<HoldToken> RunningCall::end_detaching(Result<ledger::Detached> detached) {
  if (!detached && detached.error().code != Code::in_doubt) {
    const base::Lock lock(mutex_);
    state_ = State::open;
    return std::unexpected(std::move(detached).error());
  }
  holding_ = false;
  leave_key(0);
  if (!detached) return std::unexpected(std::move(detached).error());
  return token_of(*std::move(detached));
}

Result<HoldToken> RunningCall::detach() {
  AIMETER_CHECK_OK(begin_detaching());
  return end_detaching(core().deps().ledger.detach(held_, claim()));
}

void RunningCall::detach(DetachDone done) {
  if (const Status begun = begin_detaching(); !begun) return done(std::unexpected(begun.error()));
  core().deps().ledger.detach(held_, claim(),
                              [self = shared_from_this(),
                               done = std::move(done)](Result<ledger::Detached> detached) mutable {
                                Result<HoldToken> token = self->end_detaching(std::move(detached));
                                self.reset();
                                done(std::move(token));
                              });
}

// ---- by its token

struct Core::Claimed {
  store::Settlement settlement = {};
  UsageRecord record = {};
  std::string problem = {};
};

Result<ledger::HoldClaim> Core::open_token(const std::optional<TenantId>& tenant,
                                           std::string_view token) {
  AIMETER_CHECK_OK(usable());
  AIMETER_TRY(ledger::HoldClaim claim, deps_.ledger.open_token(token));
  if (tenant && claim.account.tenant != *tenant) {
    return fail(Code::not_found, "hold: there is none with this token");
  }
  if (deps_.clock.now() - claim.occurred_at > options_.max_lateness) {
    return fail(Code::failed_precondition,
                "hold: its call is older than max_lateness; import it as history");
  }
  return claim;
}

Core::Claimed Core::claimed(ledger::HoldClaim claim, Answered answered) const {
  const HeldAmounts held{.tokens = claim.usage.total_tokens.count,
                         .cost_nanos = claim.total_cost.nanos,
                         .currency = claim.total_cost.currency};
  Claimed claimed{.settlement = std::move(claim), .problem = std::move(answered.problem)};
  store::Settlement& settlement = claimed.settlement;
  if ((settlement.flags & store::kUsageManual) == 0) {
    settlement.usage = normalised(std::move(answered.usage));
    if (const Status good = settlement.usage.check(); !good) {
      claimed.problem = good.error().message;
      settlement.usage = Usage{};
    }
    if (is_missing(settlement.usage)) {
      if (claimed.problem.empty()) claimed.problem = "the answer carries no usage";
      settlement.flags |= store::kEstimated;
      settlement.usage = estimated_usage(held.tokens);
    }
  }
  if (settlement.model.empty()) {
    const bool usable = !answered.model.empty() && check_call_text("model", answered.model);
    settlement.model = usable ? std::move(answered.model) : std::string("unknown");
  }
  const PricePin pin{.prices = deps_.prices.now(),
                     .version = settlement.pins.price_version,
                     .at = settlement.occurred_at};
  const CallInfo info{.provider = settlement.provider, .model = settlement.model};
  set_price(settlement, priced(pin, info, settlement.usage, held));
  claimed.record = store::record_of(settlement, 0);
  return claimed;
}

Result<Settled> Core::conclude(Claimed claimed, Result<ledger::DetachedOutcome> written) {
  if (!written) return std::unexpected(std::move(written).error());
  if (written->first != 0) return original(std::move(claimed.record), written->first);
  Settled settled{.record = std::move(claimed.record)};
  settled.record.id = written->outcome.row;
  settled.limit = std::move(written->outcome.check);
  if (!settled.record.estimated) {
    estimates_.learn({.tenant = settled.record.account.tenant.text,
                      .provider = settled.record.provider,
                      .model = settled.record.model,
                      .feature = settled.record.feature},
                     {.tokens = settled.record.usage.total_tokens.count,
                      .cost_nanos = settled.record.total_cost.nanos});
  }
  deps_.facts.settled(settled, written->outcome, claimed.problem);
  return settled;
}

Result<Settled> Core::settle_token(const std::optional<TenantId>& tenant, std::string_view token,
                                   Answered answered) {
  AIMETER_CHECK_OK(check_usage(answered));
  AIMETER_TRY(ledger::HoldClaim claim, open_token(tenant, token));
  Claimed made = claimed(std::move(claim), std::move(answered));
  store::Settlement settlement = std::move(made.settlement);
  return conclude(std::move(made), deps_.ledger.settle_detached(std::move(settlement)));
}

Result<Settled> Core::settle_token(const std::optional<TenantId>& tenant, std::string_view token,
                                   const HttpAnswer& answer) {
  AIMETER_TRY(ledger::HoldClaim claim, open_token(tenant, token));
  const CallInfo info{.provider = claim.provider, .model = claim.model};
  Result<Answered> answered = deps_.answers.read(info, answer.status, answer.body);
  if (answered) return settle_token(tenant, token, *std::move(answered));
  AIMETER_CHECK_OK(deps_.ledger.release_detached(claim));
  deps_.facts.failed({.account = claim.account,
                      .provider = claim.provider,
                      .model = claim.model,
                      .error = answered.error().message});
  return std::unexpected(std::move(answered).error());
}

void Core::settle_token(const std::optional<TenantId>& tenant, std::string_view token,
                        Answered answered, SettleDone done) {
  if (const Status good = check_usage(answered); !good) return done(std::unexpected(good.error()));
  Result<ledger::HoldClaim> claim = open_token(tenant, token);
  if (!claim) return done(std::unexpected(std::move(claim).error()));
  auto made = std::make_unique<Claimed>(claimed(*std::move(claim), std::move(answered)));
  store::Settlement settlement = std::move(made->settlement);
  deps_.ledger.settle_detached(
      std::move(settlement),
      [this, engine = self(), made = std::move(made),
       done = std::move(done)](Result<ledger::DetachedOutcome> written) mutable {
        Result<Settled> settled = conclude(std::move(*made), std::move(written));
        engine.reset();
        done(std::move(settled));
      });
}

Status Core::release_token(const std::optional<TenantId>& tenant, std::string_view token) {
  AIMETER_TRY(const ledger::HoldClaim claim, open_token(tenant, token));
  return deps_.ledger.release_detached(claim);
}

}  // namespace aimeter::meter
