#include "budget/book.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <shared_mutex>

#include "base/hash.h"
#include "budget/entry.h"

namespace aimeter::budget {
namespace {

struct AccountHash {
  std::size_t operator()(const Account& account) const {
    const std::uint64_t tenant = base::mix64(account.tenant.text);
    return tenant * 31 + base::mix64(account.billable.type) * 7 + base::mix64(account.billable.id);
  }
};

// A lease that holds less than this part of ten seconds' demand is fetched ahead of need.
constexpr Amount kLowPart = 4;
// A first lease covers some calls of the size at hand, so that a new account does not ask each
// time.
constexpr Amount kFirstCalls = 8;

Amount saturating(Amount a, Amount factor) {
  Amount product = 0;
  return __builtin_mul_overflow(a, factor, &product) ? a : product;
}

// Of a Need or an Actual.
template <class Amounts>
Amount amount_of(const Amounts& amounts, BudgetKind kind) {
  switch (kind) {
    case BudgetKind::tokens:
      return amounts.tokens;
    case BudgetKind::requests:
      return amounts.requests;
    case BudgetKind::cost:
    case BudgetKind::credits:
      return amounts.cost_nanos;
  }
  return 0;
}

}  // namespace

Amount Need::of(BudgetKind kind) const { return amount_of(*this, kind); }

Fit Need::fit(BudgetKind kind) const {
  if (kind == BudgetKind::tokens) return tokens_fit;
  return kind == BudgetKind::cost ? cost_fit : Fit::strict;
}

Amount Actual::of(BudgetKind kind) const { return amount_of(*this, kind); }

bool Held::would_refuse() const {
  return std::ranges::any_of(parts, [](const HeldPart& part) { return part.would_refuse; });
}

struct Book::Table {
  static constexpr std::size_t kShards = 64;
  static constexpr std::size_t kChunk = 1024;
  static constexpr std::size_t kChunks = 16'384;  // 16M accounts

  struct Shard {
    std::shared_mutex mutex;
    boost::unordered_flat_map<Account, LocalAccount, AccountHash> numbers;
  };
  std::array<Shard, kShards> shards;
  std::array<std::atomic<Entry*>, kChunks> chunks{};
  std::mutex grow;
  std::atomic<std::uint32_t> count{0};
  std::atomic<std::uint32_t> epoch{1};
  std::atomic<std::uint64_t> holds{0};
  BookOptions options;

  ~Table() {
    for (auto& chunk : chunks) delete[] chunk.load();
  }
  Entry& entry(LocalAccount account) {
    return chunks[account / kChunk].load(std::memory_order_acquire)[account % kChunk];
  }
  LocalAccount add(const Account& account);
};

LocalAccount Book::Table::add(const Account& account) {
  const std::scoped_lock lock(grow);
  const std::uint32_t number = count.load();
  AIMETER_ASSERT(number / kChunk < kChunks);
  auto& chunk = chunks[number / kChunk];
  if (chunk.load() == nullptr) chunk.store(new Entry[kChunk], std::memory_order_release);
  Entry& added = chunk.load()[number % kChunk];
  {
    const base::SpinGuard locked(added.lock);
    added.account = account;
    added.approaching_hundredths = options.approaching_percent * 100;
  }
  count.store(number + 1, std::memory_order_release);
  return number;
}

Book::Book(BookOptions options) : table_(std::make_unique<Table>()) { table_->options = options; }
Book::~Book() = default;

LocalAccount Book::local(const Account& account) {
  auto& shard = table_->shards[AccountHash{}(account) % Table::kShards];
  {
    const std::shared_lock lock(shard.mutex);
    const auto at = shard.numbers.find(account);
    if (at != shard.numbers.end()) return at->second;
  }
  const std::unique_lock lock(shard.mutex);
  const auto at = shard.numbers.find(account);
  if (at != shard.numbers.end()) return at->second;
  const LocalAccount number = table_->add(account);
  shard.numbers.emplace(account, number);
  return number;
}

void Book::set_terms(LocalAccount account, std::shared_ptr<const Terms> terms) {
  Entry& entry = table_->entry(account);
  const base::SpinGuard lock(entry.lock);
  entry.adopt(std::move(terms));
}

std::shared_ptr<const Terms> Book::terms(LocalAccount account) const {
  Entry& entry = table_->entry(account);
  const base::SpinGuard lock(entry.lock);
  return entry.terms;
}

void Book::hear(LocalAccount account, const StoreWord& word) {
  Entry& entry = table_->entry(account);
  const std::uint32_t epoch = table_->epoch.load();
  const base::SpinGuard lock(entry.lock);
  std::uint32_t at = entry.find(word.key);
  const bool first = at == Entry::kNowhere;
  if (first) at = entry.add(word.key, epoch);
  Counter& counter = entry.counters[at];
  counter.used = word.used;
  counter.free += word.granted;
  counter.leased_elsewhere = word.leased_elsewhere;
  counter.held_elsewhere = word.held_elsewhere;
  if (first && counter.limit) {  // what was crossed before this engine knew of it was told before
    const Percent percent = Percent::of(counter.used_view(), *counter.limit);
    counter.told_approaching = percent.hundredths >= entry.approaching_hundredths;
    counter.told_reached = counter.used_view() >= *counter.limit;
  }
  counter.check();
}

namespace {

Short short_of(const BudgetKey& key, const Counter& counter, Amount need) {
  const Amount missing = counter.least(need) - counter.free;
  const Amount first = saturating(std::max<Amount>(need, 1), kFirstCalls);
  return {.key = key,
          .need = counter.least(need),
          .free = counter.free,
          .ask = std::max({missing, counter.demand(), first}),
          .limit = counter.limit.value_or(0)};
}

bool running_low(const Counter& counter) {
  return counter.blocking && counter.free < counter.demand() / kLowPart;
}

}  // namespace

HoldAnswer Book::hold(LocalAccount account, const HoldCall& call) {
  HoldAnswer answer;
  Entry& entry = table_->entry(account);
  std::vector<std::uint32_t> places;
  const base::SpinGuard lock(entry.lock);
  if (entry.stale(call.at, call.catalogue)) return answer;
  places.reserve(entry.terms->limits.budgets.size());
  entry.places_of(call.names, places, answer.unknown);
  if (!answer.unknown.empty()) {
    answer.what = HoldAnswer::What::unknown_budgets;
    return answer;
  }
  for (const std::uint32_t at : places) {  // all are checked, then all are taken
    Counter& counter = entry.counters[at];
    const Amount wanted = call.need.of(counter.kind);
    if (!counter.blocking || counter.fits_lease(wanted)) continue;
    const bool may_cap = call.need.fit(counter.kind) == Fit::may_cap && *counter.limit > 0;
    if (call.ask == Ask::first) {
      answer.shorts.push_back(short_of(entry.key(counter), counter, wanted));
    } else if (may_cap && counter.may_be_capped()) {
      answer.held.capped = true;
    } else {
      entry.refuse(counter, call.need, answer);
      return answer;
    }
  }
  if (!answer.shorts.empty()) {
    answer.what = HoldAnswer::What::short_of;
    return answer;
  }
  answer.what = HoldAnswer::What::held;
  answer.held.account = account;
  answer.held.number = table_->holds.fetch_add(1, std::memory_order_relaxed) + 1;
  answer.held.terms = entry.terms;
  answer.held.parts.reserve(places.size());
  for (const std::uint32_t at : places) {
    Counter& counter = entry.counters[at];
    Amount amount = call.need.of(counter.kind);
    if (counter.blocking) amount = std::min(amount, counter.free);
    HeldPart part = counter.take(amount, call.at);
    part.slot = at;
    answer.held.epoch = std::max(answer.held.epoch, part.epoch);
    answer.running_low = answer.running_low || running_low(counter);
    answer.held.parts.push_back(part);
  }
  return answer;
}

HoldAnswer Book::ready(LocalAccount account, const Names& names, Instant now,
                       std::uint64_t catalogue) const {
  HoldAnswer answer;
  Entry& entry = table_->entry(account);
  std::vector<std::uint32_t> places;
  const base::SpinGuard lock(entry.lock);
  if (entry.stale(now, catalogue)) return answer;
  entry.places_of(names, places, answer.unknown);
  answer.what = answer.unknown.empty() ? HoldAnswer::What::held : HoldAnswer::What::unknown_budgets;
  return answer;
}

void Book::release(const Held& held) {
  Entry& entry = table_->entry(held.account);
  const base::SpinGuard lock(entry.lock);
  for (const HeldPart& part : held.parts) {
    entry.counters[part.slot].put_back(part);
    entry.drop_if_done(part.slot);
  }
}

namespace {

void note_crossed(Counter& counter, std::int64_t approaching_hundredths, SettledBudgets& settled) {
  if (!counter.limit || counter.shadow) return;
  const Percent percent = Percent::of(counter.used_view(), *counter.limit);
  if (percent.hundredths >= approaching_hundredths) {
    settled.crossed_approaching |= !std::exchange(counter.told_approaching, true);
  }
  if (counter.used_view() >= *counter.limit) {
    settled.crossed_reached |= !std::exchange(counter.told_reached, true);
  }
}

}  // namespace

SettledBudgets Book::settle(const Held& held, const Names& names, const Actual& actual) {
  SettledBudgets settled;
  settled.parts.reserve(held.parts.size());
  Entry& entry = table_->entry(held.account);
  const base::SpinGuard lock(entry.lock);
  for (const HeldPart& part : held.parts) {
    Counter& counter = entry.counters[part.slot];
    const Amount counted = actual.of(counter.kind);
    const Amount gives = counter.settle(part, counted);
    settled.parts.push_back({.key = entry.key(counter),
                             .held = gives,
                             .actual = counted,
                             .limit = part.limit,
                             .blocking = part.leased,
                             .shadow = part.shadow,
                             .would_refuse = part.would_refuse});
    note_crossed(counter, entry.approaching_hundredths, settled);
  }
  settled.check = entry.check(names, Need{.requests = 0});
  return settled;
}

SettledBudgets Book::count(LocalAccount account, const Names& names,
                           std::vector<SettledPart> parts) {
  SettledBudgets settled;
  Entry& entry = table_->entry(account);
  const base::SpinGuard lock(entry.lock);
  for (SettledPart& part : parts) {
    const std::uint32_t at = entry.find(part.key);
    part.counted = at != Entry::kNowhere;
    part.held = 0;
    if (!part.counted) continue;
    Counter& counter = entry.counters[at];
    const HeldPart nothing = counter.take(0, counter.last_use);
    part.held = counter.settle(nothing, part.actual);
    note_crossed(counter, entry.approaching_hundredths, settled);
  }
  settled.parts = std::move(parts);
  settled.check = entry.check(names, Need{.requests = 0});
  return settled;
}

void Book::detach(const Held& held) {
  Entry& entry = table_->entry(held.account);
  const base::SpinGuard lock(entry.lock);
  for (const HeldPart& part : held.parts) entry.counters[part.slot].detach(part);
}

SettledBudgets Book::count_detached(LocalAccount account, const Names& names,
                                    std::vector<SettledPart> parts) {
  SettledBudgets settled;
  Entry& entry = table_->entry(account);
  const base::SpinGuard lock(entry.lock);
  for (SettledPart& part : parts) {
    const std::uint32_t at = entry.find(part.key);
    part.counted = at != Entry::kNowhere;
    if (!part.counted) continue;
    Counter& counter = entry.counters[at];
    counter.undrained_actual += part.actual;
    ++counter.undrained;
    note_crossed(counter, entry.approaching_hundredths, settled);
  }
  settled.parts = std::move(parts);
  settled.check = entry.check(names, Need{.requests = 0});
  return settled;
}

std::vector<SettledPart> Book::parts_of(const Held& held) const {
  std::vector<SettledPart> parts;
  Entry& entry = table_->entry(held.account);
  const base::SpinGuard lock(entry.lock);
  for (const HeldPart& part : held.parts) {
    parts.push_back({.key = entry.key(entry.counters[part.slot]),
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
    const std::uint32_t at = entry.find(sum.key);
    if (at == Entry::kNowhere) continue;  // a record of another period: never in memory
    Counter& counter = entry.counters[at];
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
    const std::uint32_t at = entry.find(word.key);
    if (at == Entry::kNowhere) continue;
    entry.counters[at].used = word.used;
    entry.drop_if_done(at);
  }
}

LimitCheck Book::check(LocalAccount account, const Names& names, const Need& requested) const {
  Entry& entry = table_->entry(account);
  const base::SpinGuard lock(entry.lock);
  return entry.check(names, requested);
}

std::vector<Book::Back> Book::take_back(std::span<const BudgetKey> keys) {
  std::vector<Back> backs;
  for (const BudgetKey& key : keys) {
    Entry& entry = table_->entry(local(key.account));
    const base::SpinGuard lock(entry.lock);
    const std::uint32_t at = entry.find(key);
    if (at == Entry::kNowhere || entry.counters[at].free == 0) continue;
    backs.push_back({key, std::exchange(entry.counters[at].free, 0)});
  }
  return backs;
}

std::vector<Book::Back> Book::take_idle(Instant now, Duration idle) {
  std::vector<Back> backs;
  const std::uint32_t count = table_->count.load(std::memory_order_acquire);
  for (LocalAccount account = 0; account < count; ++account) {
    Entry& entry = table_->entry(account);
    const base::SpinGuard lock(entry.lock);
    for (std::uint32_t at = 0; at < entry.counters.size(); ++at) {
      Counter& counter = entry.counters[at];
      counter.last_use = std::min(counter.last_use, now);  // the clock may have gone back
      const bool over = !counter.in_terms || !counter.blocking || counter.span.end <= now;
      if (counter.free > 0 && (over || now - counter.last_use >= idle)) {
        backs.push_back({entry.key(counter), std::exchange(counter.free, 0)});
      }
      if (!counter.in_terms) entry.drop_if_done(at);
    }
  }
  return backs;
}

std::vector<Book::Back> Book::held_of(std::span<const BudgetKey> keys) const {
  std::vector<Back> held;
  for (const BudgetKey& key : keys) {
    Entry& entry = table_->entry(const_cast<Book*>(this)->local(key.account));
    const base::SpinGuard lock(entry.lock);
    const std::uint32_t at = entry.find(key);
    if (at != Entry::kNowhere) held.push_back({key, entry.counters[at].held_leased});
  }
  return held;
}

void Book::ended_elsewhere(std::span<const Back> parts) {
  for (const Back& part : parts) {
    Entry& entry = table_->entry(local(part.key.account));
    const base::SpinGuard lock(entry.lock);
    const std::uint32_t at = entry.find(part.key);
    if (at != Entry::kNowhere) entry.counters[at].end_elsewhere(part.amount);
  }
}

void Book::new_epoch(std::uint32_t epoch) {
  table_->epoch.store(epoch);
  const std::uint32_t count = table_->count.load(std::memory_order_acquire);
  for (LocalAccount account = 0; account < count; ++account) {
    Entry& entry = table_->entry(account);
    const base::SpinGuard lock(entry.lock);
    for (Counter& counter : entry.counters) {
      counter.epoch = epoch;
      counter.free = counter.held_leased = counter.undrained_held = 0;
    }
  }
}

std::uint32_t Book::epoch() const { return table_->epoch.load(); }

}  // namespace aimeter::budget
