#include "store/memory_catalogue.h"

#include <fmt/format.h>
#include <algorithm>

#include "base/ids.h"

namespace aimeter::store::memory {
namespace {

const Plan* plan_of(const Catalogue& catalogue, std::string_view tenant, std::string_view slug) {
  for (const auto& [id, versions] : catalogue.plans) {
    const Plan& plan = versions.back();
    if (plan.tenant == tenant && plan.slug == slug) return &plan;
  }
  return nullptr;
}

const Plan* plan_for(const Catalogue& catalogue, std::string_view tenant, std::string_view slug) {
  const Plan* own = plan_of(catalogue, tenant, slug);
  return own != nullptr ? own : plan_of(catalogue, "", slug);
}

bool is_referenced(const Catalogue& catalogue, const Plan& plan) {
  return std::ranges::any_of(catalogue.subscriptions, [&](const auto& entry) {
    const Owned<Subscription>& owned = entry.second;
    if (owned.value.plan != plan.slug && owned.value.next_plan != plan.slug) return false;
    const Plan* named = plan_for(catalogue, owned.account.tenant.text, plan.slug);
    return named != nullptr && named->id == plan.id;
  });
}

// "" is single-tenant use; every other tenant is an id.
Status check_tenant(std::string_view tenant) {
  return tenant.empty() ? Status() : base::check_id("tenant", tenant);
}

Status check_account(const Account& account) {
  AIMETER_CHECK_OK(check_tenant(account.tenant.text));
  AIMETER_CHECK_OK(base::check_id("billable_type", account.billable.type));
  return base::check_id("billable_id", account.billable.id);
}

Result<Changed> new_version(Catalogue& catalogue, Plan plan) {
  const auto found = catalogue.plans.find(plan.id);
  if (found == catalogue.plans.end() || found->second.back().tenant != plan.tenant) {
    return fail(Code::not_found, fmt::format("no plan {}", plan.id));
  }
  const Plan& before = found->second.back();
  if (before.slug != plan.slug && is_referenced(catalogue, before)) {
    return fail(Code::failed_precondition,
                fmt::format("plan \"{}\" has subscriptions: its slug stays", before.slug));
  }
  plan.version = before.version + 1;
  found->second.push_back(plan);
  return Changed{.id = plan.id};
}

void date_price(Catalogue& catalogue, const Plan& plan, Instant now) {
  catalogue.prices[plan.id].push_back({.plan = plan.id,
                                       .from = now,
                                       .per_1k_tokens = plan.overage_price_per_1k_tokens,
                                       .markup = plan.overage_markup});
}

template <class T>
Result<std::int64_t> place_for(Catalogue& catalogue, std::map<std::int64_t, Owned<T>>& values,
                               const Account& account, std::int64_t id) {
  if (id == 0) return ++catalogue.last_id;
  const auto found = values.find(id);
  if (found != values.end() && found->second.account == account) return id;
  return fail(Code::not_found, fmt::format("the account has no {}", id));
}

}  // namespace

std::optional<Plan> find_plan(const Catalogue& catalogue, std::string_view tenant,
                              std::string_view slug) {
  const Plan* plan = plan_for(catalogue, tenant, slug);
  return plan != nullptr ? std::optional(*plan) : std::nullopt;
}

plans::Contract contract_of(const Catalogue& catalogue, const Account& account) {
  plans::Contract contract;
  for (const auto& [id, owned] : catalogue.subscriptions) {
    if (owned.account != account) continue;
    contract.subscriptions.push_back(owned.value);
    for (const std::string& slug : {owned.value.plan, owned.value.next_plan}) {
      const auto plan = find_plan(catalogue, account.tenant.text, slug);
      const auto same = [&](const Plan& known) { return known.id == plan->id; };
      if (plan && std::ranges::none_of(contract.plans, same)) contract.plans.push_back(*plan);
    }
  }
  for (const auto& [id, owned] : catalogue.overrides) {
    if (owned.account == account) contract.overrides.push_back(owned.value);
  }
  for (const Plan& plan : contract.plans) {
    const auto& dated = catalogue.prices.at(plan.id);
    contract.prices.insert(contract.prices.end(), dated.begin(), dated.end());
  }
  return contract;
}

Result<Changed> put(Catalogue& catalogue, const PutPlan& change, Instant now) {
  Plan plan = change.plan;
  AIMETER_CHECK_OK(check_tenant(plan.tenant));
  AIMETER_CHECK_OK(base::check_id("slug", plan.slug));
  const Plan* taken = plan_of(catalogue, plan.tenant, plan.slug);
  if (taken != nullptr && taken->id != plan.id) {
    return fail(Code::conflict, fmt::format("a plan \"{}\" is there already", plan.slug));
  }
  if (plan.id != 0) {
    AIMETER_TRY(Changed changed, new_version(catalogue, plan));
    date_price(catalogue, plan, now);
    return changed;
  }
  plan.id = ++catalogue.last_id;
  plan.version = 1;
  catalogue.plans[plan.id] = {plan};
  date_price(catalogue, plan, now);
  if (!plan.tenant.empty()) catalogue.tenants.insert({plan.tenant});
  return Changed{.id = plan.id};
}

Result<Changed> put(Catalogue& catalogue, const DeletePlan& change) {
  const Plan* plan = plan_of(catalogue, change.tenant, change.slug);
  if (plan == nullptr) return fail(Code::not_found, fmt::format("no plan \"{}\"", change.slug));
  if (is_referenced(catalogue, *plan)) {
    return fail(Code::failed_precondition,
                fmt::format("plan \"{}\" has subscriptions", change.slug));
  }
  const std::int64_t id = plan->id;
  catalogue.plans.erase(id);
  return Changed{.id = id};
}

Result<Changed> put(Catalogue& catalogue, const PutSubscription& change) {
  Subscription subscription = change.subscription;
  const Account account{change.tenant, subscription.billable};
  AIMETER_CHECK_OK(check_account(account));
  const auto plan = find_plan(catalogue, account.tenant.text, subscription.plan);
  if (!subscription.plan.empty() && !plan) {
    return fail(Code::not_found, fmt::format("no plan \"{}\"", subscription.plan));
  }
  if (plan && !plan->is_active && subscription.id == 0) {
    return fail(Code::failed_precondition,
                fmt::format("plan \"{}\" takes no new subscriptions", subscription.plan));
  }
  AIMETER_TRY(subscription.id,
              place_for(catalogue, catalogue.subscriptions, account, subscription.id));
  const auto there = catalogue.subscriptions.find(subscription.id);
  if (change.expect &&
      (there == catalogue.subscriptions.end() || there->second.value != *change.expect)) {
    return fail(Code::conflict, fmt::format("subscription {} has changed", subscription.id));
  }
  catalogue.subscriptions[subscription.id] = {account, subscription};
  if (!account.tenant.text.empty()) catalogue.tenants.insert(account.tenant);
  return Changed{.id = subscription.id};
}

Result<Changed> put(Catalogue& catalogue, const PutOverride& change) {
  UsageLimitOverride limits = change.limits;
  const Account account{change.tenant, limits.billable};
  AIMETER_CHECK_OK(check_account(account));
  if (limits.period_end <= limits.period_start) {
    return bad_input("period_end", aimeter::text_of(limits.period_end), "a time after its start");
  }
  AIMETER_TRY(limits.id, place_for(catalogue, catalogue.overrides, account, limits.id));
  catalogue.overrides[limits.id] = {account, limits};
  if (!account.tenant.text.empty()) catalogue.tenants.insert(account.tenant);
  return Changed{.id = limits.id};
}

Result<Changed> put(Catalogue& catalogue, const PutTenant& change) {
  AIMETER_CHECK_OK(base::check_id("tenant", change.tenant.text));
  catalogue.tenants.insert(change.tenant);
  return Changed{};
}

Result<Changed> put(Catalogue& catalogue, const PutDomain& change) {
  AIMETER_CHECK_OK(base::check_id("host", change.host));
  AIMETER_CHECK_OK(base::check_id("tenant", change.tenant.text));
  const auto [domain, fresh] = catalogue.domains.try_emplace(change.host, change.tenant);
  if (!fresh && domain->second != change.tenant) {
    return fail(Code::conflict, fmt::format("\"{}\" is another tenant's", change.host));
  }
  catalogue.tenants.insert(change.tenant);
  return Changed{};
}

Result<Changed> put(Catalogue& catalogue, const PutApiKey& change) {
  AIMETER_CHECK_OK(base::check_id("id", change.key.id));
  AIMETER_CHECK_OK(check_tenant(change.key.tenant));
  if (!catalogue.api_keys.try_emplace(change.key.id, change.key).second) {
    return fail(Code::conflict, fmt::format("a key \"{}\" is there already", change.key.id));
  }
  if (!change.key.tenant.empty()) catalogue.tenants.insert({change.key.tenant});
  return Changed{};
}

Result<Changed> revoke(Catalogue& catalogue, const RevokeApiKey& change, Instant now) {
  const auto key = catalogue.api_keys.find(change.id);
  if (key == catalogue.api_keys.end() || key->second.tenant != change.tenant.text) {
    return fail(Code::not_found, fmt::format("no key \"{}\"", change.id));
  }
  if (!key->second.revoked_at) key->second.revoked_at = now;
  return Changed{};
}

Result<Changed> put(Catalogue& catalogue, const PutPrices& change) {
  AIMETER_CHECK_OK(base::check_id("version", change.book.version));
  const auto [book, fresh] = catalogue.price_books.try_emplace(change.book.version, change.book);
  const bool same = book->second.document == change.book.document &&
                    book->second.effective_from == change.book.effective_from;
  if (!fresh && !same) {
    return fail(Code::conflict,
                fmt::format("version \"{}\" is there with other prices", change.book.version));
  }
  return Changed{};
}

}  // namespace aimeter::store::memory
