#include "budget/book.h"

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>
#include <shared_mutex>

#include "budget/entry.h"

namespace aimeter::budget {
namespace {

// A first lease covers some calls of the size at hand, so that a new account does not ask each
// time.
constexpr Amount kFirstCalls = 8;
// A hold's number is its account's above a count of so many bits: nothing that accounts share.
constexpr int kHoldBits = 40;
// An account that was not used for so long keeps nothing but its name.
constexpr Duration kForgetAfter = std::chrono::minutes(10);

Amount saturating(Amount a, Amount factor) {
  Amount product = 0;
  return __builtin_mul_overflow(a, factor, &product) ? a : product;
}

}  // namespace

BillingMode mode_of(const Terms& terms, const Names& names) {
  if (names.mode) return *names.mode;
  const auto& subscription = terms.limits.subscription;
  return subscription ? subscription->billing_mode : BillingMode::plan;
}

Amount Need::of(BudgetKind kind, std::string_view currency) const {
  if (kind == BudgetKind::tokens) return tokens;
  if (kind == BudgetKind::requests) return requests;
  const Amount nanos = kind == BudgetKind::credits ? credit_nanos : cost_nanos;
  if (nanos == 0 || cost_currency == currency) return nanos;
  if (!exchange.rates) return 0;
  const auto rate = exchange.rates->find(cost_currency, currency, exchange.at);
  if (!rate) return 0;
  const auto converted = currency::convert(nanos, *rate, Rounding::up);
  return converted ? *converted : std::numeric_limits<Amount>::max();  // fits nowhere
}

Amount Actual::of(BudgetKind kind, std::string_view currency) const {
  if (kind == BudgetKind::tokens) return tokens;
  if (kind == BudgetKind::requests) return requests;
  if (cost_nanos == 0 || cost_currency == currency) return cost_nanos;
  return currency::convert_pinned({cost_nanos, cost_currency}, currency, rates, Rounding::half_even)
      .value_or(0);
}

Fit Need::fit(BudgetKind kind) const {
  if (kind == BudgetKind::tokens) return tokens_fit;
  return kind == BudgetKind::cost ? cost_fit : Fit::strict;
}

bool Held::would_refuse() const {
  return std::ranges::any_of(parts, [](const HeldPart& part) { return part.would_refuse; });
}

struct Book::Table {
  static constexpr std::size_t kShards = 64;
  static constexpr std::size_t kChunk = 1024;
  static constexpr std::size_t kChunks = 16'384;  // 16M accounts

  struct Shard {
    std::shared_mutex mutex;
    boost::unordered_flat_map<AccountName, LocalAccount, HashAccount, SameAccount> numbers;
  };
  std::array<Shard, kShards> shards;
  std::array<std::atomic<Entry*>, kChunks> chunks{};
  std::mutex grow;
  AccountNames names;  // under grow
  std::atomic<std::uint32_t> count{0};
  std::atomic<std::uint32_t> epoch{1};
  BookOptions options;

  ~Table() {
    for (auto& chunk : chunks) delete[] chunk.load();
  }
  Entry& entry(LocalAccount account) {
    return chunks[account / kChunk].load(std::memory_order_acquire)[account % kChunk];
  }
  LocalAccount add(const Account& account);
  // Of an entry whose lock is held.
  static Body& body_of(Entry& entry, const BookOptions& options) AIMETER_REQUIRES(entry.lock);
};

Book::Body& Book::Table::body_of(Entry& entry, const BookOptions& options) {
  if (!entry.body) {
    entry.body = std::make_unique<Body>();
    entry.body->approaching_hundredths = options.approaching_percent * 100;
  }
  return *entry.body;
}

LocalAccount Book::Table::add(const Account& account) {
  const std::scoped_lock lock(grow);
  const std::uint32_t number = count.load();
  AIMETER_ASSERT(number / kChunk < kChunks);
  auto& chunk = chunks[number / kChunk];
  if (chunk.load() == nullptr) chunk.store(new Entry[kChunk], std::memory_order_release);
  chunk.load()[number % kChunk].name = names.add(account);
  count.store(number + 1, std::memory_order_release);
  return number;
}

Book::Book(BookOptions options) : table_(std::make_unique<Table>()) { table_->options = options; }
Book::~Book() = default;

LocalAccount Book::local(const Account& account) {
  auto& shard = table_->shards[HashAccount{}(account) % Table::kShards];
  {
    const std::shared_lock lock(shard.mutex);
    const auto at = shard.numbers.find(account);
    if (at != shard.numbers.end()) return at->second;
  }
  const std::unique_lock lock(shard.mutex);
  const auto at = shard.numbers.find(account);
  if (at != shard.numbers.end()) return at->second;
  const LocalAccount number = table_->add(account);
  shard.numbers.emplace(table_->entry(number).name, number);
  return number;
}

void Book::set_terms(LocalAccount account, std::shared_ptr<const Terms> terms) {
  Entry& entry = table_->entry(account);
  const base::SpinGuard lock(entry.lock);
  Table::body_of(entry, table_->options).adopt(std::move(terms));
}

std::shared_ptr<const Terms> Book::terms(LocalAccount account) const {
  Entry& entry = table_->entry(account);
  const base::SpinGuard lock(entry.lock);
  return entry.body ? entry.body->terms : nullptr;
}

void Book::hear(LocalAccount account, const StoreWord& word) {
  Entry& entry = table_->entry(account);
  const std::uint32_t epoch = table_->epoch.load();
  const base::SpinGuard lock(entry.lock);
  Body& body = Table::body_of(entry, table_->options);
  std::uint32_t at = body.find(word.key);
  const bool first = at == Body::kNowhere;
  if (first) at = body.add(word.key, epoch);
  Counter& counter = body.counters[at];
  counter.hear(word);
  counter.free += word.granted;
  counter.check();
  counter.leased_elsewhere = word.leased_elsewhere;
  counter.held_elsewhere = word.held_elsewhere;
  if (first && counter.limit) {  // what was crossed before this engine knew of it was told before
    counter.told_approaching = counter.used_view() >= counter.approaching_at;
    counter.told_reached = counter.used_view() >= *counter.limit;
  }
  counter.check();
}

namespace {

Short short_of(const Counter& counter, Amount need) {
  const Amount missing = counter.least(need) - counter.free;
  const Amount first = saturating(std::max<Amount>(need, 1), kFirstCalls);
  return {.key = *counter.key,
          .need = counter.least(need),
          .free = counter.free,
          .ask = std::max({missing, counter.demand(), first}),
          .limit = counter.limit.value_or(0)};
}

}  // namespace

HoldAnswer Book::hold(LocalAccount account, const HoldCall& call) {
  HoldAnswer answer;
  Entry& entry = table_->entry(account);
  Places found;
  const base::SpinGuard lock(entry.lock);
  if (!entry.body || entry.body->stale(call.at, call.catalogue)) return answer;
  Body& body = *entry.body;
  const auto places = body.places_of(entry.name, call.names, found, answer.unknown);
  if (!answer.unknown.empty()) {
    answer.what = HoldAnswer::What::unknown_budgets;
    return answer;
  }
  const auto wanted_of = [&call](const Counter& counter) {
    return call.need.of(counter.kind, counter.key->currency);
  };
  Counter* lacking = nullptr;
  for (const std::uint32_t at : places) {  // all are checked, then all are taken
    Counter& counter = body.counters[at];
    const Amount wanted = wanted_of(counter);
    if (!counter.blocking || counter.fits_lease(wanted)) continue;
    const bool may_cap = call.need.fit(counter.kind) == Fit::may_cap && !counter.shut();
    if (call.ask == Ask::first) {
      answer.shorts.push_back(short_of(counter, wanted));
    } else if (may_cap && counter.may_be_capped()) {
      answer.held.capped = true;
    } else if (lacking == nullptr || lacking->fits_limit(wanted_of(*lacking))) {
      lacking = &counter;  // a limit that is reached goes before a lease that is not to be had
    }
  }
  if (lacking != nullptr) {
    body.refuse(*lacking, call.need, answer);
    return answer;
  }
  if (!answer.shorts.empty()) {
    answer.what = HoldAnswer::What::short_of;
    return answer;
  }
  answer.what = HoldAnswer::What::held;
  answer.held.account = account;
  answer.held.number = (std::uint64_t{account} << kHoldBits) + ++entry.holds;
  answer.held.terms = body.terms;
  for (const std::uint32_t at : places) {
    Counter& counter = body.counters[at];
    Amount amount = wanted_of(counter);
    if (counter.blocking) amount = std::min(amount, counter.room());
    HeldPart& part = answer.held.parts.emplace_back();  // filled in place: cheaper than a copy
    part.slot = at;
    counter.take(amount, call.at, part);
    answer.held.epoch = std::max(answer.held.epoch, part.epoch);
    answer.running_low |= counter.asks_ahead(call.at);
  }
  return answer;
}

std::vector<Short> Book::shorts_of(LocalAccount account, const HoldCall& call) const {
  std::vector<Short> shorts;
  Entry& entry = table_->entry(account);
  Places found;
  std::vector<BudgetKey> unknown;
  const base::SpinGuard lock(entry.lock);
  if (!entry.body || entry.body->stale(call.at, call.catalogue)) return shorts;
  const Body& body = *entry.body;
  for (const std::uint32_t at : body.places_of(entry.name, call.names, found, unknown)) {
    const Counter& counter = body.counters[at];
    const Amount wanted = call.need.of(counter.kind, counter.key->currency);
    if (counter.blocking && !counter.fits_lease(wanted)) {
      shorts.push_back(short_of(counter, wanted));
    }
  }
  if (!unknown.empty()) shorts.clear();
  return shorts;
}

std::vector<Short> Book::low_of(LocalAccount account, Instant now, std::uint64_t catalogue) const {
  std::vector<Short> shorts;
  Entry& entry = table_->entry(account);
  const base::SpinGuard lock(entry.lock);
  if (!entry.body || entry.body->stale(now, catalogue)) return shorts;
  for (const Counter& counter : entry.body->counters) {
    if (!counter.key || !counter.in_terms || !counter.low()) continue;
    shorts.push_back({.key = *counter.key,
                      .free = counter.free,
                      .ask = counter.demand() - counter.free,
                      .limit = counter.limit.value_or(0)});
  }
  return shorts;
}

HoldAnswer Book::ready(LocalAccount account, const Names& names, Instant now,
                       std::uint64_t catalogue) const {
  HoldAnswer answer;
  Entry& entry = table_->entry(account);
  Places found;
  const base::SpinGuard lock(entry.lock);
  if (!entry.body || entry.body->stale(now, catalogue)) return answer;
  (void)entry.body->places_of(entry.name, names, found, answer.unknown);
  answer.what = answer.unknown.empty() ? HoldAnswer::What::held : HoldAnswer::What::unknown_budgets;
  return answer;
}

std::vector<BudgetKey> Book::unknown_of(LocalAccount account,
                                        std::span<const BudgetKey> keys) const {
  std::vector<BudgetKey> unknown;
  Entry& entry = table_->entry(account);
  const base::SpinGuard lock(entry.lock);
  for (const BudgetKey& key : keys) {
    const bool known = entry.body && entry.body->find(key) != Body::kNowhere;
    if (!known) unknown.push_back(key);
  }
  return unknown;
}

void Book::release(const Held& held) {
  Entry& entry = table_->entry(held.account);
  const base::SpinGuard lock(entry.lock);
  for (const HeldPart& part : held.parts) {
    entry.body->counters[part.slot].put_back(part);
    entry.body->drop_if_done(part.slot);
  }
}

namespace {

void note_crossed(Counter& counter, Crossings& crossed) {
  if (!counter.limit || counter.shadow || counter.kind == BudgetKind::credits) return;
  const Amount used = counter.used_view();
  if (used >= counter.approaching_at) {
    crossed.crossed_approaching |= !std::exchange(counter.told_approaching, true);
  }
  if (used >= *counter.limit) {
    crossed.crossed_reached |= !std::exchange(counter.told_reached, true);
  }
}

}  // namespace

SettledBudgets Book::settle(const Held& held, const Actual& actual) {
  SettledBudgets settled;
  Entry& entry = table_->entry(held.account);
  const base::SpinGuard lock(entry.lock);
  for (const HeldPart& part : held.parts) {
    Counter& counter = entry.body->counters[part.slot];
    const Amount counted = actual.of(counter.kind, counter.key->currency);
    const Amount gives = counter.settle(part, counted);
    SettledPart& given = settled.parts.emplace_back();
    given.key = counter.key.get();
    given.held = gives;
    given.actual = counted;
    given.limit = part.limit;
    given.blocking = part.leased;
    given.shadow = part.shadow;
    given.would_refuse = part.would_refuse;
    note_crossed(counter, settled);
  }
  return settled;
}

Crossings Book::count(LocalAccount account, std::span<SettledPart> parts) {
  Crossings crossed;
  Entry& entry = table_->entry(account);
  const base::SpinGuard lock(entry.lock);
  for (SettledPart& part : parts) {
    const std::uint32_t at = entry.body ? entry.body->find(*part.key) : Body::kNowhere;
    part.counted = at != Body::kNowhere;
    part.held = 0;
    if (!part.counted) continue;
    Counter& counter = entry.body->counters[at];
    HeldPart nothing;
    counter.take(0, counter.last_use, nothing);
    part.held = counter.settle(nothing, part.actual);
    note_crossed(counter, crossed);
  }
  return crossed;
}

void Book::detach(const Held& held) {
  Entry& entry = table_->entry(held.account);
  const base::SpinGuard lock(entry.lock);
  for (const HeldPart& part : held.parts) entry.body->counters[part.slot].detach(part);
}

Crossings Book::count_detached(LocalAccount account, std::span<SettledPart> parts) {
  Crossings crossed;
  Entry& entry = table_->entry(account);
  const base::SpinGuard lock(entry.lock);
  for (SettledPart& part : parts) {
    const std::uint32_t at = entry.body ? entry.body->find(*part.key) : Body::kNowhere;
    part.counted = at != Body::kNowhere;
    if (!part.counted) continue;
    Counter& counter = entry.body->counters[at];
    counter.undrained_actual += part.actual;
    ++counter.undrained;
    note_crossed(counter, crossed);
  }
  return crossed;
}

SettledParts Book::parts_of(const Held& held) const {
  SettledParts parts;
  Entry& entry = table_->entry(held.account);
  const base::SpinGuard lock(entry.lock);
  for (const HeldPart& part : held.parts) {
    parts.push_back({.key = entry.body->counters[part.slot].key.get(),
                     .held = part.held,
                     .limit = part.limit,
                     .blocking = part.leased,
                     .shadow = part.shadow,
                     .would_refuse = part.would_refuse});
  }
  return parts;
}

void Book::applied(std::span<const AppliedPart> sums, std::span<const StoreWord> words) {
  for (const AppliedPart& sum : sums) {
    Entry& entry = table_->entry(local(sum.key.account));
    const base::SpinGuard lock(entry.lock);
    const std::uint32_t at = entry.body ? entry.body->find(sum.key) : Body::kNowhere;
    if (at == Body::kNowhere) continue;  // a record of another period: never in memory
    Counter& counter = entry.body->counters[at];
    if (counter.epoch == sum.epoch) counter.undrained_held -= sum.held;
    counter.held -= sum.detached;
    if (counter.epoch == sum.epoch) counter.hold_elsewhere(sum.detached);
    counter.end_elsewhere(sum.ended);
    counter.undrained_actual -= sum.actual;
    counter.undrained -= sum.settlements;
    counter.check();
  }
  for (const StoreWord& word : words) {
    Entry& entry = table_->entry(local(word.key.account));
    const base::SpinGuard lock(entry.lock);
    const std::uint32_t at = entry.body ? entry.body->find(word.key) : Body::kNowhere;
    if (at == Body::kNowhere) continue;
    entry.body->counters[at].hear(word);
    entry.body->counters[at].check();
    entry.body->drop_if_done(at);
  }
}

LimitCheck Book::check(LocalAccount account, const Names& names, const Need& requested) const {
  Entry& entry = table_->entry(account);
  const base::SpinGuard lock(entry.lock);
  return entry.body ? entry.body->check(names, requested) : LimitCheck{};
}

std::vector<Book::Back> Book::take_back(std::span<const BudgetKey> keys) {
  std::vector<Back> backs;
  for (const BudgetKey& key : keys) {
    Entry& entry = table_->entry(local(key.account));
    const base::SpinGuard lock(entry.lock);
    const std::uint32_t at = entry.body ? entry.body->find(key) : Body::kNowhere;
    if (at == Body::kNowhere || entry.body->counters[at].free == 0) continue;
    backs.push_back({key, std::exchange(entry.body->counters[at].free, 0)});
  }
  return backs;
}

std::vector<Book::Back> Book::take_idle(Instant now, Duration idle) {
  std::vector<Back> backs;
  const std::uint32_t count = table_->count.load(std::memory_order_acquire);
  for (LocalAccount account = 0; account < count; ++account) {
    Entry& entry = table_->entry(account);
    const base::SpinGuard lock(entry.lock);
    if (!entry.body) continue;
    Body& body = *entry.body;
    for (std::uint32_t at = 0; at < body.counters.size(); ++at) {
      Counter& counter = body.counters[at];
      if (!counter.key) continue;
      counter.last_use = std::min(counter.last_use, now);  // the clock may have gone back
      const bool over = !counter.in_terms || !counter.blocking || counter.key->span.end <= now;
      if (counter.free > 0 && (over || now - counter.last_use >= idle)) {
        backs.push_back({*counter.key, std::exchange(counter.free, 0)});
      }
      if (!counter.in_terms) body.drop_if_done(at);
    }
    if (!body.in_use_since(now - kForgetAfter)) entry.body.reset();
  }
  return backs;
}

std::vector<Book::Back> Book::held_of(std::span<const BudgetKey> keys) const {
  std::vector<Back> held;
  for (const BudgetKey& key : keys) {
    Entry& entry = table_->entry(const_cast<Book*>(this)->local(key.account));
    const base::SpinGuard lock(entry.lock);
    const std::uint32_t at = entry.body ? entry.body->find(key) : Body::kNowhere;
    if (at != Body::kNowhere) held.push_back({key, entry.body->counters[at].held_leased});
  }
  return held;
}

void Book::ended_elsewhere(std::span<const Back> parts) {
  for (const Back& part : parts) {
    Entry& entry = table_->entry(local(part.key.account));
    const base::SpinGuard lock(entry.lock);
    const std::uint32_t at = entry.body ? entry.body->find(part.key) : Body::kNowhere;
    if (at != Body::kNowhere) entry.body->counters[at].end_elsewhere(part.amount);
  }
}

void Book::new_epoch(std::uint32_t epoch) {
  table_->epoch.store(epoch);
  const std::uint32_t count = table_->count.load(std::memory_order_acquire);
  for (LocalAccount account = 0; account < count; ++account) {
    Entry& entry = table_->entry(account);
    const base::SpinGuard lock(entry.lock);
    if (!entry.body) continue;
    for (Counter& counter : entry.body->counters) {
      counter.epoch = epoch;
      counter.free = counter.held_leased = counter.undrained_held = 0;
    }
  }
}

std::uint32_t Book::epoch() const { return table_->epoch.load(); }

}  // namespace aimeter::budget
