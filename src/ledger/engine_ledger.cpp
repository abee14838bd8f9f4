#include "ledger/engine_ledger.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/fault.h"
#include "ledger/charges.h"
#include "ledger/frames.h"
#include "store/bound.h"
#include "store/codec.h"

namespace aimeter::ledger {
namespace {

// How long a caller waits for its durability before it is told that nobody knows.
constexpr Duration kDurableWaitMax = std::chrono::seconds(60);
constexpr std::size_t kKeysAtOnce = 16'384;  // read into the filter: some milliseconds

}  // namespace

budget::Names names_of(const store::Settlement& settlement) {
  return {.user = settlement.user,
          .api_key = settlement.api_key,
          .feature = settlement.feature,
          .model = settlement.provider + "/" + settlement.model,
          .session = settlement.session,
          .mode = settlement.pins.mode};
}

budget::Actual actual_of(const store::Settlement& settlement) {
  return {.tokens = settlement.usage.total_tokens.count,
          .cost_nanos = settlement.total_cost.nanos,
          .requests = 1,
          .cost_currency = settlement.total_cost.currency,
          .rates = settlement.pins.rates};
}

budget::StoreWord word_of(const store::BudgetState& state) {
  budget::StoreWord word{.key = state.key, .used = state.used};
  if (store::is_wallet(state.key)) word.limit = state.credited;
#if defined(AIMETER_FAULTS)
  word.bound = store::bound_of(state);
#endif
  return word;
}

Error refused_by(const std::shared_ptr<const Refusal>& refusal) {
  if (refusal->balance) {
    return {
        Code::insufficient_credits,
        fmt::format("credits: the balance of {} {} does not have the {} that this call may cost",
                    refusal->balance->text(), refusal->balance->currency,
                    refusal->required ? refusal->required->text() : ""),
        refusal};
  }
  std::string limit = refusal->limit_cost ? refusal->limit_cost->text() : "";
  if (refusal->limit) limit = std::to_string(refusal->limit->count);
  return {Code::quota_exceeded,
          fmt::format("the {} limit of the {} ({}) does not have room for this call",
                      refusal->budget, refusal->scope, limit),
          refusal};
}

EngineLedger::EngineLedger(const Deps& deps, Options options, Sinks sinks)
    : deps_(deps),
      options_(std::move(options)),
      sinks_(std::move(sinks)),
      book_(options_.book),
      tail_(options_.tail_max),
      keys_({.find = [this](const base::Key16& key) { return deps_.store.find_key(key); },
             .walk =
                 [this](const store::KeyCursor& after) {
                   return deps_.store.keys_after(after, kKeysAtOnce);
                 }},
            deps.workers, options_.hold_wait),
      silence_(options_.lease_ttl + options_.hold_ttl) {}

// ---------------------------------------------------------------- holds

std::optional<Error> EngineLedger::refuses(const budget::Held& held, Instant at) const {
  if (born_.forked()) {
    return Error{Code::unavailable, "this process was forked; open an engine of its own"};
  }
  if (journal_ != nullptr && journal_->failed()) {
    return Error{Code::unavailable, "the journal failed: " + journal_->failed()->message};
  }
  if (store_broken_.load(std::memory_order_relaxed)) {
    const base::Lock lock(trouble_mutex_);
    return Error{Code::unavailable,
                 "the store failed: " + (store_trouble_ ? store_trouble_->message : "")};
  }
  if (const Status good = clock_is_good(); !good) return good.error();
  const bool leased = std::ranges::any_of(held.parts, &budget::HeldPart::leased);
  if (!leased) return std::nullopt;
  const Duration boot = deps_.clock.boot();
  if (boot.count() >= grant_until_us_.load(std::memory_order_relaxed)) {
    return Error{Code::unavailable, "the store has not been heard of for lease_ttl; retry"};
  }
  if (is_lost(held)) {
    return Error{Code::unavailable, "the leases of this engine have ended; retry"};
  }
  if (is_ahead(at, boot)) return Error{Code::unavailable, "this machine's clock has moved; retry"};
  return std::nullopt;
}

// Taken from a lease of an epoch that is over.
bool EngineLedger::is_lost(const budget::Held& held) const {
  const std::uint32_t epoch = epoch_.load();
  return std::ranges::any_of(held.parts, [epoch](const budget::HeldPart& part) {
    return part.leased && part.epoch != epoch;
  });
}

Result<budget::Held> EngineLedger::begin(budget::Held held, const HoldAsk& ask) {
  if (const std::optional<Error> error = refuses(held, time_of(ask))) {
    book_.release(held);
    return std::unexpected(*error);
  }
  if (journal_ == nullptr) {
    running_.fetch_add(1, std::memory_order_relaxed);
    return held;
  }
  store::Begin begin{.hold = held.number,
                     .epoch = held.epoch,
                     .opened_at = deps_.clock.now(),
                     .account = ask.account,
                     .user = ask.names.user,
                     .provider = ask.expected.provider,
                     .model = ask.expected.model,
                     .feature = ask.names.feature,
                     .estimate_source = ask.estimate_source};
  for (const budget::SettledPart& part : book_.parts_of(held)) {
    begin.budgets.push_back({.key = *part.key,
                             .held = part.held,
                             .limit = part.limit,
                             .blocking = part.blocking,
                             .shadow = part.shadow});
  }
  const std::size_t bytes = store::encoded_bytes_max(ask.expected, begin.budgets);
  if (Status reserved = journal_->reserve(bytes); !reserved) {
    book_.release(held);
    return std::unexpected(std::move(reserved).error());
  }
  held.reserved_bytes = bytes;
  AIMETER_FAULT_POINT("ledger.before_begin");
  auto begun = journal_->append(journal::FrameType::begin, store::encode(begin), {}, nullptr);
  AIMETER_FAULT_POINT("ledger.after_begin");
  if (!begun) {
    journal_->unreserve(bytes);
    book_.release(held);
    return std::unexpected(std::move(begun).error());
  }
  if (begun->wake) deps_.workers.wake(writer_);
  held.begin_frame = begun->frame;
  running_.fetch_add(1, std::memory_order_relaxed);
  return held;
}

Instant EngineLedger::time_of(const HoldAsk& ask) const {
  const Instant at = ask.expected.occurred_at;
  return at == Instant() ? deps_.clock.now() : at;
}

Result<budget::Held> EngineLedger::hold(const HoldAsk& ask) {
  const budget::LocalAccount local = book_.local(ask.account);
  budget::HoldAnswer answer =
      book_.hold(local, {ask.names, ask.need, time_of(ask), catalogue_.load(), budget::Ask::first});
  if (answer.what == budget::HoldAnswer::What::held && !refuses(answer.held, time_of(ask))) {
    if (answer.running_low) note_low(local);
    return begin(std::move(answer.held), ask);
  }
  if (answer.what == budget::HoldAnswer::What::held) book_.release(answer.held);
  struct Answered {
    base::Gate gate;
    base::Mutex mutex;
    bool gone = false;
    std::optional<Result<budget::Held>> result;
  };
  const auto answered = std::make_shared<Answered>();
  hold(ask, [this, answered](Result<budget::Held> result) {
    {
      const base::Lock lock(answered->mutex);
      if (answered->gone) {  // the caller went away: nobody would ever end this hold
        if (result) release(*std::move(result), "the caller did not wait");
        return;
      }
      answered->result = std::move(result);
    }
    answered->gate.advance(1);
  });
  const bool in_time = deps_.workers.wait(answered->gate, 1, 2 * options_.hold_wait);
  const base::Lock lock(answered->mutex);
  if (in_time || answered->result) return *std::move(answered->result);
  answered->gone = true;
  return fail(Code::unavailable, "the store did not answer within hold_wait; retry");
}

void EngineLedger::hold(const HoldAsk& ask, HoldDone done) {
  const budget::LocalAccount local = book_.local(ask.account);
  budget::HoldAnswer answer =
      book_.hold(local, {ask.names, ask.need, time_of(ask), catalogue_.load(), budget::Ask::first});
  if (answer.what == budget::HoldAnswer::What::held) {
    if (!refuses(answer.held, time_of(ask))) {
      if (answer.running_low) note_low(local);
      done(begin(std::move(answer.held), ask));
      return;
    }
    book_.release(answer.held);
  }
  {
    const base::Lock lock(queue_mutex_);
    queue_.push_back({ask, std::move(done), deps_.clock.boot() + options_.hold_wait});
  }
  deps_.workers.wake(control_);
}

void EngineLedger::release(budget::Held held, std::string_view reason) {
  book_.release(held);
  running_.fetch_sub(1, std::memory_order_relaxed);
  if (journal_ == nullptr) return;
  std::string payload = encode_release({held.number, std::string(reason)});
  // It takes the room of the settlement that does not come: a full disk has some for it. One that
  // is lost all the same makes an orphan, not a wrong count.
  const auto released = journal_->append(journal::FrameType::release, std::move(payload),
                                         {held.reserved_bytes, held.begin_frame}, nullptr);
  if (!released) {
    journal_->unreserve(held.reserved_bytes);
  } else if (released->wake) {
    deps_.workers.wake(writer_);
  }
}

// ---------------------------------------------------------------- settlements

SettleOutcome EngineLedger::outcome_of(budget::Crossings crossed, budget::LocalAccount local,
                                       const store::Settlement& settlement) const {
  return {.check = book_.check(local, names_of(settlement), budget::Need{.requests = 0}),
          .crossed_approaching = crossed.crossed_approaching,
          .crossed_reached = crossed.crossed_reached};
}

Result<EngineLedger::Written> EngineLedger::write(SettleOutcome&& outcome,
                                                  store::Settlement&& settlement,
                                                  const journal::Uses& uses) {
  settlement.hold_engine = engine_;
  Written written{.outcome = std::move(outcome)};
  store::Seq seq = 0;
  if (journal_ == nullptr) {
    const base::Lock lock(memory_mutex_);
    seq = settlement.seq = ++memory_seq_;
    tail_.push(std::move(settlement), 0);
  } else {
    std::string payload = store::encode(settlement);
    AIMETER_TRY(const journal::Appended appended,
                journal_->append(journal::FrameType::settle, std::move(payload), uses,
                                 [&](const journal::Appended& at) {
                                   settlement.seq = at.seq;
                                   tail_.push(std::move(settlement), at.frame);
                                 }));
    seq = appended.seq;
    written.ticket = options_.durability == Durability::store ? seq : appended.frame;
    written.wake = appended.wake;
  }
  written.outcome.row = store::row_id(engine_, seq);
  // Into a file few large transactions go; what is waited for, or kept in memory, goes at once.
  if (options_.durability == Durability::store || journal_ == nullptr) {
    deps_.workers.wake(projector_);
  }
  return written;
}

Result<EngineLedger::Written> EngineLedger::settle_now(const budget::Held& held,
                                                       store::Settlement&& settlement) {
  running_.fetch_sub(1, std::memory_order_relaxed);
  settlement.hold = held.number;
  settlement.epoch = held.epoch;
  settlement.pins.capped = held.capped;
  const budget::SettledBudgets settled = book_.settle(held, actual_of(settlement));
  settlement.budgets.clear();
  settlement.budgets.reserve(settled.parts.size());
  for (const budget::SettledPart& part : settled.parts) {
    if (part.would_refuse) settlement.flags |= store::kWouldRefuse;
    settlement.budgets.push_back({.key = *part.key,
                                  .held = part.held,
                                  .actual = part.actual,
                                  .limit = part.limit,
                                  .blocking = part.blocking,
                                  .shadow = part.shadow,
                                  .would_refuse = part.would_refuse,
                                  .counted = part.counted});
  }
  pin_charge(settlement, held.terms->limits);
  SettleOutcome outcome = outcome_of(settled, held.account, settlement);
  return write(std::move(outcome), std::move(settlement), {held.reserved_bytes, held.begin_frame});
}

Result<SettleOutcome> EngineLedger::settle(budget::Held held, store::Settlement&& settlement) {
  AIMETER_TRY(Written written, settle_now(held, std::move(settlement)));
  AIMETER_CHECK_OK(wait(written));
  return std::move(written.outcome);
}

void EngineLedger::settle(budget::Held held, store::Settlement&& settlement, SettleDone done) {
  Result<Written> written = settle_now(held, std::move(settlement));
  if (!written) {
    done(std::unexpected(std::move(written).error()));
    return;
  }
  if (written->wake) deps_.workers.wake(writer_);
  when_durable(written->ticket, [outcome = std::move(written->outcome),
                                 done = std::move(done)](Status status) mutable {
    if (!status) {
      done(std::unexpected(std::move(status).error()));
    } else {
      done(std::move(outcome));
    }
  });
}

// Counts the parts that the settlement names, and fills what their leases give up.
SettleOutcome EngineLedger::count_unheld(store::Settlement& settlement) {
  const budget::LocalAccount local = book_.local(settlement.account);
  budget::SettledParts parts;
  for (const store::BudgetPart& part : settlement.budgets) {
    parts.push_back({.key = &part.key, .actual = part.actual, .limit = part.limit});
  }
  const budget::Crossings crossed = book_.count(local, {parts.data(), parts.size()});
  for (std::size_t i = 0; i < parts.size(); ++i) {
    settlement.budgets[i].held = parts[i].held;
    settlement.budgets[i].counted = parts[i].counted;
  }
  return outcome_of(crossed, local, settlement);
}

Status EngineLedger::name_budgets(const budget::Names& names, store::Settlement& settlement) {
  const budget::LocalAccount local = book_.local(settlement.account);
  AIMETER_TRY(const std::shared_ptr<const budget::Terms> terms,
              this->terms(settlement.account, settlement.occurred_at));
  if (terms == book_.terms(local)) {
    AIMETER_CHECK_OK(make_ready(settlement.account, names, settlement.occurred_at));
  }
  const budget::Actual actual = actual_of(settlement);
  settlement.budgets.clear();
  for (const plans::ConcreteBudget& budget : terms->limits.budgets) {
    store::BudgetPart part{
        .key = budget::key_of(settlement.account, budget, budget::scope_name(budget.scope, names)),
        .actual = actual.of(budget.kind, budget.currency),
        .limit = budget.limit,
        .blocking = budget.blocking(),
        .shadow = budget.limit && budget.enforcement == Enforcement::shadow};
    const auto same = [&](const store::BudgetPart& other) { return other.key == part.key; };
    if (std::ranges::none_of(settlement.budgets, same)) {
      settlement.budgets.push_back(std::move(part));
    }
  }
  if (terms->wallet && budget::mode_of(*terms, names) == BillingMode::credits) {
    settlement.budgets.push_back({.key = budget::key_of(settlement.account, *terms->wallet, {}),
                                  .actual = actual.of(BudgetKind::credits, terms->wallet->currency),
                                  .blocking = terms->wallet->blocking()});
  }
  pin_charge(settlement, terms->limits);
  pin_terms_at(settlement, terms->limits, deps_.clock.now());
  return {};
}

// Room first: what is counted is written, or the journal has failed.
Result<Ledger::Recorded> EngineLedger::write_unheld(store::Settlement settlement) {
  std::size_t bytes = 0;
  if (journal_ != nullptr) {
    bytes = store::encoded_bytes_max(settlement);
    AIMETER_CHECK_OK(journal_->reserve(bytes));
  }
  settlement.epoch = epoch_.load();
  SettleOutcome outcome = count_unheld(settlement);
  AIMETER_TRY(Written written,
              write(std::move(outcome), std::move(settlement), {.reserved_bytes = bytes}));
  if (written.wake) deps_.workers.wake(writer_);
  return Recorded{std::move(written.outcome), written.ticket};
}

Result<Ledger::Recorded> EngineLedger::record(const budget::Names& names,
                                              store::Settlement settlement) {
  AIMETER_CHECK_OK(name_budgets(names, settlement));
  return write_unheld(std::move(settlement));
}

Result<Ledger::Recorded> EngineLedger::adjust(store::Settlement settlement) {
  // What is not in memory would be counted with the store's next word only: a limit in force could
  // miss it until then.
  std::vector<budget::BudgetKey> keys;
  for (const store::BudgetPart& part : settlement.budgets) keys.push_back(part.key);
  const budget::LocalAccount local = book_.local(settlement.account);
  if (const auto unknown = book_.unknown_of(local, keys); !unknown.empty()) {
    AIMETER_CHECK_OK(learn(local, unknown));
  }
  if ((settlement.flags & store::kDuplicate) == 0) settlement.flags |= store::kAdjustment;
  return write_unheld(std::move(settlement));
}

// ---------------------------------------------------------------- durability

base::Gate& EngineLedger::durable_gate() {
  return options_.durability == Durability::store ? applied_ : journal_->written();
}

Status EngineLedger::durable(std::uint64_t ticket) const {
  if (journal_ == nullptr) return {};
  const bool by_store = options_.durability == Durability::store;
  if (ticket <= (by_store ? applied_.passed() : journal_->last_written())) return {};
  // It may be on the disk: then the next opening records it.
  if (const std::optional<Error> error = journal_->failed()) {
    return fail(Code::in_doubt,
                "the journal failed, the call may not be recorded: " + error->message);
  }
  return fail(Code::in_doubt,
              "the engine closed before the call was " +
                  std::string(by_store ? "in the store" : "on the disk") +
                  "; whoever opens the store next records it if it is in the journal");
}

Status EngineLedger::wait(std::uint64_t ticket) { return wait(Written{.ticket = ticket}); }

Status EngineLedger::wait(const Written& written) {
  const bool for_journal = options_.durability == Durability::journal;
  if (written.wake && !for_journal) deps_.workers.wake(writer_);
  const bool awaited = written.ticket != 0 && journal_ != nullptr;
  if (!awaited || options_.durability == Durability::memory) return {};
  const bool in_time =
      written.wake && for_journal
          ? deps_.workers.wake_and_wait(writer_, durable_gate(), written.ticket, kDurableWaitMax)
          : deps_.workers.wait(durable_gate(), written.ticket, kDurableWaitMax);
  if (in_time) return durable(written.ticket);
  return fail(Code::in_doubt, "the settlement was not written within 60 s; look the key up");
}

void EngineLedger::when_durable(std::uint64_t ticket, std::move_only_function<void(Status)> done) {
  if (ticket == 0 || journal_ == nullptr || options_.durability == Durability::memory) {
    done({});
    return;
  }
  {
    const base::Lock lock(done_mutex_);
    waiting_.push_back({ticket, std::move(done)});
  }
  if (durable_gate().passed() >= ticket) run_done(durable_gate().passed());
}

void EngineLedger::run_done(std::uint64_t passed) {
  std::vector<Waiting> ready;
  {
    const base::Lock lock(done_mutex_);
    std::deque<Waiting> still;
    for (Waiting& waiting : waiting_) {
      if (waiting.ticket > passed) {
        still.push_back(std::move(waiting));
      } else {
        ready.push_back(std::move(waiting));
      }
    }
    waiting_.swap(still);
  }
  for (Waiting& waiting : ready) waiting.done(durable(waiting.ticket));
}

// Who waits for the callbacks of event loops is left to the writer's thread.
bool EngineLedger::write_for_one() {
  static_cast<void>(journal_->run_once());
  if (!journal_->rests() || journal_->failed()) return false;
  const base::Lock lock(done_mutex_);
  return waiting_.empty();
}

bool EngineLedger::write_round() {
  const bool more = journal_->run_once();
  if (!more && journal_->failed()) {
    run_done(~std::uint64_t{0});  // nothing more will be written
  } else if (options_.durability == Durability::journal) {
    run_done(journal_->written().passed());  // also of the rounds of write_for_one()
  }
  let_store_catch_up();
  return more;
}

store::Seq EngineLedger::backlog() const {
  const store::Seq applied = applied_.passed(), newest = tail_.newest();
  return newest > applied ? newest - applied : 0;
}

// Callers wait for the next round: the projector has the processor, the longer the further it is
// behind. So they come to the pace of the store, and do not wait for whole transactions of it.
void EngineLedger::let_store_catch_up() {
  constexpr base::Wait kLongest = std::chrono::milliseconds(50);
  const store::Seq behind = backlog();
  if (behind < options_.far_behind || store_refuses_.load()) return;
  constexpr store::Seq kSteepness = 4;  // the longest wait a quarter of far_behind further on
  const store::Seq beyond =
      std::min(kSteepness * (behind - options_.far_behind + 1), options_.far_behind);
  deps_.workers.wait(applied_, applied_.passed() + 1, kLongest * beyond / options_.far_behind);
}

// ---------------------------------------------------------------- reads

Result<LimitCheck> EngineLedger::check(const Account& account, const budget::Names& names,
                                       const budget::Need& requested) {
  AIMETER_CHECK_OK(make_ready(account, names, deps_.clock.now()));
  const budget::LocalAccount local = book_.local(account);
  const auto terms = book_.terms(local);
  if (terms && terms->wallet && budget::mode_of(*terms, names) == BillingMode::credits) {
    // A top-up elsewhere is no change of the catalogue: nothing but the store tells of it.
    AIMETER_CHECK_OK(learn(local, {budget::key_of(account, *terms->wallet, {})}));
  }
  return book_.check(local, names, requested);
}

std::shared_ptr<const budget::Terms> EngineLedger::past_terms(budget::LocalAccount account,
                                                              Instant at) const {
  const base::Lock lock(past_mutex_);
  const auto known = past_.find(account);
  if (known == past_.end()) return nullptr;
  for (const auto& terms : known->second) {
    if (terms->catalogue == catalogue_.load() && terms->limits.valid.contains(at)) return terms;
  }
  return nullptr;
}

Result<std::shared_ptr<const budget::Terms>> EngineLedger::terms(const Account& account,
                                                                 Instant at) {
  constexpr std::size_t kPastKept = 4;  // periods of an account that a history import hops between
  const budget::LocalAccount local = book_.local(account);
  const auto good = [&](const std::shared_ptr<const budget::Terms>& terms) {
    return terms && terms->catalogue == catalogue_.load() && terms->limits.valid.contains(at);
  };
  if (auto current = book_.terms(local); good(current)) return current;
  if (auto past = past_terms(local, at)) return past;
  AIMETER_TRY(std::shared_ptr<const budget::Terms> read, read_terms(account, at));
  if (read->limits.valid.contains(deps_.clock.now())) {
    book_.set_terms(local, read);
    return read;
  }
  const base::Lock lock(past_mutex_);
  auto& kept = past_[local];
  if (kept.size() >= kPastKept) kept.erase(kept.begin());
  kept.push_back(read);
  return read;
}

Result<store::Changed> EngineLedger::change(const store::Change& change) {
  free_wallet(change.body);
  store::Changed changed;
  {
    const std::scoped_lock lock(lane_);
    AIMETER_TRY(changed, deps_.store.change(change));
    catalogue_.store(changed.catalogue);
    hear_wallet(changed);
  }
  if (!changed.repeated) tell_credits(changed.credits);
  return changed;
}

Status EngineLedger::drain() {
  const store::Seq target = tail_.newest();
  std::uint64_t before = applied_.passed();
  while (applied_.passed() < target) {
    deps_.workers.wake(projector_);
    if (deps_.workers.wait(applied_, target, options_.hold_wait)) break;
    if (applied_.passed() == before) {
      const base::Lock lock(trouble_mutex_);
      return fail(Code::unavailable, "the store is behind this engine" +
                                         (store_trouble_ ? ": " + store_trouble_->message : ""));
    }
    before = applied_.passed();
  }
  return {};
}

Ledger::Health EngineLedger::health() const {
  Health health;
  health.engine = engine_;
  health.backlog = backlog();
  budget::Held leased;
  leased.parts.push_back({.epoch = epoch_.load(), .leased = true});
  if (const std::optional<Error> why = refuses(leased, deps_.clock.now())) {
    health.granting = false;
    health.why_not = why->message;
  }
  if (journal_ != nullptr) health.journal = journal_->failed();
  const base::Lock lock(trouble_mutex_);
  health.store = store_trouble_;
  return health;
}

}  // namespace aimeter::ledger
