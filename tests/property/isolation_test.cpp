// Random work of tenants whose names look alike and whose users, billables, keys, plans and rows
// have the same names, against a naive model that keeps each tenant in a box of its own. Whatever
// is passed, an answer is what the box says. AIMETER_SEED=N runs that one seed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"
#include "base/hash.h"
#include "drivers/builtin.h"
#include "tenancy/api_key.h"

namespace aimeter {
namespace {

// "" is single-tenant use; the others are prefixes, look-alikes and what a careless query trips on.
const std::vector<std::string> kTenants = {"",
                                           "a",
                                           "A",
                                           "a ",
                                           "acme",
                                           "\xD0\xB0"
                                           "cme",
                                           "acme/1",
                                           "acme%",
                                           "ac",
                                           "ac_e",
                                           "caf\xC3\xA9",
                                           "cafe\xCC\x81",
                                           "tenant",
                                           "' OR 1=1 --",
                                           "\"",
                                           "../ac",
                                           "acme;acme",
                                           "0"};
const std::vector<std::string> kUsers = {"u", "U", "u1", "acme", "' OR ''='"};
const std::vector<std::string> kSlugs = {"pro", "Pro", "mine", "basic"};
const std::vector<std::string> kFeatures = {"chat", "mail"};
constexpr Duration kSecond = std::chrono::seconds(1);

struct Row {
  std::int64_t id = 0;
  Billable billable = {};
  std::string user = {}, feature = {};
  std::int64_t input = 0, output = 0, adjusts = 0;
  bool duplicate = false;
};
struct Key {
  std::string text = {};
  bool revoked = false;
  Instant expires_at = {};
};
struct Box {                                 // one tenant
  std::map<std::string, Key> api_keys = {};  // by id
  std::vector<Row> rows = {};
  std::map<std::string, std::int64_t> plans = {};  // private: slug -> limit
  std::map<Billable, std::string> subscribed = {};
  std::map<Billable, std::int64_t> overrides = {};
  std::map<std::string, std::int64_t> keys = {};  // key -> row
  std::map<std::string, std::string> content = {};
  std::int64_t recorded_events = 0;

  [[nodiscard]] std::int64_t used(const Billable& who) const {
    std::int64_t sum = 0;
    for (const Row& row : rows) {
      if (row.billable == who && !row.duplicate) sum += row.input + row.output;
    }
    return sum;
  }
};

std::string text(const Row& row) {
  return fmt::format("{} {}/{} user={} feature={} {}+{} of {}{}", row.id, row.billable.type,
                     row.billable.id, row.user, row.feature, row.input, row.output, row.adjusts,
                     row.duplicate ? " duplicate" : "");
}
std::string text(const UsageRecord& record) {
  return text(Row{.id = record.id,
                  .billable = record.account.billable,
                  .user = record.user_id,
                  .feature = record.feature,
                  .input = record.usage.input_tokens.count,
                  .output = record.usage.output_tokens.count,
                  .adjusts = record.adjusts,
                  .duplicate = record.duplicate});
}

class World {
 public:
  World(std::string dsn, std::uint64_t seed) : dsn_(std::move(dsn)), random_(seed) {
    store_ = dsn_ == "memory:" ? store::make_memory_store(clock_)
                               : drivers::open_store(dsn_, {.clock = &clock_}).value();
    OpenOptions options{.clock = &clock_, .tenant_resolver = "api_key", .tenant_required = false};
    options.ports.store = store_.get();
    ConfiguredPrice price = ConfiguredPrice::parse("price", "0.0025", "0.010").value();
    price.provider = "trace";
    price.model = "fixed";
    options.pricing.configured = {price};
    options.journal.durability = "memory";
    engine_.emplace(open(dsn_, std::move(options)).value());
    listeners_.push_back(engine_->events().on<UsageRecorded>([this](const UsageRecorded& event) {
      ++boxes_[event.record.account.tenant.text].recorded_events;
    }));
    listeners_.push_back(engine_->events().on<LimitReached>(
        [this](const LimitReached& event) { limit_events_.insert(event.account.tenant.text); }));
    for (const std::string& slug : {std::string("pro"), std::string("basic")}) {
      operator_[slug] = 2'000 + below(2'000);
      EXPECT_TRUE(engine_->admin().create_plan(plan_of(slug, operator_[slug])));
    }
  }

  void step() {
    clock_.advance(kSecond);
    tenant_ = pick(kTenants);
    limit_events_.clear();
    switch (below(17)) {
      case 0:
        return subscribe();
      case 1:
        return create_plan();
      case 2:
        return override_limits();
      case 3:
        return adjust();
      case 4:
        return below(6) == 0 ? erase_user() : look_up_a_row();
      case 5:
        return check_contract();
      case 6:
        return query();
      case 7:
        return page_with_a_foreign_cursor();
      case 8:
      case 9:
        return record();
      case 14:
        return create_key();
      case 15:
        return below(4) == 0 ? revoke_key() : list_keys();
      case 16:
        return use_a_key();
      default:
        return call();
    }
  }

  void expect_all() {
    std::int64_t rows = 0, events = 0;
    for (const std::string& tenant : kTenants) {
      tenant_ = tenant;
      SCOPED_TRACE("tenant \"" + tenant + "\"");
      expect_rows(view().usages().with_duplicates(), [](const Row&) { return true; }, true);
      rows += static_cast<std::int64_t>(
          std::ranges::count_if(box().rows, [](const Row& row) { return !row.duplicate; }));
      events += box().recorded_events;
      for (const std::string& other : kTenants) {
        if (other != tenant) {
          EXPECT_EQ(testing::leaks_between(*engine_, tenant, other), std::vector<std::string>());
        }
      }
    }
    EXPECT_GT(rows, 0);
    EXPECT_GT(events, 0);
    EXPECT_TRUE(engine_->drain());
    engine_.reset();
    store_.reset();
    if (dsn_ == "memory:") return;
    const auto store = drivers::open_store(dsn_, {}).value();
    const auto verified = store->verify([](std::int64_t, std::int64_t) { return true; });
    ASSERT_TRUE(verified) << verified.error().message;
    for (const store::Finding& finding : verified->findings) {
      ADD_FAILURE() << finding.check << " " << finding.where << ": " << finding.message;
    }
  }

 private:
  std::int64_t below(std::int64_t end) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(end));
  }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[static_cast<std::size_t>(below(static_cast<std::int64_t>(from.size())))];
  }
  Billable any_billable() {
    const std::vector<Billable> all = {{"tenant", tenant_.empty() ? "acme" : tenant_},
                                       {"tenant", "acme"},
                                       {"team", "9"},
                                       {"user", "u"}};
    return pick(all);
  }
  [[nodiscard]] TenantView view() const { return engine_->tenant(tenant_); }
  Box& box() { return boxes_[tenant_]; }
  static Plan plan_of(const std::string& slug, std::int64_t limit) {
    return {.name = slug, .slug = slug, .monthly_token_limit = Tokens{limit}};
  }
  [[nodiscard]] std::optional<std::int64_t> plan_limit(const std::string& slug) {
    if (const auto own = box().plans.find(slug); own != box().plans.end()) return own->second;
    if (const auto shared = operator_.find(slug); shared != operator_.end()) return shared->second;
    return std::nullopt;
  }
  [[nodiscard]] std::optional<std::int64_t> limit(const Billable& who) {
    if (const auto over = box().overrides.find(who); over != box().overrides.end())
      return over->second;
    const auto plan = box().subscribed.find(who);
    return plan == box().subscribed.end() ? std::nullopt : plan_limit(plan->second);
  }
  // A row of anybody: most are another tenant's.
  std::pair<std::string, std::int64_t> any_row() {
    const std::string& whose = pick(kTenants);
    const std::vector<Row>& rows = boxes_[whose].rows;
    if (rows.empty()) return {whose, 0};
    return {whose, pick(rows).id};
  }
  Row* find(std::int64_t id) {
    for (Row& row : box().rows) {
      if (row.id == id) return &row;
    }
    return nullptr;
  }

  // ---- what changes a box

  struct Made {
    Row row = {};
    std::string key = {}, content = {};
  };
  // Keyed calls of all tenants have the same keys and, most of them, the same content.
  Made any_usage() {
    Made made;
    made.row.billable = any_billable();
    made.row.user = pick(kUsers);
    made.row.feature = pick(kFeatures);
    made.row.input = below(100);
    made.row.output = 1 + below(100);
    if (below(3) == 0) {
      const std::int64_t number = below(6);
      made.key = fmt::format("k{}", number);
      made.row.billable = {"team", "9"};
      made.row.user = kUsers[0];
      made.row.feature = kFeatures[0];
      made.row.input = 10 + number;
      made.row.output = below(8) == 0 ? 2 : 1;
    }
    made.content = fmt::format("{}", made.row.output);
    return made;
  }

  void call() {
    const Made made = any_usage();
    const Row& row = made.row;
    Meter meter = engine_->meter()
                      .for_user(row.user)
                      .billable(row.billable)
                      .using_provider("trace", "fixed")
                      .feature(row.feature);
    if (!tenant_.empty()) meter = std::move(meter).for_tenant(tenant_);
    if (!made.key.empty()) meter = std::move(meter).with_idempotency_key(made.key);
    const auto reply =
        std::move(meter)
            .with_manual_usage({.input_tokens = {row.input}, .output_tokens = {row.output}})
            .call([] {});
    SCOPED_TRACE(fmt::format("call of \"{}\" key \"{}\": {}", tenant_, made.key, text(row)));
    if (!made.key.empty() && box().keys.contains(made.key)) return repeated(made, reply);
    const std::optional<std::int64_t> most = limit(row.billable);
    const std::int64_t used = box().used(row.billable);
    if (most && used + row.input + row.output > *most) {
      ASSERT_FALSE(reply);
      ASSERT_EQ(reply.error().code, Code::quota_exceeded) << reply.error().message;
      EXPECT_EQ(reply.error().refusal->limit->count, *most);
      EXPECT_EQ(reply.error().refusal->used->count, used);
      EXPECT_EQ(reply.error().refusal->held->count, 0);
      for (const std::string& whose : limit_events_) EXPECT_EQ(whose, tenant_);
      return;
    }
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->record().account, (Account{{tenant_}, row.billable}));
    if (most) {
      EXPECT_EQ(reply->limit().remaining_tokens->count, *most - used - row.input - row.output);
    }
    keep(made, reply->record().id);
  }
  void keep(const Made& made, std::int64_t id) {
    Row row = made.row;
    row.id = id;
    box().rows.push_back(row);
    if (made.key.empty()) return;
    box().keys[made.key] = id;
    box().content[made.key] = made.content;
  }
  template <class R>
  void repeated(const Made& made, const R& reply) {
    if (box().content[made.key] != made.content) {
      ASSERT_FALSE(reply);
      EXPECT_EQ(reply.error().code, Code::conflict) << reply.error().message;
      return;
    }
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_TRUE(reply->duplicate());
    Row row = made.row;
    row.id = reply->record().id;
    row.duplicate = true;
    box().rows.push_back(row);
  }

  void record() {
    Made made = any_usage();
    if (!made.key.empty()) made.key = "record-" + made.key;
    UsageRecord record{
        .account = {{tenant_}, made.row.billable},
        .user_id = made.row.user,
        .provider = "trace",
        .model = "fixed",
        .feature = made.row.feature,
        .usage = {.input_tokens = {made.row.input}, .output_tokens = {made.row.output}},
        .idempotency_key = made.key};
    const Result<Settled> settled = view().record(record);
    SCOPED_TRACE(fmt::format("record of \"{}\" key \"{}\": {}", tenant_, made.key, text(made.row)));
    const auto before = box().keys.find(made.key);
    if (!made.key.empty() && before != box().keys.end()) {
      if (box().content[made.key] != made.content) {
        ASSERT_FALSE(settled);
        EXPECT_EQ(settled.error().code, Code::conflict);
        return;
      }
      ASSERT_TRUE(settled) << settled.error().message;
      EXPECT_TRUE(settled->duplicate);
      EXPECT_EQ(settled->record.id, before->second) << "the original of this tenant";
      return;
    }
    ASSERT_TRUE(settled) << settled.error().message;
    keep(made, settled->record.id);
    record_into_another_tenant(record);
  }
  void record_into_another_tenant(UsageRecord record) {
    record.account.tenant = {pick(kTenants)};
    record.idempotency_key.clear();
    if (record.account.tenant.text == tenant_ || record.account.tenant.text.empty()) return;
    const Result<Settled> settled = view().record(record);
    EXPECT_FALSE(settled) << "a record that names \"" << record.account.tenant.text << "\"";
  }

  void subscribe() {
    const Billable who = any_billable();
    const std::string slug = pick(kSlugs);
    const auto made = view().subscribe({.billable = who, .plan = slug});
    SCOPED_TRACE(fmt::format("subscribe \"{}\" to {}", tenant_, slug));
    ASSERT_EQ(made.has_value(), plan_limit(slug).has_value());
    if (made) {
      box().subscribed[who] = slug;
    } else {
      EXPECT_EQ(made.error().code, Code::not_found) << made.error().message;
    }
  }

  void create_plan() {
    if (tenant_.empty()) return;
    const std::string slug = pick(kSlugs);
    const std::int64_t most = 500 + below(3'000);
    const auto made = view().create_plan(plan_of(slug, most));
    SCOPED_TRACE(fmt::format("plan {} of \"{}\"", slug, tenant_));
    ASSERT_EQ(made.has_value(), !box().plans.contains(slug));
    if (made) {
      box().plans[slug] = most;
    } else {
      EXPECT_EQ(made.error().code, Code::conflict) << made.error().message;
    }
    expect_plans();
  }
  void expect_plans() {
    std::map<std::string, std::int64_t> own;
    std::size_t shared = 0;
    const auto plans = view().plans();
    ASSERT_TRUE(plans) << plans.error().message;
    for (const Plan& plan : *plans) {
      if (plan.tenant.empty()) {
        ++shared;
      } else {
        EXPECT_EQ(plan.tenant, tenant_);
        own[plan.slug] = plan.monthly_token_limit->count;
      }
    }
    EXPECT_EQ(own, box().plans);
    EXPECT_EQ(shared, operator_.size());
  }

  void override_limits() {
    const Billable who = any_billable();
    const std::int64_t most = 500 + below(4'000);
    const auto done = view().override_limits({.billable = who,
                                              .period_start = clock_.now(),
                                              .period_end = clock_.now() + std::chrono::days(10),
                                              .token_limit = Tokens{most}});
    ASSERT_TRUE(done) << done.error().message;
    box().overrides[who] = most;
  }

  void adjust() {
    const auto [whose, id] = any_row();
    if (id == 0) return;
    const auto done =
        view().adjust({.of = id, .usage = {.output_tokens = {-1}}, .reason = "property"});
    SCOPED_TRACE(fmt::format("\"{}\" adjusts row {} of \"{}\"", tenant_, id, whose));
    const Row* row = find(id);
    if (row == nullptr) {
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().code, Code::not_found) << done.error().message;
      return;
    }
    if (row->duplicate || row->adjusts != 0) {
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().code, Code::invalid_argument) << done.error().message;
      return;
    }
    std::int64_t left = row->output;
    for (const Row& other : box().rows) left += other.adjusts == id ? other.output : 0;
    ASSERT_EQ(done.has_value(), left >= 1) << (done ? "" : done.error().message);
    if (!done) return;
    Row correction = *row;
    correction.id = done->record.id;
    correction.input = 0;
    correction.output = -1;
    correction.adjusts = id;
    box().rows.push_back(correction);
  }

  void erase_user() {
    const std::string user = pick(kUsers);
    std::int64_t rows = 0;
    for (Row& row : box().rows) {
      if (row.user != user) continue;
      row.user.clear();
      ++rows;
    }
    const auto erased = view().erase_user(user);
    ASSERT_TRUE(erased) << erased.error().message;
    EXPECT_EQ(*erased, rows) << "user " << user << " of \"" << tenant_ << "\"";
  }

  // ---- what looks into a box

  void look_up_a_row() {
    const auto [whose, id] = any_row();
    if (id == 0) return;
    SCOPED_TRACE(fmt::format("\"{}\" looks at row {} of \"{}\"", tenant_, id, whose));
    const auto usage = view().usage(id);
    const auto explained = view().explain(id);
    const Row* row = find(id);
    ASSERT_EQ(usage.has_value(), row != nullptr);
    ASSERT_EQ(explained.has_value(), row != nullptr);
    if (row == nullptr) {
      EXPECT_EQ(usage.error().code, Code::not_found);
      EXPECT_EQ(explained.error().code, Code::not_found);
      return;
    }
    EXPECT_EQ(text(*usage), text(*row));
    EXPECT_EQ(text(explained->record), text(*row));
    EXPECT_EQ(explained->record.account.tenant.text, tenant_);
  }

  void check_contract() {
    const Billable who = any_billable();
    SCOPED_TRACE(fmt::format("contract of \"{}\" {}/{}", tenant_, who.type, who.id));
    const auto check = view().check_limit(who);
    ASSERT_TRUE(check) << check.error().message;
    const std::optional<std::int64_t> most = limit(who);
    ASSERT_EQ(check->remaining_tokens.has_value(), most.has_value());
    if (most) {
      EXPECT_EQ(check->limit->count, *most);
      EXPECT_EQ(check->used->count, box().used(who));
    }
    const auto plan = view().active_plan(who);
    const auto subscription = view().active_subscription(who);
    const auto subscribed = box().subscribed.find(who);
    ASSERT_EQ(plan.has_value(), subscribed != box().subscribed.end());
    ASSERT_EQ(subscription.has_value(), plan.has_value());
    if (!plan) return;
    EXPECT_EQ(subscription->plan, subscribed->second);
    EXPECT_EQ(plan->monthly_token_limit->count, *plan_limit(subscribed->second));
  }

  template <class F>
  void expect_rows(UsageQuery query, const F& wanted, bool duplicates) {
    std::vector<std::string> expected, seen;
    UsageTotals sum;
    for (const Row& row : box().rows) {
      if (!wanted(row) || (row.duplicate && !duplicates)) continue;
      expected.push_back(text(row));
      if (row.duplicate) continue;
      sum.calls += row.adjusts == 0 ? 1 : 0;
      sum.input_tokens.count += row.input;
      sum.output_tokens.count += row.output;
    }
    const auto got = query.get();
    ASSERT_TRUE(got) << got.error().message;
    for (const UsageRecord& record : *got) {
      EXPECT_EQ(record.account.tenant.text, tenant_);
      seen.push_back(text(record));
    }
    std::ranges::sort(expected);
    std::ranges::sort(seen);
    EXPECT_EQ(seen, expected);
    const auto total = query.sum();
    ASSERT_TRUE(total) << total.error().message;
    if (duplicates) return;
    EXPECT_EQ(total->calls, sum.calls);
    EXPECT_EQ(total->input_tokens, sum.input_tokens);
    EXPECT_EQ(total->output_tokens, sum.output_tokens);
  }

  void query() {
    UsageQuery query = view().usages();
    std::optional<Billable> billable;
    std::optional<std::string> user, feature;
    if (below(2) == 0) query = std::move(query).for_billable(*(billable = any_billable()));
    if (below(2) == 0) query = std::move(query).by_user(*(user = pick(kUsers)));
    if (below(3) == 0) query = std::move(query).by_feature(*(feature = pick(kFeatures)));
    SCOPED_TRACE(fmt::format("query of \"{}\" user={} feature={}", tenant_, user.value_or("*"),
                             feature.value_or("*")));
    expect_rows(
        std::move(query),
        [&](const Row& row) {
          return (!billable || row.billable == *billable) && (!user || row.user == *user) &&
                 (!feature || row.feature == *feature);
        },
        false);
  }

  void page_with_a_foreign_cursor() {
    const std::string& whose = pick(kTenants);
    const auto page = engine_->admin().usages({.tenant = TenantId{whose}}, {}, 1);
    ASSERT_TRUE(page) << page.error().message;
    const auto next = engine_->admin().usages({.tenant = TenantId{tenant_}}, page->next, kPageMax);
    if (!next) {
      EXPECT_EQ(next.error().code, Code::invalid_argument);
      return;
    }
    for (const UsageRecord& record : next->records) {
      EXPECT_EQ(record.account.tenant.text, tenant_) << "cursor of \"" << whose << "\"";
      EXPECT_NE(find(record.id), nullptr);
    }
  }

  // ---- API keys: their ids are in every tenant's hands, their secrets are not

  // A key of anybody: most are another tenant's.
  std::pair<std::string, std::string> any_key() {
    const std::string& whose = pick(kTenants);
    const std::map<std::string, Key>& keys = boxes_[whose].api_keys;
    if (keys.empty()) return {whose, ""};
    return {whose, std::next(keys.begin(), below(static_cast<std::int64_t>(keys.size())))->first};
  }
  [[nodiscard]] bool is_active(const Key& key) const {
    return !key.revoked && clock_.now() < key.expires_at;
  }

  void create_key() {
    const tenancy::NewApiKey made = tenancy::make_api_key();
    store::ApiKeyRow row{.id = made.id,
                         .tenant = tenant_,
                         .name = "backend",
                         .secret_sha256 = made.secret_sha256,
                         .scopes = {"meter", "read", "act_as_tenant", "admin"},
                         .created_at = clock_.now(),
                         .expires_at = clock_.now() + std::chrono::seconds(1 + below(2'000))};
    ASSERT_TRUE(store_->change({store::PutApiKey{row}, "test"}));
    box().api_keys[made.id] = {.text = made.text, .expires_at = *row.expires_at};
    // Under another tenant's id it must not take that key's place.
    const auto [whose, id] = any_key();
    if (id.empty() || whose == tenant_) return;
    row.id = id;
    const auto taken = store_->change({store::PutApiKey{row}, "test"});
    EXPECT_FALSE(taken) << "\"" << tenant_ << "\" took the key of \"" << whose << "\"";
    EXPECT_EQ(store_->find_api_key(id).value()->tenant, whose);
  }

  void revoke_key() {
    const auto [whose, id] = any_key();
    if (id.empty()) return;
    SCOPED_TRACE(fmt::format("\"{}\" revokes key {} of \"{}\"", tenant_, id, whose));
    const auto done = store_->change({store::RevokeApiKey{{tenant_}, id}, "test"});
    ASSERT_EQ(done.has_value(), whose == tenant_);
    if (whose == tenant_) {
      box().api_keys[id].revoked = true;
    } else {
      EXPECT_EQ(done.error().code, Code::not_found) << done.error().message;
    }
  }

  void list_keys() {
    std::map<std::string, bool> seen, expected;
    const auto keys = store_->api_keys(TenantId{tenant_});
    ASSERT_TRUE(keys) << keys.error().message;
    for (const store::ApiKeyRow& key : *keys) {
      EXPECT_EQ(key.tenant, tenant_);
      seen[key.id] = key.revoked_at.has_value();
    }
    for (const auto& [id, key] : box().api_keys) expected[id] = key.revoked;
    EXPECT_EQ(seen, expected) << "keys of \"" << tenant_ << "\"";
  }

  // A request with a key is its owner's, whoever sends it and whatever else it says.
  void use_a_key() {
    const auto [whose, id] = any_key();
    if (id.empty()) return;
    const Key& key = boxes_[whose].api_keys.at(id);
    const auto [other, other_id] = any_key();
    const bool mixed = !other_id.empty() && other_id != id && below(3) == 0;
    std::string text = key.text;
    if (mixed) text.replace(text.find(id), id.size(), other_id);  // another's id, this secret
    Context context;
    context.header = [&](std::string_view name) -> std::optional<std::string> {
      if (name == "Authorization") return "Bearer " + text;
      if (name == "X-Tenant") return other;
      return std::nullopt;
    };
    SCOPED_TRACE(fmt::format("key {} of \"{}\"{}", id, whose, mixed ? ", mixed" : ""));
    const auto resolved = engine_->resolve_tenant(context);
    Row row{.billable = {"team", "9"}, .user = "u", .feature = "chat", .input = 1, .output = 1};
    const auto reply = engine_->meter(context)
                           .for_user(row.user)
                           .billable(row.billable)
                           .using_provider("trace", "fixed")
                           .feature(row.feature)
                           .with_manual_usage({.input_tokens = {1}, .output_tokens = {1}})
                           .call([] {});
    if (mixed || !is_active(key)) {
      ASSERT_FALSE(resolved);
      EXPECT_EQ(resolved.error().code, Code::unauthenticated) << resolved.error().message;
      ASSERT_FALSE(reply);
      EXPECT_EQ(reply.error().code, Code::unauthenticated) << reply.error().message;
      return;
    }
    ASSERT_TRUE(resolved) << resolved.error().message;
    EXPECT_EQ(resolved->value_or(TenantId{}).text, whose);
    tenant_ = whose;
    const std::optional<std::int64_t> most = limit(row.billable);
    if (most && box().used(row.billable) + 2 > *most) {
      ASSERT_FALSE(reply);
      EXPECT_EQ(reply.error().code, Code::quota_exceeded) << reply.error().message;
      return;
    }
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->record().account.tenant.text, whose);
    row.id = reply->record().id;
    box().rows.push_back(row);
  }

  std::string dsn_;
  std::mt19937_64 random_;
  testing::ManualClock clock_{testing::TestEngine::default_start()};
  std::unique_ptr<store::Store> store_;
  std::optional<Engine> engine_;
  std::vector<Listener> listeners_;
  std::string tenant_;
  std::map<std::string, Box> boxes_;
  std::map<std::string, std::int64_t> operator_;  // its plans
  std::set<std::string> limit_events_;
};

struct Load {
  std::uint64_t seeds = 0;
  int steps = 0;
};
void run_seeds(const std::function<std::string(std::uint64_t)>& dsn, const Load& load) {
  const char* given = std::getenv("AIMETER_SEED");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  const std::uint64_t last = given != nullptr ? first : load.seeds;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(fmt::format("AIMETER_SEED={}", seed));
    World world(dsn(seed), seed);
    for (int i = 0; i < load.steps && !::testing::Test::HasFailure(); ++i) world.step();
    world.expect_all();
    if (::testing::Test::HasFailure()) return;
  }
  std::cout << fmt::format("{} seeds of {} steps, {} tenants\n", last - first + 1, load.steps,
                           kTenants.size());
}

TEST(Isolation, no_tenant_sees_or_moves_anything_of_another_on_memory) {
  run_seeds([](std::uint64_t) { return std::string("memory:"); }, {.seeds = 20, .steps = 1'000});
}

TEST(Isolation, no_tenant_sees_or_moves_anything_of_another_on_sqlite) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() /
                                       ("aimeter-isolation-" + base::hex(base::random_bytes(8)));
  std::filesystem::create_directories(folder);
  run_seeds(
      [&](std::uint64_t seed) { return fmt::format("sqlite:{}/{}.db", folder.string(), seed); },
      {.seeds = 3, .steps = 500});
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace aimeter
