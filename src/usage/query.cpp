#include "aimeter/usage.h"
#include "base/ids.h"

namespace aimeter {
namespace {

constexpr std::size_t kEachPage = 1'000;

void set_checked(std::optional<std::string>& member, std::string_view field, std::string_view value,
                 std::optional<Error>& bad) {
  if (auto good = base::check_id(field, value); !good) {
    if (!bad) bad = std::move(good).error();
  } else {
    member = std::string(value);
  }
}

}  // namespace

UsageQuery::UsageQuery(std::shared_ptr<const UsageReader> reader, TenantId tenant)
    : reader_(std::move(reader)) {
  if (!tenant.text.empty()) {
    if (auto good = base::check_id("tenant", tenant.text); !good) bad_ = std::move(good).error();
  }
  filter_.tenant = std::move(tenant);
}

UsageQuery&& UsageQuery::for_billable(Billable who) && {
  filter_.billable = std::move(who);
  return std::move(*this);
}

UsageQuery&& UsageQuery::by_user(std::string_view id) && {
  set_checked(filter_.user, "user", id, bad_);
  return std::move(*this);
}

UsageQuery&& UsageQuery::by_provider(std::string_view name) && {
  set_checked(filter_.provider, "provider", name, bad_);
  return std::move(*this);
}

UsageQuery&& UsageQuery::by_model(std::string_view name) && {
  set_checked(filter_.model, "model", name, bad_);
  return std::move(*this);
}

UsageQuery&& UsageQuery::by_feature(std::string_view name) && {
  set_checked(filter_.feature, "feature", name, bad_);
  return std::move(*this);
}

UsageQuery&& UsageQuery::by_meta(std::string_view key, std::string_view value) && {
  filter_.meta.emplace(std::string(key), std::string(value));
  return std::move(*this);
}

UsageQuery&& UsageQuery::in_period(Instant start, std::optional<Instant> end) && {
  filter_.from = start;
  filter_.to = end;
  return std::move(*this);
}

UsageQuery&& UsageQuery::with_duplicates() && {
  filter_.with_duplicates = true;
  return std::move(*this);
}

Status UsageQuery::check() const {
  if (bad_) return std::unexpected(*bad_);
  if (filter_.from && filter_.to && *filter_.to < *filter_.from) {
    return bad_input("in_period.end", text_of(*filter_.to), "an instant not before the start");
  }
  return {};
}

Result<std::vector<UsageRecord>> UsageQuery::get() const {
  AIMETER_CHECK_OK(check());
  AIMETER_TRY(UsagePage page, reader_->page(filter_, {}, kPageMax));
  return std::move(page.records);
}

Result<UsageTotals> UsageQuery::sum() const {
  AIMETER_TRY(const std::vector<UsageTotals> sums, sum_by_currency());
  if (sums.empty()) return UsageTotals{};
  if (sums.size() == 1) return sums.front();
  std::string currencies;
  for (const UsageTotals& one : sums) {
    currencies += (currencies.empty() ? "" : ", ") + one.total_cost.currency;
  }
  return fail(Code::failed_precondition, "sum: the rows have costs in several currencies (" +
                                             currencies + "); sum_by_currency() answers");
}

Result<std::vector<UsageTotals>> UsageQuery::sum_by_currency() const {
  AIMETER_CHECK_OK(check());
  return reader_->totals(filter_);
}

Status UsageQuery::each(const std::function<bool(const UsageRecord&)>& row) const {
  AIMETER_CHECK_OK(check());
  std::string cursor;
  do {
    AIMETER_TRY(UsagePage page, reader_->page(filter_, cursor, kEachPage));
    for (const UsageRecord& record : page.records) {
      if (!row(record)) return {};
    }
    cursor = std::move(page.next);
  } while (!cursor.empty());
  return {};
}

}  // namespace aimeter
