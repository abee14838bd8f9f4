// The sentence: request -> tenancy -> hold -> provider -> usage -> price -> settle -> events.
// begin() goes up to the hold, the caller asks the provider, settle() does the rest and never
// exits early.
#include "base/fault.h"
#include "meter/running_call.h"

namespace aimeter::meter {

Result<Hold> Core::begin(Call call) {
  AIMETER_TRY(const std::shared_ptr<RunningCall> running, prepare(std::move(call)));
  if (running->prepared().key) {
    AIMETER_TRY(const ledger::KeyEntry entry, deps_.ledger.enter_key(*running->prepared().key));
    AIMETER_CHECK_OK(running->boards(entry));
  }
  if (!running->is_repeat()) {
    AIMETER_CHECK_OK(running->holds(deps_.ledger.hold(running->prepared().ask)));
  }
  return Hold(running);
}

Result<Settled> RunningCall::settle(Answered answered) {
  if (auto ended = begin_settling()) return *std::move(ended);
  take(std::move(answered));  // usage, price
  AIMETER_FAULT_POINT("meter.answer_read");
  Settled settled = is_repeat() ? store_repeat()
                                : conclude(core().deps().ledger.settle(
                                      std::move(held_), std::move(prepared_.ask.expected)));
  if (is_repeat()) settled.limit = limit_now();
  finish(settled);
  return settled;
}

// ---- The same for event loops. A callback gives up the call, and with it the engine, before it
// answers: whoever gets the answer may be the last to keep the engine, not one of its own threads.

void Core::begin(Call call, HoldDone done) {
  Result<std::shared_ptr<RunningCall>> prepared = prepare(std::move(call));
  if (!prepared) return done(std::unexpected(std::move(prepared).error()));
  std::shared_ptr<RunningCall> running = *std::move(prepared);
  if (!running->prepared().key) return hold(std::move(running), std::move(done));
  const store::KeyRef& key = *running->prepared().key;
  deps_.ledger.enter_key(key, [this, running,
                               done = std::move(done)](Result<ledger::KeyEntry> entry) mutable {
    const Status boarded = entry ? running->boards(*entry) : Status(std::unexpected(entry.error()));
    if (boarded) return hold(std::move(running), std::move(done));
    running.reset();
    done(std::unexpected(boarded.error()));
  });
}

void Core::hold(std::shared_ptr<RunningCall> running, HoldDone done) {
  if (running->is_repeat()) return done(Hold(std::move(running)));
  const ledger::HoldAsk& ask = running->prepared().ask;
  deps_.ledger.hold(ask, [running, done = std::move(done)](Result<budget::Held> held) mutable {
    const Status holding = running->holds(std::move(held));
    if (holding) return done(Hold(std::move(running)));
    running.reset();
    done(std::unexpected(holding.error()));
  });
}

void RunningCall::settle(Answered answered, SettleDone done) {
  if (!begin_settling(done)) return;
  take(std::move(answered));
  if (is_repeat()) {
    return limit_now([self = shared_from_this(), settled = store_repeat(),
                      done = std::move(done)](LimitCheck limit) mutable {
      settled.limit = std::move(limit);
      self->finish(settled);
      self.reset();
      done(std::move(settled));
    });
  }
  core().deps().ledger.settle(std::move(held_), std::move(prepared_.ask.expected),
                              [self = shared_from_this(), done = std::move(done)](
                                  Result<ledger::SettleOutcome> written) mutable {
                                Settled settled = self->conclude(std::move(written));
                                self->finish(settled);
                                self.reset();
                                done(std::move(settled));
                              });
}

}  // namespace aimeter::meter
