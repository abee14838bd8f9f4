#include "tests/sim/network.h"

namespace aimeter::sim {
namespace {

using namespace store;

std::unexpected<Error> away() { return fail(Code::unavailable, "the store does not answer"); }
std::unexpected<Error> doubtful() { return fail(Code::in_doubt, "sent, no answer"); }

bool moves_money(const ChangeBody& body) {
  return std::holds_alternative<AddCredits>(body) || std::holds_alternative<DeductCredits>(body) ||
         std::holds_alternative<RefundCredits>(body);
}

// `arrives` is what the store does.
template <class Arrives>
auto write(Line& line, Line::Kind kind, Arrives arrives) -> decltype(arrives()) {
  const Fate fate = line.fate(kind);
  if (fate == Fate::refused) return away();
  if (fate == Fate::lost) return doubtful();
  if (fate == Fate::late) {
    line.later([arrives] { (void)arrives(); });
    return doubtful();
  }
  if (fate == Fate::slow) {
    line.meanwhile();
    if (line.gone()) return away();
  }
  auto answer = arrives();
  if (!answer && answer.error().code == Code::corrupt) line.store_is_corrupt();
  if (fate == Fate::slow_answer) {
    line.meanwhile();
    if (line.gone()) return doubtful();
  }
  if (fate == Fate::lost_answer) return doubtful();
  return answer;
}

template <class Arrives>
auto read(Line& line, Arrives arrives) -> decltype(arrives()) {
  const Fate fate = line.fate(Line::Kind::read);
  if (fate == Fate::refused) return away();
  if (fate == Fate::slow) {
    line.meanwhile();
    if (line.gone()) return away();
  }
  auto answer = arrives();
  if (fate == Fate::slow_answer) {
    line.meanwhile();
    if (line.gone()) return away();
  }
  return answer;
}

}  // namespace

Result<Applied> Network::apply(EngineRef engine, Seq prev, std::span<const Settlement> batch,
                               Sync sync) {
  std::vector<Settlement> sent(batch.begin(), batch.end());
  return write(line_, Line::Kind::apply, [this, engine, prev, sync, sent = std::move(sent)] {
    Result<Applied> answer = store_->apply(engine, prev, sent, sync);
    if (answer) line_.applied_there();
    return answer;
  });
}
Result<Seq> Network::last_seq(EngineId engine) {
  return read(line_, [&] { return store_->last_seq(engine); });
}
Result<EngineRef> Network::open_engine(const EngineCard& card) {
  return write(line_, Line::Kind::write, [&] { return store_->open_engine(card); });
}
Result<std::vector<LeaseGrant>> Network::lease(EngineRef engine, std::span<const LeaseAsk> asks) {
  return write(line_, Line::Kind::write, [&] {
    Result<std::vector<LeaseGrant>> grants = store_->lease(engine, asks);
    if (grants) line_.leased_there(asks, *grants);
    return grants;
  });
}
Result<Pulse> Network::renew(EngineRef engine, std::span<const HeldReport> held) {
  const Duration sent = line_.sending();
  Result<Pulse> pulse = write(line_, Line::Kind::write, [&] {
    Result<Pulse> answer = store_->renew(engine, held);
    if (answer && !answer->lost) line_.renewed_there(engine.engine);
    return answer;
  });
  if (pulse && !pulse->lost) line_.renewed_here(sent);
  return pulse;
}
Status Network::give_back(EngineRef engine, std::span<const LeaseBack> parts) {
  return write(line_, Line::Kind::write, [&] { return store_->give_back(engine, parts); });
}
Status Network::close_engine(EngineId engine) {
  return write(line_, Line::Kind::write, [&] { return store_->close_engine(engine); });
}
Result<std::vector<Lessee>> Network::lessees() const {
  return read(line_, [&] { return store_->lessees(); });
}
Result<int> Network::take_back(std::span<const Lessee> silent) {
  return write(line_, Line::Kind::write, [&] {
    Result<int> taken = store_->take_back(silent);
    if (taken) line_.taken_back(*taken);
    return taken;
  });
}
Result<std::optional<KeySeen>> Network::find_key(const base::Key16& key) {
  return read(line_, [&] { return store_->find_key(key); });
}
Result<AccountState> Network::load_account(const Account& account, Instant at) {
  return read(line_, [&] { return store_->load_account(account, at); });
}
Result<std::vector<BudgetState>> Network::budget_states(std::span<const BudgetKey> keys) {
  return read(line_, [&] { return store_->budget_states(keys); });
}
Result<Changed> Network::change(const Change& change) {
  const auto kind = moves_money(change.body) ? Line::Kind::money : Line::Kind::write;
  return write(line_, kind, [this, change] { return store_->change(change); });
}

Result<UsagePage> Network::usages(const UsageFilter& filter, std::string_view cursor,
                                  std::size_t limit) const {
  return read(line_, [&] { return store_->usages(filter, cursor, limit); });
}
Result<std::vector<RollupRow>> Network::rollups(const RollupFilter& filter) const {
  return read(line_, [&] { return store_->rollups(filter); });
}
Result<std::vector<Settlement>> Network::feed(FeedPosition after, std::size_t limit) const {
  return read(line_, [&] { return store_->feed(after, limit); });
}
Result<std::optional<Settlement>> Network::settlement(std::int64_t row,
                                                      const std::optional<TenantId>& tenant) const {
  return read(line_, [&] { return store_->settlement(row, tenant); });
}
Result<KeyPage> Network::keys_after(const KeyCursor& after, std::size_t limit) const {
  return read(line_, [&] { return store_->keys_after(after, limit); });
}
Result<std::vector<EngineState>> Network::engines() const {
  return read(line_, [&] { return store_->engines(); });
}
Result<std::uint64_t> Network::catalogue() const {
  return read(line_, [&] { return store_->catalogue(); });
}
Result<base::Key16> Network::store_id() const {
  return read(line_, [&] { return store_->store_id(); });
}
Result<std::vector<HoldKey>> Network::hold_keys() const {
  return read(line_, [&] { return store_->hold_keys(); });
}
Result<std::optional<Plan>> Network::find_plan(const TenantId& tenant,
                                               std::string_view slug) const {
  return read(line_, [&] { return store_->find_plan(tenant, slug); });
}
Result<std::vector<Plan>> Network::plans(const std::optional<TenantId>& tenant) const {
  return read(line_, [&] { return store_->plans(tenant); });
}
Result<std::vector<std::pair<Account, Subscription>>> Network::subscriptions(
    const std::optional<TenantId>& tenant) const {
  return read(line_, [&] { return store_->subscriptions(tenant); });
}
Result<std::vector<std::pair<Account, UsageLimitOverride>>> Network::overrides(
    const std::optional<TenantId>& tenant) const {
  return read(line_, [&] { return store_->overrides(tenant); });
}
Result<std::vector<TenantId>> Network::tenants() const {
  return read(line_, [&] { return store_->tenants(); });
}
Result<std::optional<TenantId>> Network::tenant_of_domain(std::string_view host) const {
  return read(line_, [&] { return store_->tenant_of_domain(host); });
}
Result<std::optional<ApiKeyRow>> Network::find_api_key(std::string_view id) const {
  return read(line_, [&] { return store_->find_api_key(id); });
}
Result<std::vector<ApiKeyRow>> Network::api_keys(const std::optional<TenantId>& tenant) const {
  return read(line_, [&] { return store_->api_keys(tenant); });
}
Result<std::vector<PriceBookRow>> Network::price_books() const {
  return read(line_, [&] { return store_->price_books(); });
}
Result<std::vector<BudgetState>> Network::budgets(const std::optional<TenantId>& tenant) const {
  return read(line_, [&] { return store_->budgets(tenant); });
}
Result<std::vector<WalletState>> Network::wallets(const WalletFilter& filter) const {
  return read(line_, [&] { return store_->wallets(filter); });
}
Result<std::vector<CreditMove>> Network::credit_transactions(const CreditFilter& filter,
                                                             std::size_t limit) const {
  return read(line_, [&] { return store_->credit_transactions(filter, limit); });
}
Result<std::vector<TopUpState>> Network::top_ups(const TopUpFilter& filter) const {
  return read(line_, [&] { return store_->top_ups(filter); });
}
Result<std::vector<CreditLot>> Network::credit_lots(const Account& account, Lots which) const {
  return read(line_, [&] { return store_->credit_lots(account, which); });
}
Result<std::vector<std::pair<Account, Subscription>>> Network::due(Instant now,
                                                                   std::size_t limit) const {
  return read(line_, [&] { return store_->due(now, limit); });
}
Result<store::OveragePage> Network::overages(const store::OverageFilter& filter,
                                             std::string_view cursor, std::size_t limit) const {
  return read(line_, [&] { return store_->overages(filter, cursor, limit); });
}
Result<std::vector<BudgetState>> Network::in_overage(Instant now) const {
  return read(line_, [&] { return store_->in_overage(now); });
}
Result<std::vector<BatchRow>> Network::overage_batches(const store::BatchFilter& filter) const {
  return read(line_, [&] { return store_->overage_batches(filter); });
}
Result<std::vector<Orphan>> Network::orphans() const {
  return read(line_, [&] { return store_->orphans(); });
}
Result<std::vector<DeadSettlement>> Network::dead() const {
  return read(line_, [&] { return store_->dead(); });
}
Result<std::vector<AuditRow>> Network::audit(std::size_t newest) const {
  return read(line_, [&] { return store_->audit(newest); });
}
Result<std::vector<Migration>> Network::migrations() const {
  return read(line_, [&] { return store_->migrations(); });
}
Result<Verified> Network::verify(const Progress& progress) const {
  return read(line_, [&] { return store_->verify(progress); });
}
Instant Network::now() const { return store_->now(); }

}  // namespace aimeter::sim
