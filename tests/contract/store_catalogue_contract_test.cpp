// Plans, contracts, tenants, domains, keys and price books: changes and what is read of them.
#include "tests/contract/store_contract.h"

namespace aimeter::store::contract {
namespace {

using namespace fixture;

Plan plan_of(std::string tenant, std::string slug, std::int64_t limit = 1'000) {
  Plan plan{.name = slug, .slug = slug, .monthly_token_limit = Tokens{limit}};
  plan.tenant = std::move(tenant);
  return plan;
}
Subscription subscription_of(const Account& account, std::string plan) {
  return {.billable = account.billable, .plan = std::move(plan), .started_at = kNoon};
}
UsageLimitOverride override_of(const Account& account, std::int64_t tokens) {
  return {.billable = account.billable,
          .period_start = kMarch.start,
          .period_end = kMarch.end,
          .token_limit = Tokens{tokens}};
}
ApiKeyRow key_row(std::string tenant, std::string id) {
  ApiKeyRow key{.id = std::move(id), .tenant = std::move(tenant), .name = "ci"};
  key.secret_sha256 = base::sha256("secret");
  key.scopes = {"meter", "read"};
  key.created_at = kNoon;
  return key;
}

class CatalogueContract : public StoreContract {
 protected:
  plans::Contract contract(const Account& account) {
    const auto state = store().load_account(account, kNoon);
    EXPECT_TRUE(state) << state.error().message;
    return state ? state->contract : plans::Contract{};
  }
  std::int64_t limit_of(const std::string& tenant, std::string_view slug) {
    const auto plan = store().find_plan({tenant}, slug);
    EXPECT_TRUE(plan);
    return plan && *plan && (*plan)->monthly_token_limit ? (*plan)->monthly_token_limit->count : -1;
  }
  const Account acme_ = account_of("acme"), zeta_ = account_of("zeta");
};

// ---- Plans.

TEST_P(CatalogueContract, APlanIsKeptAsItWasGiven) {
  Plan plan = plan_of("acme", "pro");
  plan.name = "Pro \xE2\x82\xAC";
  plan.monthly_cost_limit = Money{1'500'000'000, "eur"};
  plan.overage_price_per_1k_tokens = Money{150'000, "usd"};
  plan.features = {"chat", "images"};
  plan.trial_days = 14;
  plan.stripe_price_id = "price_1";
  plan.period = Period::Options{.type = Period::Type::weekly, .timezone = "Europe/Berlin"};
  plan.overage_behavior = OverageBehavior::allow;
  plan.overage_cap = Money{25'000'000'000, "usd"};
  plan.overage_markup = Percent{1'250};
  plan.enforcement = Enforcement::shadow;
  plan.budgets = {{.kind = BudgetKind::cost, .scope = BudgetScope::user, .limit = 5}};
  plan.id = change(PutPlan{plan}).id;
  EXPECT_NE(plan.id, 0);
  const auto found = store().find_plan({"acme"}, "pro");
  ASSERT_TRUE(found && *found);
  const Plan& kept = **found;
  EXPECT_EQ(kept.id, plan.id);
  EXPECT_EQ(kept.version, 1);
  EXPECT_EQ(kept.name, plan.name);
  EXPECT_EQ(kept.tenant, "acme");
  EXPECT_EQ(kept.monthly_token_limit, plan.monthly_token_limit);
  EXPECT_EQ(kept.monthly_cost_limit, plan.monthly_cost_limit);
  EXPECT_EQ(kept.overage_price_per_1k_tokens, plan.overage_price_per_1k_tokens);
  EXPECT_EQ(kept.features, plan.features);
  EXPECT_EQ(kept.trial_days, 14);
  EXPECT_EQ(kept.stripe_price_id, "price_1");
  EXPECT_EQ(kept.period, plan.period);
  EXPECT_EQ(kept.overage_behavior, plan.overage_behavior);
  EXPECT_EQ(kept.overage_cap, plan.overage_cap);
  EXPECT_EQ(kept.overage_markup, plan.overage_markup);
  EXPECT_EQ(kept.enforcement, plan.enforcement);
  EXPECT_EQ(kept.budgets, plan.budgets);
  EXPECT_TRUE(kept.is_active);
}

TEST_P(CatalogueContract, APlanWithoutLimitsStaysWithoutLimits) {
  change(PutPlan{{.name = "free", .slug = "free", .is_active = false}});
  const auto found = store().find_plan({""}, "free");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->monthly_token_limit, std::nullopt);
  EXPECT_EQ((*found)->monthly_cost_limit, std::nullopt);
  EXPECT_EQ((*found)->overage_price_per_1k_tokens, std::nullopt);
  EXPECT_EQ((*found)->trial_days, std::nullopt);
  EXPECT_EQ((*found)->period, std::nullopt);
  EXPECT_EQ((*found)->overage_behavior, std::nullopt);
  EXPECT_EQ((*found)->overage_cap, std::nullopt);
  EXPECT_EQ((*found)->overage_markup, std::nullopt);
  EXPECT_FALSE((*found)->is_active);
}

TEST_P(CatalogueContract, AChangedPlanIsItsNextVersion) {
  Plan plan = plan_of("", "pro", 100);
  plan.id = change(PutPlan{plan}).id;
  plan.monthly_token_limit = Tokens{200};
  EXPECT_EQ(change(PutPlan{plan}).id, plan.id) << "the id stays";
  const auto found = store().find_plan({"acme"}, "pro");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->version, 2);
  EXPECT_EQ((*found)->monthly_token_limit->count, 200);
  EXPECT_EQ(store().plans(std::nullopt)->size(), 1U) << "only the one in force is listed";
}

TEST_P(CatalogueContract, ASlugIsUniqueInItsTenantAndLookedUpThereFirst) {
  change(PutPlan{plan_of("", "pro", 1)});
  EXPECT_EQ(limit_of("acme", "pro"), 1) << "the operator's catalogue is visible to all";
  change(PutPlan{plan_of("acme", "pro", 2)});
  EXPECT_EQ(limit_of("acme", "pro"), 2) << "own first";
  EXPECT_EQ(limit_of("zeta", "pro"), 1);
  EXPECT_EQ(limit_of("", "pro"), 1);
  refuse(PutPlan{plan_of("acme", "pro", 3)}, Code::conflict, "pro");
  refuse(PutPlan{plan_of("", "pro", 3)}, Code::conflict, "pro");
  change(PutPlan{plan_of("acme", "private")});
  EXPECT_FALSE(*store().find_plan({"zeta"}, "private")) << "another tenant's";
  EXPECT_FALSE(*store().find_plan({""}, "private"));
  EXPECT_FALSE(*store().find_plan({"acme"}, "Pro")) << "byte by byte";
}

TEST_P(CatalogueContract, APlanCannotBecomeAnotherTenants) {
  Plan plan = plan_of("acme", "pro");
  plan.id = change(PutPlan{plan}).id;
  plan.tenant = "zeta";
  refuse(PutPlan{plan}, Code::not_found, "plan");
  plan.tenant = "";
  refuse(PutPlan{plan}, Code::not_found, "plan");
  plan.tenant = "acme";
  plan.id += 1'000;
  plan.slug = "new";
  refuse(PutPlan{plan}, Code::not_found, "plan");
}

TEST_P(CatalogueContract, ASlugMayChangeUntilSomebodyNamesIt) {
  Plan plan = plan_of("", "pro");
  plan.id = change(PutPlan{plan}).id;
  change(PutPlan{plan_of("", "taken")});
  plan.slug = "taken";
  refuse(PutPlan{plan}, Code::conflict, "taken");
  plan.slug = "better";
  change(PutPlan{plan});
  EXPECT_FALSE(*store().find_plan({""}, "pro"));
  change(PutSubscription{acme_.tenant, subscription_of(acme_, "better")});
  plan.slug = "best";
  refuse(PutPlan{plan}, Code::failed_precondition, "better");
}

TEST_P(CatalogueContract, APlanThatIsNamedCannotBeDeleted) {
  change(PutPlan{plan_of("", "pro")});
  change(PutPlan{plan_of("", "unused")});
  change(PutSubscription{acme_.tenant, subscription_of(acme_, "pro")});
  refuse(DeletePlan{"", "pro"}, Code::failed_precondition, "pro");
  refuse(DeletePlan{"acme", "pro"}, Code::not_found, "pro");
  refuse(DeletePlan{"", "nothing"}, Code::not_found, "nothing");
  change(DeletePlan{"", "unused"});
  EXPECT_FALSE(*store().find_plan({""}, "unused"));
  change(PutPlan{plan_of("", "unused")});
}

TEST_P(CatalogueContract, APlanInTheShadowOfATenantsOwnIsNotNamedByIt) {
  change(PutPlan{plan_of("", "pro")});
  change(PutPlan{plan_of("acme", "pro")});
  change(PutSubscription{acme_.tenant, subscription_of(acme_, "pro")});
  refuse(DeletePlan{"acme", "pro"}, Code::failed_precondition, "pro");
  change(DeletePlan{"", "pro"});
}

TEST_P(CatalogueContract, ABadPlanIsRefused) {
  refuse(PutPlan{plan_of("", "")}, Code::invalid_argument, "slug");
  refuse(PutPlan{plan_of("a\nb", "pro")}, Code::invalid_argument, "tenant");
  refuse(PutPlan{plan_of(std::string(192, 'a'), "pro")}, Code::invalid_argument, "tenant");
  change(PutPlan{plan_of(std::string(191, 'a'), "pro")});
}

TEST_P(CatalogueContract, PlansOfATenantAreItsOwnAndTheOperators) {
  change(PutPlan{plan_of("", "all")});
  change(PutPlan{plan_of("acme", "a")});
  change(PutPlan{plan_of("zeta", "z")});
  const auto slugs = [&](const std::optional<TenantId>& tenant) {
    std::vector<std::string> names;
    const auto plans = store().plans(tenant);
    for (const Plan& plan : *plans) names.push_back(plan.slug);
    return names;
  };
  EXPECT_EQ(slugs(TenantId{"acme"}), (std::vector<std::string>{"all", "a"}));
  EXPECT_EQ(slugs(TenantId{"other"}), std::vector<std::string>{"all"});
  EXPECT_EQ(slugs(TenantId{""}), std::vector<std::string>{"all"});
  EXPECT_EQ(slugs(std::nullopt), (std::vector<std::string>{"all", "a", "z"}));
}

// ---- Subscriptions and overrides.

TEST_P(CatalogueContract, ASubscriptionIsKeptAsItWasGiven) {
  change(PutPlan{plan_of("", "pro")});
  Subscription given = subscription_of(acme_, "pro");
  given.billing_mode = BillingMode::credits;
  given.renews_at = kMarch.end;
  given.ends_at = kMarch.end + Duration(1);
  given.trial_ends_at = kMarch.end + Duration(2);
  given.grace_period_ends_at = kMarch.end + Duration(3);
  given.previous_plan = "free";
  given.meta = {{"stripe_subscription_id", "sub_1"}};
  given.id = change(PutSubscription{acme_.tenant, given}).id;
  const auto all = store().subscriptions(acme_.tenant);
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->at(0).first, acme_);
  const Subscription& kept = all->at(0).second;
  EXPECT_EQ(kept.id, given.id);
  EXPECT_EQ(kept.billable, given.billable);
  EXPECT_EQ(kept.plan, "pro");
  EXPECT_EQ(kept.billing_mode, BillingMode::credits);
  EXPECT_EQ(kept.started_at, kNoon);
  EXPECT_EQ(kept.renews_at, given.renews_at);
  EXPECT_EQ(kept.ends_at, given.ends_at);
  EXPECT_EQ(kept.trial_ends_at, given.trial_ends_at);
  EXPECT_EQ(kept.grace_period_ends_at, given.grace_period_ends_at);
  EXPECT_EQ(kept.previous_plan, "free");
  EXPECT_EQ(kept.meta, given.meta);
}

TEST_P(CatalogueContract, AnAccountLoadsItsContractAndNoOther) {
  change(PutPlan{plan_of("", "pro", 10)});
  change(PutPlan{plan_of("acme", "team", 20)});
  const Account sibling = account_of("acme", "2");
  change(PutSubscription{acme_.tenant, subscription_of(acme_, "pro")});
  change(PutSubscription{acme_.tenant, subscription_of(acme_, "team")});
  change(PutSubscription{acme_.tenant, subscription_of(sibling, "team")});
  change(PutSubscription{zeta_.tenant, subscription_of(zeta_, "pro")});
  change(PutOverride{acme_.tenant, override_of(acme_, 5)});
  change(PutOverride{acme_.tenant, override_of(sibling, 6)});
  change(PutOverride{zeta_.tenant, override_of(zeta_, 7)});

  const auto loaded = store().load_account(acme_, kNoon);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->catalogue, *store().catalogue());
  EXPECT_EQ(loaded->store_now, kNoon);
  EXPECT_EQ(loaded->contract.subscriptions.size(), 2U);
  EXPECT_EQ(loaded->contract.plans.size(), 2U);
  ASSERT_EQ(loaded->contract.overrides.size(), 1U);
  EXPECT_EQ(loaded->contract.overrides[0].token_limit, Tokens{5});
  EXPECT_EQ(contract(zeta_).overrides.at(0).token_limit, Tokens{7});
  EXPECT_TRUE(contract(account_of("nobody")).subscriptions.empty());
  EXPECT_TRUE(contract(account_of("acme", "3")).plans.empty());
}

TEST_P(CatalogueContract, AnAccountLoadsThePlansVersionInForce) {
  Plan plan = plan_of("", "pro", 10);
  plan.id = change(PutPlan{plan}).id;
  change(PutSubscription{acme_.tenant, subscription_of(acme_, "pro")});
  change(PutSubscription{acme_.tenant, subscription_of(acme_, "pro")});
  plan.monthly_token_limit = Tokens{20};
  change(PutPlan{plan});
  ASSERT_EQ(contract(acme_).plans.size(), 1U) << "once, though two subscriptions name it";
  EXPECT_EQ(contract(acme_).plans[0].version, 2);
  EXPECT_EQ(contract(acme_).plans[0].monthly_token_limit, Tokens{20});
}

TEST_P(CatalogueContract, ASubscriptionChangesInPlaceForItsAccountOnly) {
  change(PutPlan{plan_of("", "pro")});
  Subscription mine = subscription_of(acme_, "pro");
  mine.id = change(PutSubscription{acme_.tenant, mine}).id;
  mine.ends_at = kMarch.end;
  EXPECT_EQ(change(PutSubscription{acme_.tenant, mine}).id, mine.id);
  EXPECT_EQ(contract(acme_).subscriptions.size(), 1U);
  EXPECT_EQ(contract(acme_).subscriptions.at(0).ends_at, kMarch.end);
  refuse(PutSubscription{zeta_.tenant, mine}, Code::not_found, "");
  mine.billable.id = "2";
  refuse(PutSubscription{acme_.tenant, mine}, Code::not_found, "");
}

TEST_P(CatalogueContract, ASubscriptionNeedsAPlanThatTakesNewOnes) {
  Plan plan = plan_of("", "pro");
  plan.id = change(PutPlan{plan}).id;
  change(PutPlan{plan_of("zeta", "private")});
  Subscription mine = subscription_of(acme_, "pro");
  mine.id = change(PutSubscription{acme_.tenant, mine}).id;
  plan.is_active = false;
  change(PutPlan{plan});
  refuse(PutSubscription{acme_.tenant, subscription_of(acme_, "pro")}, Code::failed_precondition,
         "pro");
  change(PutSubscription{acme_.tenant, mine});
  refuse(PutSubscription{acme_.tenant, subscription_of(acme_, "none")}, Code::not_found, "none");
  refuse(PutSubscription{acme_.tenant, subscription_of(acme_, "private")}, Code::not_found,
         "private");
}

TEST_P(CatalogueContract, ABadAccountIsRefused) {
  Subscription nobody = subscription_of(acme_, "");
  nobody.billable.id = "";
  refuse(PutSubscription{acme_.tenant, nobody}, Code::invalid_argument, "billable");
  UsageLimitOverride wrong = override_of(acme_, 1);
  wrong.period_end = wrong.period_start;
  refuse(PutOverride{acme_.tenant, wrong}, Code::invalid_argument, "period_end");
  wrong.period_end = wrong.period_start + Duration(1);
  change(PutOverride{acme_.tenant, wrong});
}

TEST_P(CatalogueContract, AnOverrideIsKeptAndChangesInPlace) {
  UsageLimitOverride mine = override_of(acme_, 5);
  mine.cost_limit = Money{7, "eur"};
  mine.unlimited_tokens = true;
  mine.id = change(PutOverride{acme_.tenant, mine}).id;
  mine.unlimited_cost = true;
  mine.cost_limit.reset();
  change(PutOverride{acme_.tenant, mine});
  const auto all = store().overrides(acme_.tenant);
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->at(0).first, acme_);
  const UsageLimitOverride& kept = all->at(0).second;
  EXPECT_EQ(kept.id, mine.id);
  EXPECT_EQ(kept.period_start, kMarch.start);
  EXPECT_EQ(kept.period_end, kMarch.end);
  EXPECT_EQ(kept.token_limit, Tokens{5});
  EXPECT_EQ(kept.cost_limit, std::nullopt);
  EXPECT_TRUE(kept.unlimited_tokens && kept.unlimited_cost);
  refuse(PutOverride{zeta_.tenant, mine}, Code::not_found, "");
}

TEST_P(CatalogueContract, SubscriptionsAndOverridesOfATenantAreItsOwn) {
  change(PutPlan{plan_of("", "pro")});
  for (const Account& account : {acme_, zeta_, account_of("")}) {
    change(PutSubscription{account.tenant, subscription_of(account, "pro")});
    change(PutOverride{account.tenant, override_of(account, 1)});
  }
  for (const Account& account : {acme_, zeta_, account_of("")}) {
    ASSERT_EQ(store().subscriptions(account.tenant)->size(), 1U);
    EXPECT_EQ(store().subscriptions(account.tenant)->at(0).first, account);
    ASSERT_EQ(store().overrides(account.tenant)->size(), 1U);
    EXPECT_EQ(store().overrides(account.tenant)->at(0).first, account);
  }
  EXPECT_EQ(store().subscriptions(std::nullopt)->size(), 3U);
  EXPECT_EQ(store().overrides(std::nullopt)->size(), 3U);
}

// ---- Tenants, domains, keys, prices.

TEST_P(CatalogueContract, TenantsAreThoseThatWereEverNamed) {
  EXPECT_TRUE(store().tenants()->empty());
  change(PutTenant{{"registered"}});
  change(PutTenant{{"registered"}});
  change(PutDomain{"app.example.com", {"domain"}});
  change(PutApiKey{key_row("key", "k1")});
  change(PutPlan{plan_of("plan", "pro")});
  change(PutOverride{{"override"}, override_of(acme_, 1)});
  Feeder engine(store());
  engine.apply({call_of(acme_, 1), call_of(account_of(""), 1)});
  const std::vector<TenantId> all{{"acme"},     {"domain"}, {"key"},
                                  {"override"}, {"plan"},   {"registered"}};
  EXPECT_EQ(*store().tenants(), all) << "sorted, each once, without \"\"";
  refuse(PutTenant{{""}}, Code::invalid_argument, "tenant");
}

TEST_P(CatalogueContract, ADomainIsOneTenants) {
  change(PutDomain{"app.example.com", acme_.tenant});
  change(PutDomain{"app.example.com", acme_.tenant});
  refuse(PutDomain{"app.example.com", zeta_.tenant}, Code::conflict, "app.example.com");
  refuse(PutDomain{"", acme_.tenant}, Code::invalid_argument, "host");
  refuse(PutDomain{"other.example.com", {""}}, Code::invalid_argument, "tenant");
  EXPECT_EQ(*store().tenant_of_domain("app.example.com"), acme_.tenant);
  EXPECT_EQ(*store().tenant_of_domain("example.com"), std::nullopt);
  EXPECT_EQ(*store().tenant_of_domain(""), std::nullopt);
}

TEST_P(CatalogueContract, AnApiKeyIsKeptAndRevokedByItsTenant) {
  ApiKeyRow given = key_row("acme", "k1");
  given.expires_at = kMarch.end;
  change(PutApiKey{given});
  refuse(PutApiKey{key_row("zeta", "k1")}, Code::conflict, "k1");
  refuse(PutApiKey{key_row("zeta", "")}, Code::invalid_argument, "id");
  const auto found = store().find_api_key("k1");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->tenant, "acme");
  EXPECT_EQ((*found)->name, "ci");
  EXPECT_EQ((*found)->secret_sha256, given.secret_sha256);
  EXPECT_EQ((*found)->scopes, given.scopes);
  EXPECT_EQ((*found)->created_at, kNoon);
  EXPECT_EQ((*found)->expires_at, kMarch.end);
  EXPECT_EQ((*found)->revoked_at, std::nullopt);

  refuse(RevokeApiKey{zeta_.tenant, "k1"}, Code::not_found, "k1");
  refuse(RevokeApiKey{acme_.tenant, "k2"}, Code::not_found, "k2");
  EXPECT_EQ((*store().find_api_key("k1"))->revoked_at, std::nullopt);
  change(RevokeApiKey{acme_.tenant, "k1"});
  clock().advance(std::chrono::seconds(1));
  change(RevokeApiKey{acme_.tenant, "k1"});
  EXPECT_EQ((*store().find_api_key("k1"))->revoked_at, kNoon) << "when it was revoked first";
  EXPECT_FALSE(*store().find_api_key("k2"));
}

TEST_P(CatalogueContract, ApiKeysOfATenantAreItsOwn) {
  change(PutApiKey{key_row("acme", "k1")});
  change(PutApiKey{key_row("zeta", "k2")});
  change(PutApiKey{key_row("", "k3")});
  ASSERT_EQ(store().api_keys(acme_.tenant)->size(), 1U);
  EXPECT_EQ(store().api_keys(acme_.tenant)->at(0).id, "k1");
  ASSERT_EQ(store().api_keys(TenantId{""})->size(), 1U);
  EXPECT_EQ(store().api_keys(TenantId{""})->at(0).id, "k3");
  EXPECT_EQ(store().api_keys(std::nullopt)->size(), 3U);
}

TEST_P(CatalogueContract, PriceBooksAreVersionsThatStay) {
  const PriceBookRow later{.version = "b", .effective_from = kMarch.start, .document = "{\"b\":1}"};
  const PriceBookRow first{.version = "c", .effective_from = kFebruary.start, .document = "{}"};
  change(PutPrices{later});
  change(PutPrices{first});
  change(PutPrices{later});
  PriceBookRow other = later;
  other.document = "{\"b\":2}";
  refuse(PutPrices{other}, Code::conflict, "b");
  other = later;
  other.effective_from = kMarch.end;
  refuse(PutPrices{other}, Code::conflict, "b");
  refuse(PutPrices{{.version = ""}}, Code::invalid_argument, "version");
  const auto books = store().price_books();
  ASSERT_TRUE(books);
  ASSERT_EQ(books->size(), 2U);
  EXPECT_EQ(books->at(0).version, "c") << "by date";
  EXPECT_EQ(books->at(1).version, "b");
  EXPECT_EQ(books->at(1).document, "{\"b\":1}");
  EXPECT_EQ(books->at(1).effective_from, kMarch.start);
}

// ---- Version and audit.

TEST_P(CatalogueContract, EveryChangeOfTheCatalogueRaisesItsVersionByOne) {
  std::uint64_t version = *store().catalogue();
  EXPECT_GE(version, 1U);
  const ChangeBody raising[] = {PutPlan{plan_of("", "pro")},
                                PutSubscription{acme_.tenant, subscription_of(acme_, "pro")},
                                PutOverride{acme_.tenant, override_of(acme_, 1)},
                                PutTenant{{"acme"}},
                                PutDomain{"a.example.com", {"acme"}},
                                PutApiKey{key_row("acme", "k1")},
                                RevokeApiKey{{"acme"}, "k1"},
                                PutPrices{{.version = "v", .document = "{}"}},
                                PutPlan{plan_of("", "gone")},
                                DeletePlan{"", "gone"}};
  for (const ChangeBody& body : raising) {
    SCOPED_TRACE(body.index());
    EXPECT_EQ(change(body).catalogue, ++version);
    EXPECT_EQ(*store().catalogue(), version);
  }
  const ChangeBody keeping[] = {PutOrphans{{{.engine = 1, .hold = 1}}},
                                DropOrphan{1, 1},
                                Erase{.tenant = {"acme"}, .user = "u1"},
                                Prune{.before = kNoon},
                                ReleaseHold{{"acme"}, "t"},
                                ExpireHolds{}};
  for (const ChangeBody& body : keeping) {
    SCOPED_TRACE(body.index());
    EXPECT_EQ(change(body).catalogue, version) << "maintenance makes nobody reload";
  }
  refuse(DeletePlan{"", "none"}, Code::not_found, "none");
  EXPECT_EQ(*store().catalogue(), version) << "nor does a refused change";
}

TEST_P(CatalogueContract, EveryChangeIsInTheAuditNewestFirst) {
  change(PutPlan{plan_of("acme", "pro")});
  clock().advance(std::chrono::seconds(1));
  ASSERT_TRUE(store().change({.body = PutTenant{{"zeta"}}, .actor = "cli"}));
  refuse(DeletePlan{"", "none"}, Code::not_found, "none");
  const auto audit = store().audit(10);
  ASSERT_TRUE(audit);
  ASSERT_EQ(audit->size(), 2U) << "what was refused is not in it";
  EXPECT_EQ(audit->at(0).actor, "cli");
  EXPECT_EQ(audit->at(0).action, "put_tenant");
  EXPECT_EQ(audit->at(0).tenant, "zeta");
  EXPECT_EQ(audit->at(0).at, kNoon + std::chrono::seconds(1));
  EXPECT_EQ(audit->at(1).action, "put_plan");
  EXPECT_EQ(audit->at(1).tenant, "acme");
  EXPECT_EQ(audit->at(1).actor, "test");
  ASSERT_EQ(store().audit(1)->size(), 1U);
  EXPECT_EQ(store().audit(1)->at(0).action, "put_tenant");
  EXPECT_TRUE(store().audit(0)->empty());
}

TEST_P(CatalogueContract, TheAuditSaysNoSecretAndNobodyWhoWasErased) {
  change(PutApiKey{key_row("acme", "k1")});
  change(Erase{.tenant = {"acme"}, .user = "alice@example.com"});
  const auto audit = store().audit(10);
  ASSERT_EQ(audit->size(), 2U);
  for (const AuditRow& row : *audit) {
    EXPECT_EQ(row.details.find("alice"), std::string::npos);
    EXPECT_EQ(row.details.find(base::hex(base::view_of(base::sha256("secret")))),
              std::string::npos);
  }
}

// ---- What is due, and changes that expect what is there.

TEST_P(CatalogueContract, WhatIsDueIsListedFromItsTimeOnTheLongestDueFirst) {
  change(PutPlan{plan_of("", "pro", 1)});
  change(PutPlan{plan_of("", "next", 1)});
  constexpr Duration kHour = std::chrono::hours(1);
  Subscription plain = subscription_of(acme_, "pro");
  plain.id = change(PutSubscription{acme_.tenant, plain}).id;
  Subscription ending = plain, moving = plain, renewing = plain;
  ending.id = moving.id = renewing.id = 0;
  ending.ends_at = kNoon + 2 * kHour;
  ending.grace_period_ends_at = kNoon + 3 * kHour;
  moving.next_plan = "next";
  moving.changes_at = kNoon + kHour;
  renewing.renews_at = kNoon + 2 * kHour;
  ending.id = change(PutSubscription{acme_.tenant, ending}).id;
  moving.id = change(PutSubscription{acme_.tenant, moving}).id;
  renewing.id = change(PutSubscription{acme_.tenant, renewing}).id;
  const auto due = [&](Duration after, std::size_t limit = 10) {
    std::vector<std::int64_t> ids;
    const auto all = store().due(kNoon + after, limit);
    EXPECT_TRUE(all);
    for (const auto& [account, one] : *all) {
      EXPECT_EQ(account, acme_);
      ids.push_back(one.id);
    }
    return ids;
  };
  using Ids = std::vector<std::int64_t>;
  EXPECT_EQ(due(kHour - Duration(1)), Ids{});
  EXPECT_EQ(due(kHour), Ids{moving.id});
  EXPECT_EQ(due(3 * kHour - Duration(1)), (Ids{moving.id, renewing.id}));
  EXPECT_EQ(due(3 * kHour), (Ids{moving.id, renewing.id, ending.id}));
  EXPECT_EQ(due(3 * kHour, 2), (Ids{moving.id, renewing.id}));
  ending.expired_at = kNoon + 3 * kHour;
  change(PutSubscription{acme_.tenant, ending});
  EXPECT_EQ(due(9 * kHour), (Ids{moving.id, renewing.id})) << "it was told";
  const auto kept = store().load_account(acme_, kNoon);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->contract.subscriptions, (std::vector{plain, ending, moving, renewing}));
  EXPECT_EQ(kept->contract.plans.size(), 2U) << "the plan to come, too";
  refuse(DeletePlan{"", "next"}, Code::failed_precondition, "next");
}

TEST_P(CatalogueContract, APutThatExpectsAnotherSubscriptionIsAConflict) {
  change(PutPlan{plan_of("", "pro", 1)});
  Subscription seen = subscription_of(acme_, "pro");
  seen.id = change(PutSubscription{acme_.tenant, seen}).id;
  Subscription first = seen, second = seen;
  first.ends_at = kNoon;
  second.ends_at = kNoon + std::chrono::hours(1);
  change(PutSubscription{acme_.tenant, first, seen});
  refuse(PutSubscription{acme_.tenant, second, seen}, Code::conflict, "changed");
  EXPECT_EQ(store().load_account(acme_, kNoon)->contract.subscriptions, std::vector{first});
}

INSTANTIATE_TEST_SUITE_P(Stores, CatalogueContract, testing::ValuesIn(factories()),
                         name_of_factory);

}  // namespace
}  // namespace aimeter::store::contract
