// Holds that are handed out: whoever has the token settles or releases it through any engine, or
// nobody does and it expires.
#include <algorithm>

#include "tests/sim/callers.h"
#include "tests/sim/world.h"

namespace aimeter::sim {
namespace {

constexpr std::size_t kTokensTried = 8;  // the newest

}  // namespace

void Callers::detach() {
  std::vector<CallRef> held;
  for (const CallRef& call : calls_) {
    if (call->holding && !call->key && call->process->awake()) held.push_back(call);
  }
  if (held.empty()) return;
  const CallRef call = held[world_.dice.below(held.size())];
  world_.trace.line("detach", {{"call", static_cast<std::int64_t>(call->attempt)}});
  call->holding = false;
  world_.oracle.detaching(call->attempt);
  Process& process = *call->process;
  process.run(Process::Lane::free, [&] {
    process.ledger->detach(call->held, settlement_of(*call, call->expected),
                           [this, call](Result<ledger::Detached> detached) {
                             if (!call->process->gone()) was_detached(call, std::move(detached));
                           });
  });
}

void Callers::was_detached(const CallRef& call, Result<ledger::Detached> detached) {
  if (detached) {
    world_.trace.line("handed out", {{"call", static_cast<std::int64_t>(call->attempt)}});
    world_.oracle.detached(call->attempt, detached->hold, detached->expires_at);
    tokens_.push_back({call->attempt, detached->token, call->expected, most_of(*call)});
    return forget(call);
  }
  if (detached.error().code == Code::unavailable) {
    world_.oracle.not_detached(call->attempt);
    call->holding = true;
    return;
  }
  if (detached.error().code != Code::in_doubt) {
    world_.oracle.fail("a hold is not detached: " + detached.error().message);
  }
  forget(call);
}

void Callers::use_token() {
  Process* const process = world_.any_process([](const Process& one) { return one.lane_free(); });
  if (process == nullptr || tokens_.empty()) return;
  const std::size_t near = std::min(tokens_.size(), kTokensTried);
  const Token token = tokens_[tokens_.size() - 1 - world_.dice.below(near)];  // others come
  end_token(*process, token);
}

void Callers::end_tokens(Process& process) {
  for (const Token& token : std::vector<Token>(tokens_)) {
    if (world_.failed() || process.gone()) return;
    if (!world_.oracle.is_over(token.attempt)) end_token(process, token);
  }
}

void Callers::end_token(Process& process, const Token& token) {
  Result<ledger::HoldClaim> claim = fail(Code::unavailable, "");
  process.run(Process::Lane::taken, [&] { claim = process.ledger->open_token(token.text); });
  if (!claim) {
    if (claim.error().code == Code::unavailable || process.failed()) return;
    return world_.oracle.fail("a token is refused: " + claim.error().message);
  }
  if (process.gone()) return;
  if (world_.dice.chance(200)) return release_token(process, token, *claim);
  const std::size_t how = world_.dice.below(100);
  std::int64_t actual = token.held;
  if (how >= 60) actual = world_.dice.between(0, token.held);
  if (how >= 80) actual = world_.dice.between(token.held, token.most);
  settle_token(process, token, actual, *std::move(claim));
}

void Callers::release_token(Process& process, const Token& token, const ledger::HoldClaim& claim) {
  const bool over = world_.oracle.may_be_over(token.attempt);
  world_.oracle.hold_may_be_over(token.attempt);
  Status released;
  process.run(Process::Lane::taken, [&] { released = process.ledger->release_detached(claim); });
  world_.trace.line("release a token",
                    {{"call", static_cast<std::int64_t>(token.attempt)},
                     {"over", static_cast<std::int64_t>(over)},
                     {"code", released ? 0 : static_cast<int>(released.error().code)}});
  if (released) return world_.oracle.hold_is_over(token.attempt);
  if (process.gone()) return;
  const Code code = released.error().code;
  const bool fair = code == Code::unavailable || code == Code::in_doubt ||
                    (code == Code::corrupt && process.failed()) ||
                    (code == Code::failed_precondition && world_.oracle.was_settled(token.attempt));
  if (!fair) world_.oracle.fail("a token is not released: " + released.error().message);
}

void Callers::settle_token(Process& process, const Token& token, std::int64_t actual,
                           ledger::HoldClaim claim) {
  const Attempt& hold = world_.oracle.attempt(token.attempt);
  Attempt attempt{.what = Attempt::What::detached, .account = hold.account};
  attempt.tokens = actual;
  attempt.key = store::KeyRef{store::hold_key_of(claim.account.tenant, claim.token), 0};
  attempt.occurred_at = hold.occurred_at;
  attempt.durability = process.options.durability;
  attempt.engine = process.engine;
  attempt.held = hold.held;
  attempt.handed_out = token.attempt;
  attempt.state = Attempt::State::written;
  const std::size_t number = world_.oracle.add(std::move(attempt));
  RunningCall call;
  call.attempt = number;
  call.ask.account = claim.account;
  call.ask.names = {.user = claim.user, .api_key = claim.api_key, .feature = claim.feature};
  call.ask.expected.occurred_at = claim.occurred_at;
  store::Settlement settlement = settlement_of(call, actual);
  settlement.hold = claim.hold;
  settlement.hold_engine = claim.hold_engine;
  settlement.epoch = claim.epoch;
  settlement.pins = claim.pins;
  settlement.budgets = std::move(claim.budgets);
  settlement.token = std::move(claim.token);
  world_.trace.line("settle a token", {{"process", static_cast<std::int64_t>(process.number)},
                                       {"call", static_cast<std::int64_t>(number)},
                                       {"of", static_cast<std::int64_t>(token.attempt)},
                                       {"tokens", actual}});
  const std::shared_ptr<Process> own = world_.processes[process.slot];
  process.run(Process::Lane::taken, [&] {
    process.ledger->settle_detached(
        std::move(settlement),
        [this, own, number, hold = token.attempt](Result<ledger::DetachedOutcome> outcome) {
          if (!own->gone()) token_settled({number, hold}, std::move(outcome));
        });
  });
}

void Callers::token_settled(const EndOfToken& end, Result<ledger::DetachedOutcome> outcome) {
  if (!outcome) {
    const Code code = outcome.error().code;
    if (code != Code::failed_precondition) return world_.oracle.not_acked(end.attempt, code);
    if (!world_.oracle.may_be_over(end.hold)) {
      world_.oracle.fail("a token was released, it is said, and was not");
    }
    return world_.oracle.not_acked(end.attempt, Code::unavailable);
  }
  if (outcome->first != 0) {
    world_.oracle.settled_before(end.hold, outcome->first);
    return world_.oracle.not_acked(end.attempt, Code::unavailable);
  }
  world_.trace.line("acknowledged", {{"call", static_cast<std::int64_t>(end.attempt)},
                                     {"row", outcome->outcome.row}});
  world_.oracle.acked(end.attempt, outcome->outcome.row);
}

}  // namespace aimeter::sim
