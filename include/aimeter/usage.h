// Package:       usage
// Units:         Tokens, Money, Instant; a row id is engine << 40 | seq.
// Errors:        invalid_argument naming the field; unavailable when the store is away.
// Thread safety: values; a UsageQuery is used once by one thread.
// Ownership:     a UsageQuery shares the reader of its engine.
//
// What was used: records, and queries that always stay inside one tenant.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aimeter/money.h"
#include "aimeter/period.h"
#include "aimeter/pricing.h"
#include "aimeter/provider.h"
#include "aimeter/result.h"
#include "aimeter/tenant.h"

namespace aimeter {

struct UsageRecord {
  std::int64_t id = 0;
  Account account = {};
  std::string user_id = {}, provider = {}, model = {}, feature = {}, api_key = {}, session = {};
  Usage usage = {};
  Money input_cost = {}, output_cost = {}, total_cost = {};
  CostSource cost_source = CostSource::book;
  bool estimated = false;  // the usage is the hold's: the answer carried none
  bool unpriced = false;   // provisional: the cost is the hold's, or of the known parts
  bool duplicate = false, late = false, adjustment = false;
  std::int64_t adjusts = 0;  // row id of the usage that an adjustment corrects
  std::string price_version = {}, plan = {};
  std::int64_t subscription_id = 0;
  Meta meta = {};
  std::string idempotency_key = {};  // as given; a stored record keeps only its digest
  Instant occurred_at = {};
};

struct UsageTotals {
  std::int64_t calls = 0;
  Tokens input_tokens = {}, cached_input_tokens = {}, output_tokens = {}, total_tokens = {};
  Money total_cost = {};
  std::int64_t estimated_calls = 0, provisional_calls = 0;
};

struct UsageRecorded {
  UsageRecord record = {};
};

// Which rows: everything given must hold. `tenant` empty = all tenants (operators only).
struct UsageFilter {
  std::optional<TenantId> tenant = {};
  std::optional<Billable> billable = {};
  std::optional<std::string> user = {}, provider = {}, model = {}, feature = {};
  std::optional<std::pair<std::string, std::string>> meta = {};
  std::optional<Instant> from = {}, to = {};  // [from, to)
  bool with_duplicates = false;               // unbilled duplicates as well
};

struct UsagePage {
  std::vector<UsageRecord> records = {};
  std::string next = {};  // cursor; empty = no more
};

// The port behind UsageQuery; the engine implements it over its store.
class UsageReader {
 public:
  virtual ~UsageReader() = default;
  [[nodiscard]] virtual Result<UsagePage> page(const UsageFilter& filter, std::string_view cursor,
                                               std::size_t limit) const = 0;
  [[nodiscard]] virtual Result<std::vector<UsageTotals>> totals(
      const UsageFilter& filter) const = 0;  // one a currency
};

constexpr std::size_t kPageMax = 10'000;

class [[nodiscard]] UsageQuery {  // always inside one tenant
 public:
  UsageQuery(std::shared_ptr<const UsageReader> reader, TenantId tenant);
  UsageQuery(const UsageQuery&) = default;
  UsageQuery(UsageQuery&&) noexcept = default;
  // By value: `query = std::move(query).by_user("x")` assigns a query to itself.
  UsageQuery& operator=(UsageQuery other) noexcept {
    std::swap(reader_, other.reader_);
    std::swap(filter_, other.filter_);
    std::swap(bad_, other.bad_);
    return *this;
  }
  UsageQuery&& for_billable(Billable who) &&;
  template <HasBillable T>
  UsageQuery&& for_billable(const T& who) && {
    return std::move(*this).for_billable(Billable(billable_of(who)));
  }
  UsageQuery&& by_user(std::string_view id) &&;
  UsageQuery&& by_provider(std::string_view name) &&;
  UsageQuery&& by_model(std::string_view name) &&;
  UsageQuery&& by_feature(std::string_view name) &&;
  UsageQuery&& by_meta(std::string_view key, std::string_view value) &&;
  UsageQuery&& in_period(Instant start, std::optional<Instant> end = std::nullopt) &&;
  UsageQuery&& in_period(Period::Span span) && {
    return std::move(*this).in_period(span.start, span.end);
  }
  UsageQuery&& with_duplicates() &&;

  [[nodiscard]] Result<std::vector<UsageRecord>> get()
      const;  // at most kPageMax rows, oldest first
  // Several currencies: failed_precondition; sum_by_currency() answers.
  [[nodiscard]] Result<UsageTotals> sum() const;
  [[nodiscard]] Result<std::vector<UsageTotals>> sum_by_currency() const;
  // All rows by cursor, oldest first; `row` returns false to stop.
  [[nodiscard]] Status each(const std::function<bool(const UsageRecord&)>& row) const;

 private:
  [[nodiscard]] Status check() const;
  std::shared_ptr<const UsageReader> reader_;
  UsageFilter filter_;
  std::optional<Error> bad_;  // the first bad argument: every read reports it
};

}  // namespace aimeter
