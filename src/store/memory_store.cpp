#include <algorithm>
#include <mutex>
#include <ranges>
#include <tuple>

#include "base/ids.h"
#include "plans/lifecycle.h"
#include "store/audit.h"
#include "store/memory_apply.h"
#include "store/memory_batches.h"
#include "store/memory_catalogue.h"
#include "store/memory_follow.h"
#include "store/memory_leases.h"
#include "store/memory_maintenance.h"
#include "store/memory_overage.h"
#include "store/memory_wallets.h"

namespace aimeter::store {
namespace {

using memory::Catalogue;
using memory::State;

Result<Changed> changed_by(State& state, const ChangeBody& body, const base::Key16& id,
                           Instant now) {
  return std::visit(
      Overloaded{
          [&](const RevokeApiKey& b) { return memory::revoke(state.catalogue, b, now); },
          [&](const PutOrphans& b) { return memory::put(state, b); },
          [&](const DropOrphan& b) { return memory::drop(state, b); },
          [&](const Erase& b) { return memory::erase(state, b); },
          [&](const Prune& b) { return memory::prune(state, b); },
          [&](const ReleaseHold& b) { return memory::release(state, b); },
          [&](const ExpireHolds& b) -> Result<Changed> { return memory::expire(state, b, now); },
          [&](const RotateHoldKeys& b) -> Result<Changed> { return memory::rotate(state, b, now); },
          [&](const AddCredits& b) { return memory::put(state, b, now); },
          [&](const DeductCredits& b) { return memory::put(state, b, now); },
          [&](const RefundCredits& b) { return memory::put(state, b, now); },
          [&](const PutAutoTopUp& b) { return memory::put(state, b, now); },
          [&](const BeginTopUps& b) { return memory::put(state, b, now); },
          [&](const EndTopUp& b) { return memory::put(state, b, now); },
          [&](const ExpireCredits& b) -> Result<Changed> { return memory::put(state, b, now); },
          [&](const PutPlan& b) { return memory::put(state.catalogue, b, now); },
          [&](const MoveAllowance& b) { return memory::put(state, b, now); },
          [&](const FreezeOverages& b) { return memory::freeze(state, b, id, now); },
          [&](const ClaimBatch& b) { return memory::put(state, b, now); },
          [&](const EndBatch& b) { return memory::put(state, b, now); },
          [&](const ApplyBillingEvent& b) { return memory::apply(state, b); },
          [&](const PutBillingIds& b) { return memory::put(state, b); },
          [&](const auto& b) { return memory::put(state.catalogue, b); },
      },
      body);
}

Status check_seqs(Seq prev, std::span<const Settlement> batch) {
  for (const Settlement& settlement : batch) {
    if (settlement.seq != ++prev) {
      return bad_input("seq", std::to_string(settlement.seq), std::to_string(prev));
    }
  }
  return {};
}

template <class T>
bool is_of(const std::optional<TenantId>& tenant, const T& owned) {
  return !tenant || owned.account.tenant == *tenant;
}

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(const Clock& clock) : clock_(clock), id_(random_id()) {
    state_.hold_keys.push_back(new_hold_key(1, clock.now()));
  }

  Result<Applied> apply(EngineRef engine, Seq prev, std::span<const Settlement> batch,
                        Sync /*sync*/) override {
    const std::lock_guard lock(mutex_);
    AIMETER_TRY(const Seq last, last_seq_of(engine.engine));
    if (last != prev) {
      return fail(Code::conflict, "last seq is " + std::to_string(last) + ", not " +
                                      std::to_string(prev) + ": read it");
    }
    AIMETER_CHECK_OK(check_seqs(prev, batch));
    memory::Batch work(state_, engine.engine, now());
    for (const Settlement& settlement : batch) work.take(settlement);
    return work.finish(prev + batch.size());
  }

  Result<Seq> last_seq(EngineId engine) override {
    const std::lock_guard lock(mutex_);
    return last_seq_of(engine);
  }

  Result<EngineRef> open_engine(const EngineCard& card) override {
    const std::lock_guard lock(mutex_);
    return memory::open_engine(state_, card, now());
  }

  Result<std::vector<LeaseGrant>> lease(EngineRef engine, std::span<const LeaseAsk> asks) override {
    const std::lock_guard lock(mutex_);
    return memory::lease(state_, engine, asks, now());
  }

  Result<Pulse> renew(EngineRef engine, std::span<const HeldReport> held_of_recalled) override {
    const std::lock_guard lock(mutex_);
    return memory::renew(state_, engine, held_of_recalled, now());
  }

  Status give_back(EngineRef engine, std::span<const LeaseBack> parts) override {
    const std::lock_guard lock(mutex_);
    return memory::give_back(state_, engine, parts);
  }

  Status close_engine(EngineId engine) override {
    const std::lock_guard lock(mutex_);
    return memory::close_engine(state_, engine, now());
  }

  Result<std::vector<Lessee>> lessees() const override {
    const std::lock_guard lock(mutex_);
    return memory::lessees(state_);
  }

  Result<int> take_back(std::span<const Lessee> silent) override {
    const std::lock_guard lock(mutex_);
    return memory::take_back(state_, silent);
  }

  Result<std::optional<KeySeen>> find_key(const base::Key16& key) override {
    const std::lock_guard lock(mutex_);
    const auto seen = state_.keys.find(key);
    return seen == state_.keys.end() ? std::nullopt : std::optional(seen->second);
  }

  Result<KeyPage> keys_after(const KeyCursor& after, std::size_t limit) const override {
    const std::lock_guard lock(mutex_);
    KeyPage page{.next = after};
    page.next.table = 1;
    auto at = after.table == 0 ? state_.keys.begin() : state_.keys.upper_bound(after.key);
    for (; at != state_.keys.end() && page.keys.size() < limit; ++at) {
      page.keys.push_back(at->first);
    }
    if (!page.keys.empty()) page.next.key = page.keys.back();
    page.more = at != state_.keys.end();
    return page;
  }

  Result<AccountState> load_account(const Account& account, Instant at) override {
    const std::lock_guard lock(mutex_);
    const auto wallet = memory::wallet_of(state_, account);
    plans::Contract contract = memory::contract_of(state_.catalogue, account);
    if (has_cap(contract)) contract.overages = memory::overages_of(state_, account, at);
    return AccountState{.contract = std::move(contract),
                        .catalogue = state_.catalogue.version,
                        .store_now = now(),
                        .wallet_currency = wallet ? wallet->currency : ""};
  }

  Result<std::vector<BudgetState>> budget_states(std::span<const BudgetKey> keys) override {
    const std::lock_guard lock(mutex_);
    std::vector<BudgetState> states;
    for (const BudgetKey& key : keys) {
      const auto budget = state_.budgets.find(key);
      states.push_back(budget == state_.budgets.end() ? BudgetState{.key = key}
                                                      : budget->second.state);
    }
    return states;
  }

  Result<Changed> change(const Change& change) override {
    const std::lock_guard lock(mutex_);
    AIMETER_TRY(Changed changed, changed_by(state_, change.body, id_, now()));
    if (is_catalogue(change.body)) state_.catalogue.version += 1;
    changed.catalogue = state_.catalogue.version;
    if (changed.repeated) return changed;
    const Said said = said_of(change.body);
    state_.audit.push_back({now(), change.actor, said.action, said.tenant, said.details});
    return changed;
  }

  Result<UsagePage> usages(const UsageFilter& filter, std::string_view cursor,
                           std::size_t limit) const override {
    AIMETER_CHECK_OK(check_page(limit));
    AIMETER_TRY(const auto after, parse_cursor(cursor));
    const std::lock_guard lock(mutex_);
    std::map<Cursor, const Settlement*> found;
    for (const auto& [id, row] : state_.rows) {
      const Cursor at{row.settlement.occurred_at, id};
      if (after && at <= *after) continue;
      if (matches(filter, row.settlement)) found[at] = &row.settlement;
    }
    UsagePage page;
    for (const auto& [at, settlement] : found) {
      if (page.records.size() == limit) {
        page.next = text_of(Cursor{page.records.back().occurred_at, page.records.back().id});
        break;
      }
      page.records.push_back(record_of(*settlement, at.id));
    }
    return page;
  }

  Result<std::vector<RollupRow>> rollups(const RollupFilter& filter) const override {
    AIMETER_CHECK_OK(check(filter));
    const std::lock_guard lock(mutex_);
    std::vector<RollupRow> cells;
    for (const auto& [key, cell] : state_.rollups) cells.push_back(cell);
    return group(filter, cells);
  }

  Result<std::vector<Settlement>> feed(FeedPosition after, std::size_t limit) const override {
    AIMETER_CHECK_OK(check_page(limit));
    const std::lock_guard lock(mutex_);
    std::vector<Settlement> settlements;
    for (auto row = state_.rows.upper_bound(row_id(after.engine, after.after));
         row != state_.rows.end() && settlements.size() < limit; ++row) {
      if (static_cast<EngineId>(row->first) >> kSeqBits != after.engine) break;
      settlements.push_back(row->second.settlement);
    }
    return settlements;
  }

  Result<std::optional<Settlement>> settlement(
      std::int64_t row, const std::optional<TenantId>& tenant) const override {
    const std::lock_guard lock(mutex_);
    const auto found = state_.rows.find(row);
    if (found == state_.rows.end() || !is_of(tenant, found->second.settlement)) {
      return std::optional<Settlement>();
    }
    return std::optional(found->second.settlement);
  }

  Result<std::vector<EngineState>> engines() const override {
    const std::lock_guard lock(mutex_);
    return values_of(state_.engines);
  }
  Result<std::uint64_t> catalogue() const override {
    const std::lock_guard lock(mutex_);
    return state_.catalogue.version;
  }
  Result<base::Key16> store_id() const override { return id_; }
  Result<std::vector<HoldKey>> hold_keys() const override {
    const std::lock_guard lock(mutex_);
    return state_.hold_keys;
  }

  Result<std::optional<Plan>> find_plan(const TenantId& tenant,
                                        std::string_view slug) const override {
    const std::lock_guard lock(mutex_);
    return memory::find_plan(state_.catalogue, tenant.text, slug);
  }

  Result<std::vector<Plan>> plans(const std::optional<TenantId>& tenant) const override {
    const std::lock_guard lock(mutex_);
    std::vector<Plan> plans;
    for (const auto& [id, versions] : state_.catalogue.plans) {
      const Plan& plan = versions.back();
      if (!tenant || plan.tenant.empty() || plan.tenant == tenant->text) plans.push_back(plan);
    }
    return plans;
  }

  Result<std::vector<std::pair<Account, Subscription>>> subscriptions(
      const std::optional<TenantId>& tenant) const override {
    const std::lock_guard lock(mutex_);
    return owned_by(tenant, state_.catalogue.subscriptions);
  }
  Result<std::vector<std::pair<Account, Subscription>>> due(Instant now,
                                                            std::size_t limit) const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<Account, Subscription>> all;
    for (const auto& [id, owned] : state_.catalogue.subscriptions) {
      const auto at = plans::due_at(owned.value);
      if (at && *at <= now) all.emplace_back(owned.account, owned.value);
    }
    std::ranges::sort(all, {}, [](const auto& one) {
      return std::pair(*plans::due_at(one.second), one.second.id);
    });
    all.resize(std::min(all.size(), limit));
    return all;
  }
  Result<std::vector<std::pair<Account, UsageLimitOverride>>> overrides(
      const std::optional<TenantId>& tenant) const override {
    const std::lock_guard lock(mutex_);
    return owned_by(tenant, state_.catalogue.overrides);
  }

  Result<std::vector<TenantId>> tenants() const override {
    const std::lock_guard lock(mutex_);
    std::set<TenantId> all = state_.catalogue.tenants;
    for (const auto& [key, budget] : state_.budgets) all.insert(key.account.tenant);
    for (const auto& [key, cell] : state_.rollups) all.insert(cell.account.tenant);
    all.erase(TenantId{});
    return std::vector<TenantId>(all.begin(), all.end());
  }

  Result<std::optional<TenantId>> tenant_of_domain(std::string_view host) const override {
    const std::lock_guard lock(mutex_);
    const auto found = state_.catalogue.domains.find(std::string(host));
    return found == state_.catalogue.domains.end() ? std::nullopt : std::optional(found->second);
  }

  Result<std::optional<ApiKeyRow>> find_api_key(std::string_view id) const override {
    const std::lock_guard lock(mutex_);
    const auto found = state_.catalogue.api_keys.find(std::string(id));
    return found == state_.catalogue.api_keys.end() ? std::nullopt : std::optional(found->second);
  }

  Result<std::vector<ApiKeyRow>> api_keys(const std::optional<TenantId>& tenant) const override {
    const std::lock_guard lock(mutex_);
    std::vector<ApiKeyRow> keys = values_of(state_.catalogue.api_keys);
    if (tenant) std::erase_if(keys, [&](const auto& key) { return key.tenant != tenant->text; });
    return keys;
  }

  Result<std::vector<PriceBookRow>> price_books() const override {
    const std::lock_guard lock(mutex_);
    std::vector<PriceBookRow> books = values_of(state_.catalogue.price_books);
    std::ranges::sort(books, {}, [](const PriceBookRow& book) {
      return std::tie(book.effective_from, book.version);
    });
    return books;
  }

  Result<std::vector<BudgetState>> budgets(const std::optional<TenantId>& tenant) const override {
    const std::lock_guard lock(mutex_);
    std::vector<BudgetState> states;
    for (const auto& [key, budget] : state_.budgets) {
      if (is_of(tenant, key)) states.push_back(budget.state);
    }
    return states;
  }

  Result<std::vector<WalletState>> wallets(const WalletFilter& filter) const override {
    const std::lock_guard lock(mutex_);
    return memory::wallets_in(state_, filter);
  }
  Result<std::vector<CreditMove>> credit_transactions(const CreditFilter& filter,
                                                      std::size_t limit) const override {
    AIMETER_CHECK_OK(check_page(limit));
    const std::lock_guard lock(mutex_);
    return memory::transactions_in(state_, filter, limit);
  }
  Result<std::vector<TopUpState>> top_ups(const TopUpFilter& filter) const override {
    const std::lock_guard lock(mutex_);
    return memory::top_ups_in(state_, filter, now());
  }
  Result<std::vector<CreditLot>> credit_lots(const Account& account, Lots which) const override {
    const std::lock_guard lock(mutex_);
    return memory::lots_in(state_, account, which);
  }
  Result<OveragePage> overages(const OverageFilter& filter, std::string_view cursor,
                               std::size_t limit) const override {
    AIMETER_CHECK_OK(check_page(limit));
    AIMETER_TRY(const std::int64_t after, parse_overage_cursor(cursor));
    const std::lock_guard lock(mutex_);
    OveragePage page;
    for (auto at = state_.overages.upper_bound(after); at != state_.overages.end(); ++at) {
      if (!matches(filter, at->second)) continue;
      if (page.lines.size() == limit) {
        page.next = std::to_string(page.lines.back().id);
        break;
      }
      page.lines.push_back(at->second);
    }
    return page;
  }

  Result<std::vector<BudgetState>> in_overage(Instant now) const override {
    const std::lock_guard lock(mutex_);
    std::vector<BudgetState> found;
    for (const auto& [key, budget] : state_.budgets) {
      if (budget.state.overage.b > 0 && key.span.contains(now)) found.push_back(budget.state);
    }
    return found;
  }

  Result<std::vector<BatchRow>> overage_batches(const BatchFilter& filter) const override {
    const std::lock_guard lock(mutex_);
    std::vector<BatchRow> found;
    for (const auto& [id, row] : state_.batches) {
      if (matches(filter, row, now())) found.push_back(row);
    }
    return found;
  }

  Result<std::vector<Orphan>> orphans() const override {
    const std::lock_guard lock(mutex_);
    return values_of(state_.orphans);
  }
  Result<std::vector<DeadSettlement>> dead() const override {
    const std::lock_guard lock(mutex_);
    std::vector<DeadSettlement> all;
    for (const auto& [id, dead] : state_.dead) all.push_back(dead.dead);
    return all;
  }
  Result<std::vector<AuditRow>> audit(std::size_t newest) const override {
    const std::lock_guard lock(mutex_);
    std::vector<AuditRow> rows(state_.audit.rbegin(), state_.audit.rend());
    rows.resize(std::min(rows.size(), newest));
    return rows;
  }
  Result<std::vector<Migration>> migrations() const override { return std::vector<Migration>(); }

  Result<Verified> verify(const Progress& progress) const override {
    const std::lock_guard lock(mutex_);
    return memory::verify(state_, progress);
  }
  Instant now() const override { return clock_.now(); }

 private:
  static base::Key16 random_id() { return base::first16(base::sha256(base::random_bytes(32))); }

  Result<Seq> last_seq_of(EngineId engine) const {
    const auto found = state_.engines.find(engine);
    if (found != state_.engines.end()) return found->second.last_seq;
    return fail(Code::not_found, "engine " + std::to_string(engine) + " is not known here");
  }

  template <class Map>
  static std::vector<typename Map::mapped_type> values_of(const Map& map) {
    const auto values = std::views::values(map);
    return {values.begin(), values.end()};
  }

  template <class T>
  static std::vector<std::pair<Account, T>> owned_by(
      const std::optional<TenantId>& tenant, const std::map<std::int64_t, memory::Owned<T>>& all) {
    std::vector<std::pair<Account, T>> owned;
    for (const auto& [id, one] : all) {
      if (is_of(tenant, one)) owned.emplace_back(one.account, one.value);
    }
    return owned;
  }

  const Clock& clock_;
  const base::Key16 id_;
  mutable std::mutex mutex_;
  State state_ = {};  // guarded by mutex_
};

}  // namespace

std::unique_ptr<Store> make_memory_store(const Clock& clock) {
  return std::make_unique<MemoryStore>(clock);
}

}  // namespace aimeter::store
