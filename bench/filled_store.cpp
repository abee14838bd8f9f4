#include "bench/filled_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "aimeter/period.h"
#include "bench/scenario.h"
#include "drivers/builtin.h"
#include "store/store.h"

namespace aimeter::bench {
namespace {

constexpr std::size_t kBatch = 16'384;
constexpr std::int64_t kInput = 812, kCached = 512, kOutput = 128;
constexpr std::int64_t kInputCost_nanos = 83'400, kOutputCost_nanos = 76'800;

// A call as the engine settles it, but for what differs from row to row.
store::Settlement pattern() {
  store::Settlement call;
  call.provider = "openai";
  call.model = "gpt-4o-mini";
  call.feature = "chat";
  call.usage.input_tokens.count = kInput;
  call.usage.cached_input_tokens.count = kCached;
  call.usage.output_tokens.count = kOutput;
  call.usage.total_tokens.count = kInput + kOutput;
  call.usage.source = UsageSource::provider;
  call.input_cost.nanos = kInputCost_nanos;
  call.output_cost.nanos = kOutputCost_nanos;
  call.total_cost.nanos = kInputCost_nanos + kOutputCost_nanos;
  call.pins.tenant_found_by = "explicit";
  call.pins.estimate_source = "none";
  return call;
}

class Rows {
 public:
  explicit Rows(const Past& past)
      : past_(past), random_(static_cast<std::uint64_t>(past.from.time_since_epoch().count())) {}

  // The next batch, smaller at the end.
  std::span<const store::Settlement> next(store::Seq after) {
    const auto count = std::min<std::int64_t>(past_.rows - made_, kBatch);
    for (std::int64_t i = 0; i < count; ++i) {
      store::Settlement& call = batch_[static_cast<std::size_t>(i)];
      call.seq = ++after;
      write(call);
    }
    return {batch_.data(), static_cast<std::size_t>(count)};
  }

 private:
  void write(store::Settlement& call) {
    const Duration step = (past_.to - past_.from) / past_.rows;
    call.occurred_at = past_.from + step * made_++;
    const std::string& tenant =
        account_name(random_() % static_cast<std::uint64_t>(past_.accounts));
    call.account = {{tenant}, {"tenant", tenant}};
    if (!month_.contains(call.occurred_at)) {
      month_ = Period({.type = Period::Type::monthly}).at(call.occurred_at);
    }
    call.pins.period = month_;
    call.budgets = {
        {.key = {.account = call.account, .span = month_}, .actual = call.usage.total_tokens.count},
        {.key =
             {.account = call.account, .kind = BudgetKind::cost, .span = month_, .currency = "usd"},
         .actual = call.total_cost.nanos}};
    if (past_.keys == Keys::none) return;
    const std::uint64_t key[2] = {random_(), random_()};
    static_assert(sizeof key == sizeof(base::Key16));
    call.key = store::KeyRef{.content = 7};
    std::memcpy(&call.key->key, key, sizeof key);
  }

  const Past& past_;
  std::mt19937_64 random_;
  std::vector<store::Settlement> batch_{kBatch, pattern()};
  Period::Span month_ = {};
  std::int64_t made_ = 0;
};

}  // namespace

Status fill_store(const std::string& file, const Past& past) {
  const Stopwatch watch;
  AIMETER_TRY(const std::unique_ptr<store::Store> store, drivers::open_store("sqlite:" + file, {}));
  AIMETER_TRY(const store::EngineRef engine, store->open_engine({.host = "bench"}));
  Rows rows(past);
  store::Seq last = 0;
  for (;;) {
    const std::span<const store::Settlement> batch = rows.next(last);
    if (batch.empty()) break;
    AIMETER_TRY(const store::Applied applied,
                store->apply(engine, last, batch, store::Sync::relaxed));
    if (!applied.odd.empty()) return fail(Code::corrupt, "the store refuses rows of the past");
    last = applied.last;
  }
  AIMETER_CHECK_OK(store->close_engine(engine.engine));
  say(fmt::format("  filled with {} rows in {:.1f} s", past.rows, watch.seconds()));
  return {};
}

Past recent_past(std::int64_t rows, Keys keys) {
  const Instant now = system_clock().now();
  const Period::Span month = Period({.type = Period::Type::monthly}).at(now);
  return {.rows = rows,
          .from = std::max(month.start, now - std::chrono::days(1)),
          .to = now,
          .keys = keys};
}

}  // namespace aimeter::bench
