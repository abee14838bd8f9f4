// Package:       drivers
// Units:         as in store/store.h
// Errors:        as in store/store.h; every message names the file.
// Thread safety: as in store/store.h; the control functions also from any thread.
// Ownership:     owns its connections and the writer's lock.
//
// One SQLite file in WAL mode: an apply lane and a control lane that take turns at one writer's
// lock, and a small pool of connections for reads, each with a snapshot of its own.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "drivers/storage/sqlite/lane.h"
#include "drivers/storage/sqlite/rows.h"
#include "store/store.h"

namespace aimeter::drivers::sqlite {

// Read connections that nobody uses now.
class Pool {
 public:
  explicit Pool(Database database) : database_(std::move(database)) {}
  class Use {  // a connection and its snapshot; both go back when destroyed
   public:
    Use(Pool& pool, std::unique_ptr<Connection> connection, Transaction snapshot)
        : pool_(&pool), connection_(std::move(connection)), snapshot_(std::move(snapshot)) {}
    Use(Use&&) = default;
    Use& operator=(Use&&) = delete;
    ~Use();
    Connection& operator*() const { return *connection_; }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
    Transaction snapshot_;
  };
  [[nodiscard]] Result<Use> take();

 private:
  Database database_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;  // guarded by mutex_
};

constexpr int kLogPagesMax = 16'384;  // of 4 KiB; a longer log is copied into the file

// What only tests set.
struct Tuning {
  std::int64_t keys_per_table = kKeysPerTable;
  int log_pages_max = kLogPagesMax;
};

class SqliteStore final : public store::Store {
 public:
  [[nodiscard]] static Result<std::unique_ptr<store::Store>> open(
      const std::string& path, const store::StoreOptions& options, const Tuning& tuning = {});

  ~SqliteStore() override;
  Result<store::Applied> apply(store::EngineRef engine, store::Seq prev,
                               std::span<const store::Settlement> batch, store::Sync sync) override;
  Result<store::Seq> last_seq(store::EngineId engine) override;
  Result<store::EngineRef> open_engine(const store::EngineCard& card) override;
  Result<std::vector<store::LeaseGrant>> lease(store::EngineRef engine,
                                               std::span<const store::LeaseAsk> asks) override;
  Result<store::Pulse> renew(store::EngineRef engine,
                             std::span<const store::HeldReport> held_of_recalled) override;
  Status give_back(store::EngineRef engine, std::span<const store::LeaseBack> parts) override;
  Status close_engine(store::EngineId engine) override;
  Result<std::vector<store::Lessee>> lessees() const override;
  Result<int> take_back(std::span<const store::Lessee> silent) override;
  Result<std::optional<store::KeySeen>> find_key(const base::Key16& key) override;
  Result<store::KeyPage> keys_after(const store::KeyCursor& after,
                                    std::size_t limit) const override;
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
  Result<std::vector<store::EngineState>> engines() const override;
  Result<std::uint64_t> catalogue() const override;
  Result<std::vector<store::BudgetState>> in_overage(Instant now) const override;
  Result<store::OveragePage> overages(const store::OverageFilter& filter, std::string_view cursor,
                                      std::size_t limit) const override;
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
  Result<std::vector<store::BatchRow>> overage_batches(
      const store::BatchFilter& filter) const override;
  Result<std::vector<store::Orphan>> orphans() const override;
  Result<std::vector<store::DeadSettlement>> dead() const override;
  Result<std::vector<store::AuditRow>> audit(std::size_t newest) const override;
  Result<std::vector<store::Migration>> migrations() const override;
  Result<store::Verified> verify(const store::Progress& progress) const override;
  Instant now() const override { return clock_.now(); }

 private:
  SqliteStore(const Database& database, std::unique_ptr<SyncMark> mark, const Clock& clock,
              std::unique_ptr<WriterLock> lock)
      : path_(database.path),
        mark_(std::move(mark)),
        clock_(clock),
        lock_(std::move(lock)),
        pool_(database) {}
  [[nodiscard]] Status open_lanes(const store::StoreOptions& options, const Database& database,
                                  const Tuning& tuning);
  [[nodiscard]] Status checkpoint_when_long();

  const std::string path_;
  const std::unique_ptr<SyncMark> mark_;
  const Clock& clock_;
  std::unique_ptr<WriterLock> lock_;
  std::mutex apply_mutex_, control_mutex_;  // one thread in each lane
  std::unique_ptr<Lane> apply_lane_;        // guarded by apply_mutex_
  int log_pages_max_ = kLogPagesMax;        // set before the store is used
  std::unique_ptr<Lane> control_lane_;      // guarded by control_mutex_
  mutable Pool pool_;
};

}  // namespace aimeter::drivers::sqlite
