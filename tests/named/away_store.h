// Package:       tests
// Units:         none
// Errors:        what the store behind it says; unavailable for the writes while it is away.
// Thread safety: that of the store behind it; `away` belongs to one test on one thread.
// Ownership:     owns the store behind it.
//
// A store that is there for readers and away for engines when a test says so.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "store/store.h"

namespace aimeter::named {

class AwayStore final : public store::Store {
 public:
  explicit AwayStore(std::unique_ptr<store::Store> behind) : behind_(std::move(behind)) {}
  bool away = false;
  int leases = 0;                   // transactions of lease()
  std::function<void()> slow = {};  // happens while a renewal is under way, after it was decided

  // ---- away
  Result<store::Applied> apply(store::EngineRef engine, store::Seq prev,
                               std::span<const store::Settlement> batch,
                               store::Sync sync) override {
    AIMETER_CHECK_OK(here());
    return behind_->apply(engine, prev, batch, sync);
  }
  Result<store::Seq> last_seq(store::EngineId engine) override {
    AIMETER_CHECK_OK(here());
    return behind_->last_seq(engine);
  }
  Result<store::EngineRef> open_engine(const store::EngineCard& card) override {
    AIMETER_CHECK_OK(here());
    return behind_->open_engine(card);
  }
  Result<std::vector<store::LeaseGrant>> lease(store::EngineRef engine,
                                               std::span<const store::LeaseAsk> asks) override {
    AIMETER_CHECK_OK(here());
    ++leases;
    return behind_->lease(engine, asks);
  }
  Result<store::Pulse> renew(store::EngineRef engine,
                             std::span<const store::HeldReport> held) override {
    AIMETER_CHECK_OK(here());
    Result<store::Pulse> pulse = behind_->renew(engine, held);
    if (slow) slow();
    return pulse;
  }
  Status give_back(store::EngineRef engine, std::span<const store::LeaseBack> parts) override {
    AIMETER_CHECK_OK(here());
    return behind_->give_back(engine, parts);
  }
  Status close_engine(store::EngineId engine) override {
    AIMETER_CHECK_OK(here());
    return behind_->close_engine(engine);
  }
  Result<std::vector<store::Lessee>> lessees() const override {
    AIMETER_CHECK_OK(here());
    return behind_->lessees();
  }
  Result<int> take_back(std::span<const store::Lessee> silent) override {
    AIMETER_CHECK_OK(here());
    return behind_->take_back(silent);
  }
  Result<std::optional<store::KeySeen>> find_key(const base::Key16& key) override {
    AIMETER_CHECK_OK(here());
    return behind_->find_key(key);
  }
  Result<store::KeyPage> keys_after(const store::KeyCursor& after,
                                    std::size_t limit) const override {
    AIMETER_CHECK_OK(here());
    return behind_->keys_after(after, limit);
  }
  Result<store::AccountState> load_account(const Account& account, Instant at) override {
    AIMETER_CHECK_OK(here());
    return behind_->load_account(account, at);
  }
  Result<store::Changed> change(const store::Change& change) override {
    AIMETER_CHECK_OK(here());
    return behind_->change(change);
  }

  // ---- always there
  Result<std::vector<store::BudgetState>> in_overage(Instant now) const override {
    return behind_->in_overage(now);
  }
  Result<std::vector<store::BudgetState>> budget_states(
      std::span<const store::BudgetKey> keys) override {
    return behind_->budget_states(keys);
  }
  Result<UsagePage> usages(const UsageFilter& filter, std::string_view cursor,
                           std::size_t limit) const override {
    return behind_->usages(filter, cursor, limit);
  }
  Result<std::vector<store::RollupRow>> rollups(const store::RollupFilter& filter) const override {
    return behind_->rollups(filter);
  }
  Result<std::vector<store::Settlement>> feed(store::FeedPosition after,
                                              std::size_t limit) const override {
    return behind_->feed(after, limit);
  }
  Result<std::optional<store::Settlement>> settlement(
      std::int64_t row, const std::optional<TenantId>& tenant) const override {
    return behind_->settlement(row, tenant);
  }
  Result<std::vector<store::EngineState>> engines() const override { return behind_->engines(); }
  Result<std::uint64_t> catalogue() const override { return behind_->catalogue(); }
  Result<base::Key16> store_id() const override { return behind_->store_id(); }
  Result<std::vector<store::HoldKey>> hold_keys() const override { return behind_->hold_keys(); }
  Result<std::optional<Plan>> find_plan(const TenantId& tenant,
                                        std::string_view slug) const override {
    return behind_->find_plan(tenant, slug);
  }
  Result<std::vector<Plan>> plans(const std::optional<TenantId>& tenant) const override {
    return behind_->plans(tenant);
  }
  Result<std::vector<std::pair<Account, Subscription>>> subscriptions(
      const std::optional<TenantId>& tenant) const override {
    return behind_->subscriptions(tenant);
  }
  Result<std::vector<std::pair<Account, Subscription>>> due(Instant now,
                                                            std::size_t limit) const override {
    return behind_->due(now, limit);
  }
  Result<std::vector<std::pair<Account, UsageLimitOverride>>> overrides(
      const std::optional<TenantId>& tenant) const override {
    return behind_->overrides(tenant);
  }
  Result<std::vector<TenantId>> tenants() const override { return behind_->tenants(); }
  Result<std::optional<TenantId>> tenant_of_domain(std::string_view host) const override {
    return behind_->tenant_of_domain(host);
  }
  Result<std::optional<store::ApiKeyRow>> find_api_key(std::string_view id) const override {
    return behind_->find_api_key(id);
  }
  Result<std::vector<store::ApiKeyRow>> api_keys(
      const std::optional<TenantId>& tenant) const override {
    return behind_->api_keys(tenant);
  }
  Result<std::vector<store::PriceBookRow>> price_books() const override {
    return behind_->price_books();
  }
  Result<std::vector<store::BudgetState>> budgets(
      const std::optional<TenantId>& tenant) const override {
    return behind_->budgets(tenant);
  }
  Result<std::vector<store::WalletState>> wallets(
      const store::WalletFilter& filter) const override {
    return behind_->wallets(filter);
  }
  Result<std::vector<store::CreditMove>> credit_transactions(const store::CreditFilter& filter,
                                                             std::size_t limit) const override {
    return behind_->credit_transactions(filter, limit);
  }
  Result<std::vector<store::TopUpState>> top_ups(const store::TopUpFilter& filter) const override {
    return behind_->top_ups(filter);
  }
  Result<std::vector<CreditLot>> credit_lots(const Account& account,
                                             store::Lots which) const override {
    return behind_->credit_lots(account, which);
  }
  Result<store::OveragePage> overages(const store::OverageFilter& filter, std::string_view cursor,
                                      std::size_t limit) const override {
    return behind_->overages(filter, cursor, limit);
  }
  Result<std::vector<store::BatchRow>> overage_batches(
      const store::BatchFilter& filter) const override {
    return behind_->overage_batches(filter);
  }
  Result<std::vector<store::Orphan>> orphans() const override { return behind_->orphans(); }
  Result<std::vector<store::DeadSettlement>> dead() const override { return behind_->dead(); }
  Result<std::vector<store::AuditRow>> audit(std::size_t newest) const override {
    return behind_->audit(newest);
  }
  Result<std::vector<store::Migration>> migrations() const override {
    return behind_->migrations();
  }
  Result<store::Verified> verify(const store::Progress& progress) const override {
    return behind_->verify(progress);
  }
  Instant now() const override { return behind_->now(); }

 private:
  [[nodiscard]] Status here() const {
    if (away) return fail(Code::unavailable, "the store is away");
    return {};
  }
  std::unique_ptr<store::Store> behind_;
};

}  // namespace aimeter::named
