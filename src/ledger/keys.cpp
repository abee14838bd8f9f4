#include "ledger/keys.h"

namespace aimeter::ledger {

// Lately settled keys that a stripe keeps although the store has them: saves look-ups of quick
// retries.
constexpr std::size_t kSettledKept = 1'024;
constexpr std::uint64_t kSeqMask = (std::uint64_t{1} << store::kSeqBits) - 1;

KeyBook::KeyBook(Source source, base::Workers& workers, Duration wait_max)
    : source_(std::move(source)), workers_(workers), wait_max_(wait_max) {}

std::shared_ptr<KeyBook::Flight> KeyBook::board(const base::Key16& key) {
  Stripe& at = stripe(key);
  const base::Lock lock(at.mutex);
  const auto [place, fresh] = at.in_flight.try_emplace(key, nullptr);
  if (!fresh) return place->second;
  place->second = std::make_shared<Flight>();
  return nullptr;
}

Result<KeyEntry> KeyBook::look(const store::KeyRef& key) {
  std::optional<store::KeySeen> seen;
  {
    Stripe& at = stripe(key.key);
    const base::Lock lock(at.mutex);
    const auto place = at.settled.find(key.key);
    if (place != at.settled.end()) seen = place->second;
  }
  const bool is_fresh = !seen && knows_all_.load() && !filter_.may_hold(key.key);
  if (!seen && !is_fresh) {
    Result<std::optional<store::KeySeen>> found = source_.find(key.key);
    if (!found) {
      leave(key, 0);
      return std::unexpected(std::move(found).error());
    }
    seen = *found;
  }
  if (!seen) return KeyEntry{};
  leave(key, 0);  // nothing new will be settled under it
  if (seen->content != key.content) {
    return fail(Code::conflict,
                "idempotency_key: it was used before for a call with other content; use a new key "
                "for a new call");
  }
  return KeyEntry{.what = KeyEntry::What::seen, .seen = *seen};
}

Result<KeyEntry> KeyBook::enter(const store::KeyRef& key) {
  while (const std::shared_ptr<Flight> first = board(key.key)) {
    if (!workers_.wait(first->landed, 1, wait_max_)) {
      return fail(Code::unavailable,
                  "idempotency_key: a call with the same key is still running; retry later");
    }
  }
  return look(key);
}

void KeyBook::enter(const store::KeyRef& key, Ledger::KeyDone done) {
  Stripe& at = stripe(key.key);
  {
    const base::Lock lock(at.mutex);
    const auto [place, fresh] = at.in_flight.try_emplace(key.key, nullptr);
    if (!fresh) {
      auto shared = std::make_shared<Ledger::KeyDone>(std::move(done));
      place->second->waiting.push_back([this, key, shared] { enter(key, std::move(*shared)); });
      return;
    }
    place->second = std::make_shared<Flight>();
  }
  done(look(key));
}

void KeyBook::leave(const store::KeyRef& key, std::int64_t row) {
  std::shared_ptr<Flight> flight;
  std::vector<std::function<void()>> waiting;
  {
    Stripe& at = stripe(key.key);
    const base::Lock lock(at.mutex);
    const auto place = at.in_flight.find(key.key);
    if (place == at.in_flight.end()) return;
    flight = place->second;
    waiting.swap(flight->waiting);
    at.in_flight.erase(place);
    if (row != 0) {
      filter_.add(key.key);
      at.settled[key.key] = {.row = row, .content = key.content};
      at.order.push_back({key.key, static_cast<std::uint64_t>(row) & kSeqMask});
    }
    const store::Seq applied = applied_.load(std::memory_order_relaxed);
    while (at.order.size() > kSettledKept && at.order.front().seq <= applied) {
      at.settled.erase(at.order.front().key);
      at.order.pop_front();
    }
  }
  flight->landed.advance(1);
  for (const auto& again : waiting) again();
}

void KeyBook::others(int open, store::EngineId newest) {
  alone_ = open == 0;
  newest_ = newest;
  if (alone_ && newest == walked_ && !walking_) return;
  knows_all_.store(false);
  if (!alone_) {
    walking_ = false;
    walked_ = 0;
  } else if (newest != walked_) {
    walking_ = true;
    walked_ = newest;
    walk_at_ = {};
  }
}

bool KeyBook::learn() {
  if (!walking_) return false;
  const Result<store::KeyPage> page = source_.walk(walk_at_);
  if (!page) return false;  // again at the next turn; until then every key is looked up
  for (const base::Key16& key : page->keys) filter_.add(key);
  walk_at_ = page->next;
  if (page->more) return true;
  walking_ = false;
  knows_all_.store(true);
  return false;
}

void KeyBook::applied(store::Seq seq) { applied_.store(seq, std::memory_order_relaxed); }

}  // namespace aimeter::ledger
