#include <gtest/gtest.h>

#include "aimeter/usage.h"

namespace aimeter {
namespace {

// Answers from a vector, three rows a page, and remembers the filter.
class ThreeAPage final : public UsageReader {
 public:
  std::vector<UsageRecord> rows = {};
  std::vector<UsageTotals> sums = {};
  mutable std::vector<UsageFilter> asked = {};

  Result<UsagePage> page(const UsageFilter& filter, std::string_view cursor,
                         std::size_t limit) const override {
    asked.push_back(filter);
    const std::size_t from = cursor.empty() ? 0 : std::stoul(std::string(cursor));
    UsagePage page;
    for (std::size_t i = from;
         i < rows.size() && page.records.size() < std::min<std::size_t>(limit, 3); ++i) {
      page.records.push_back(rows[i]);
    }
    const std::size_t next = from + page.records.size();
    if (next < rows.size()) page.next = std::to_string(next);
    return page;
  }
  Result<std::vector<UsageTotals>> totals(const UsageFilter& filter) const override {
    asked.push_back(filter);
    return sums;
  }
};

UsageRecord row(std::int64_t id) { return UsageRecord{.id = id}; }

TEST(UsageQuery, a_query_stays_inside_its_tenant_whatever_is_asked) {
  auto reader = std::make_shared<ThreeAPage>();
  ASSERT_TRUE(UsageQuery(reader, TenantId{"acme"})
                  .for_billable(Billable{"user", "1"})
                  .by_user("42")
                  .by_meta("tenant", "other")
                  .get());
  ASSERT_EQ(reader->asked.size(), 1U);
  EXPECT_EQ(reader->asked[0].tenant, TenantId{"acme"});
  EXPECT_EQ(reader->asked[0].user, "42");
  EXPECT_FALSE(reader->asked[0].with_duplicates);
}

TEST(UsageQuery, each_walks_all_pages_and_stops_when_told) {
  auto reader = std::make_shared<ThreeAPage>();
  for (int i = 1; i <= 8; ++i) reader->rows.push_back(row(i));
  std::vector<std::int64_t> seen;
  ASSERT_TRUE(UsageQuery(reader, TenantId{"acme"}).each([&](const UsageRecord& record) {
    seen.push_back(record.id);
    return true;
  }));
  EXPECT_EQ(seen, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  seen.clear();
  ASSERT_TRUE(UsageQuery(reader, TenantId{"acme"}).each([&](const UsageRecord& record) {
    seen.push_back(record.id);
    return record.id < 4;
  }));
  EXPECT_EQ(seen, (std::vector<std::int64_t>{1, 2, 3, 4}));
}

TEST(UsageQuery, sums_of_several_currencies_are_never_one_number) {
  auto reader = std::make_shared<ThreeAPage>();
  EXPECT_EQ(UsageQuery(reader, TenantId{"acme"}).sum()->calls, 0);
  reader->sums = {UsageTotals{.calls = 2, .total_cost = Money{5, "usd"}}};
  EXPECT_EQ(UsageQuery(reader, TenantId{"acme"}).sum()->total_cost, (Money{5, "usd"}));
  reader->sums.push_back(UsageTotals{.calls = 1, .total_cost = Money{7, "eur"}});
  const auto sum = UsageQuery(reader, TenantId{"acme"}).sum();
  ASSERT_FALSE(sum);
  EXPECT_EQ(sum.error().code, Code::failed_precondition);
  EXPECT_NE(sum.error().message.find("usd, eur"), std::string::npos) << sum.error().message;
  EXPECT_EQ(UsageQuery(reader, TenantId{"acme"}).sum_by_currency()->size(), 2U);
}

TEST(UsageQuery, the_first_bad_argument_is_kept_and_nothing_is_read) {
  const struct {
    std::string_view sentence;
    std::string tenant, user, model;
    std::string_view names;
  } rows[] = {
      {"a tenant with a control character", "a\nb", "42", "m", "tenant"},
      {"an empty user", "acme", "", "m", "user"},
      {"a model that is no UTF-8", "acme", "42", "\xff", "model"},
      {"the first of two", "acme", "", "\xff", "user"},
  };
  for (const auto& one : rows) {
    SCOPED_TRACE(one.sentence);
    auto reader = std::make_shared<ThreeAPage>();
    const auto got =
        UsageQuery(reader, TenantId{one.tenant}).by_user(one.user).by_model(one.model).get();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::invalid_argument);
    EXPECT_EQ(got.error().message.find(one.names), 0U) << got.error().message;
    EXPECT_TRUE(reader->asked.empty());
  }
  auto reader = std::make_shared<ThreeAPage>();
  const auto got = UsageQuery(reader, TenantId{"acme"})
                       .in_period(Instant(Duration(2)), Instant(Duration(1)))
                       .get();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::invalid_argument);
  EXPECT_TRUE(reader->asked.empty());
}

TEST(UsageQuery, the_tenant_of_single_tenant_use_is_a_tenant) {
  auto reader = std::make_shared<ThreeAPage>();
  ASSERT_TRUE(UsageQuery(reader, TenantId{}).get());
  EXPECT_EQ(reader->asked.at(0).tenant, TenantId{});
}

}  // namespace
}  // namespace aimeter
