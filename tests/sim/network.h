// Package:       sim
// Units:         calls
// Errors:        the store's; unavailable (nothing was done) and in_doubt (perhaps) as the Line
//                decides.
// Thread safety: none: one thread does everything.
// Ownership:     borrows the store and the line.
//
// One engine's way to the store. What the line decides of a call: refused before it is sent, slow
// (others run meanwhile, also the reaper), lost on the way there or on the way back, or so late
// that it arrives after its caller was told that nobody knows.
#pragma once

#include <functional>

#include "store/store.h"

namespace aimeter::sim {

enum class Fate : std::uint8_t { plain, slow, slow_answer, refused, lost, lost_answer, late };

class Line {
 public:
  virtual ~Line() = default;
  enum class Kind : std::uint8_t { read, write, apply, money };
  [[nodiscard]] virtual Fate fate(Kind kind) = 0;
  virtual void meanwhile() = 0;                 // others run
  [[nodiscard]] virtual bool gone() const = 0;  // the caller's process ended
  virtual void later(std::function<void()> arrives) = 0;
  virtual void applied_there() = 0;  // rows have come
  virtual void leased_there(std::span<const store::LeaseAsk> asks,
                            std::span<const store::LeaseGrant> grants) = 0;
  // A renewal: the store has done it; its answer is here.
  [[nodiscard]] virtual Duration sending() = 0;
  virtual void renewed_there(store::EngineId engine) = 0;
  virtual void renewed_here(Duration sent) = 0;
  virtual void taken_back(int engines) = 0;
  virtual void store_is_corrupt() = 0;  // it says so, and writes nothing any more
};

class Network final : public store::Store {
 public:
  explicit Network(Line& line) : line_(line) {}
  void connect(store::Store& store) { store_ = &store; }  // before anything is sent

  Result<store::Applied> apply(store::EngineRef engine, store::Seq prev,
                               std::span<const store::Settlement> batch, store::Sync sync) override;
  Result<store::Seq> last_seq(store::EngineId engine) override;
  Result<store::EngineRef> open_engine(const store::EngineCard& card) override;
  Result<std::vector<store::LeaseGrant>> lease(store::EngineRef engine,
                                               std::span<const store::LeaseAsk> asks) override;
  Result<store::Pulse> renew(store::EngineRef engine,
                             std::span<const store::HeldReport> held) override;
  Status give_back(store::EngineRef engine, std::span<const store::LeaseBack> parts) override;
  Status close_engine(store::EngineId engine) override;
  Result<std::vector<store::Lessee>> lessees() const override;
  Result<int> take_back(std::span<const store::Lessee> silent) override;
  Result<std::optional<store::KeySeen>> find_key(const base::Key16& key) override;
  Result<store::AccountState> load_account(const Account& account, Instant at) override;
  Result<std::vector<store::BudgetState>> budget_states(
      std::span<const store::BudgetKey> keys) override;
  Result<store::Changed> change(const store::Change& change) override;

  Result<UsagePage> usages(const UsageFilter& filter, std::string_view cursor,
                           std::size_t limit) const override;
  Result<std::vector<store::RollupRow>> rollups(const store::RollupFilter& filter) const override;
  Result<std::vector<store::Settlement>> feed(store::FeedPosition after,
                                              std::size_t limit) const override;
  Result<std::optional<store::Settlement>> settlement(
      std::int64_t row, const std::optional<TenantId>& tenant) const override;
  Result<store::KeyPage> keys_after(const store::KeyCursor& after,
                                    std::size_t limit) const override;
  Result<std::vector<store::EngineState>> engines() const override;
  Result<std::uint64_t> catalogue() const override;
  Result<base::Key16> store_id() const override;
  Result<std::vector<store::HoldKey>> hold_keys() const override;
  Result<std::optional<Plan>> find_plan(const TenantId& tenant,
                                        std::string_view slug) const override;
  Result<std::vector<Plan>> plans(const std::optional<TenantId>& tenant) const override;
  Result<std::vector<std::pair<Account, Subscription>>> subscriptions(
      const std::optional<TenantId>& tenant) const override;
  Result<std::vector<std::pair<Account, Subscription>>> due(Instant now,
                                                            std::size_t limit) const override;
  Result<std::vector<std::pair<Account, UsageLimitOverride>>> overrides(
      const std::optional<TenantId>& tenant) const override;
  Result<std::vector<TenantId>> tenants() const override;
  Result<std::optional<TenantId>> tenant_of_domain(std::string_view host) const override;
  Result<std::optional<store::ApiKeyRow>> find_api_key(std::string_view id) const override;
  Result<std::vector<store::ApiKeyRow>> api_keys(
      const std::optional<TenantId>& tenant) const override;
  Result<std::vector<store::PriceBookRow>> price_books() const override;
  Result<std::vector<store::BudgetState>> budgets(
      const std::optional<TenantId>& tenant) const override;
  Result<std::vector<store::WalletState>> wallets(const store::WalletFilter& filter) const override;
  Result<std::vector<store::CreditMove>> credit_transactions(const store::CreditFilter& filter,
                                                             std::size_t limit) const override;
  Result<std::vector<store::TopUpState>> top_ups(const store::TopUpFilter& filter) const override;
  Result<std::vector<CreditLot>> credit_lots(const Account& account,
                                             store::Lots which) const override;
  Result<store::OveragePage> overages(const store::OverageFilter& filter, std::string_view cursor,
                                      std::size_t limit) const override;
  Result<std::vector<store::BudgetState>> in_overage(Instant now) const override;
  Result<std::vector<store::BatchRow>> overage_batches(
      const store::BatchFilter& filter) const override;
  Result<std::vector<store::Orphan>> orphans() const override;
  Result<std::vector<store::DeadSettlement>> dead() const override;
  Result<std::vector<store::AuditRow>> audit(std::size_t newest) const override;
  Result<std::vector<store::Migration>> migrations() const override;
  Result<store::Verified> verify(const store::Progress& progress) const override;
  Instant now() const override;

 private:
  store::Store* store_ = nullptr;
  Line& line_;
};

}  // namespace aimeter::sim
