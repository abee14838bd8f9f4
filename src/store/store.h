// Package:       store
// Units:         amounts as in settlement.h; times in Instant by the store's own clock.
// Errors:        each function says; every failure leaves the store as it was, but in_doubt.
// Thread safety: apply and the control functions: one thread each (both may run beside each other
//                and beside reads); reads: any thread, own snapshot.
// Ownership:     the engine owns its Store; values are returned by value.
//
// The storage port. Coarse: one apply per batch, one lease for all accounts that want some,
// catalogue changes as values, reads by filter. Counters are O(1), never sums over rows. `memory:`
// is the reference model; every driver passes one contract suite.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "aimeter/plan.h"
#include "aimeter/usage.h"
#include "base/files.h"
#include "plans/limits.h"
#include "store/batches.h"
#include "store/credits.h"
#include "store/follow.h"
#include "store/overages.h"
#include "store/settlement.h"

namespace aimeter::store {

enum class Sync { relaxed, full };  // relaxed only for what a journal can replay

struct EngineCard {                     // what an engine says when it opens
  std::string host = {}, journal = {};  // journal: its folder; "" = none
  EngineId number = 0;  // 0: a new one; else that of a journal from which the store is healed
};
struct EngineRef {
  EngineId engine = 0;
  std::uint32_t epoch = 1;
};
struct EngineState {
  EngineRef ref = {};
  EngineCard card = {};
  Seq last_seq = 0;
  std::int64_t rowless = 0;
  Instant applied_at = {}, renewed_at = {};
  std::optional<Instant> closed_at = {};
};

struct BudgetState {
  BudgetKey key = {};
  Amount used = 0, leased = 0, over_hold = 0, late = 0, fallen = 0;
  std::optional<Amount> limit = {};  // the last one that a lease or a settlement named
  // It was named as blocking. Then used + leased <= limit + over_hold + late + fallen (bound.h).
  bool blocking = false;
  Amount credited = 0;  // of a wallet; it is its limit
  billing::OverageState overage = {};
};
enum class Odd : std::uint8_t { duplicate, late, dead };
struct Outcome {
  Seq seq = 0;
  Odd what = Odd::duplicate;
  std::int64_t original = 0;  // row id of the first settlement of the key, of a duplicate
  std::string reason = {};    // of dead
};
// Thresholds crossed by this batch for the first time in the store (bit `told`).
struct Crossed {
  BudgetKey key = {};
  bool reached = false;  // else approaching
};
struct Applied {
  Seq last = 0;
  std::vector<BudgetState> budgets = {};  // every budget that the batch touched, after it
  std::vector<Outcome> odd = {};
  std::vector<Crossed> crossed = {};
  std::vector<CreditMove> credits = {};    // what the batch did to wallets, in its order
  std::vector<OverageLine> overages = {};  // that this batch wrote, in their order
};

struct LeaseAsk {
  BudgetKey key = {};
  Amount ask = 0, one_call = 0;  // one_call: what the waiting call needs, at least that or nothing
  bool whole_rest = false;       // all of free, only if no other engine has any
  Amount limit = 0;              // of a wallet: nothing, the store knows it
  std::uint64_t catalogue = 0;   // version that `limit` was computed from
};
struct LeaseGrant {
  Amount granted = 0;           // may be 0
  Amount used = 0, leased = 0;  // of the budget after the grant, all engines
  Amount held_elsewhere = 0;    // as other engines last reported
  Amount leased_elsewhere = 0;
  Amount limit = 0;              // in force: of a wallet all credits but those that are over
  bool recalled = false;         // others were asked to give back
  bool stale_catalogue = false;  // nothing granted: reload the account
};
// Of a recalled budget: what running calls hold of it; believed until that engine's next heartbeat.
struct HeldReport {
  BudgetKey key = {};
  Amount held = 0;
};
struct LeaseBack {
  BudgetKey key = {};
  Amount amount = 0;
};
struct Lessee {  // an engine that is open and leases something
  EngineId engine = 0;
  Instant renewed_at = {};
};
struct Pulse {
  bool lost = false;   // this epoch is over: grant nothing, take the next
  EngineRef ref = {};  // with the epoch in force
  std::uint64_t catalogue = 0;
  int engines = 1;  // live ones, this included
  // Who else may bring keys: engines that are not closed, and the newest that ever opened.
  int others_open = 0;
  EngineId newest_engine = 0;
  Instant store_now = {};
  bool holds_due = false;    // detached holds have expired: somebody should say ExpireHolds
  bool credits_due = false;  // lots are over: somebody should say ExpireCredits
  std::vector<BudgetKey> recalled = {};
};

struct KeySeen {
  std::int64_t row = 0;
  std::uint64_t content = 0;
};
// The key of a detached hold has row 0 until it is settled; `content` says how it ended.
constexpr std::uint64_t kHoldExpired = 0, kHoldReleased = 1;
// What names a detached hold in keys and events.
[[nodiscard]] base::Key16 hold_key_of(const TenantId& tenant, std::string_view token);

// Signs the tokens of detached holds. The newest signs, the older ones still prove.
struct HoldKey {
  std::uint32_t number = 0;
  Instant made_at = {};
  base::Digest secret = {};
};
[[nodiscard]] HoldKey new_hold_key(std::uint32_t number, Instant made_at);
constexpr std::size_t kHoldKeysKept = 4;
constexpr Duration kHoldKeyLife = std::chrono::days(30);

struct EndedHold {  // a detached hold that has expired
  Account account = {};
  base::Key16 hold = {};              // hold_key_of
  std::vector<LeaseBack> parts = {};  // what it held
};

struct KeyCursor {  // where a walk through all keys has come to
  std::int64_t table = 0;
  base::Key16 key = {};
};
struct KeyPage {
  std::vector<base::Key16> keys = {};
  KeyCursor next = {};
  bool more = false;
};

struct AccountState {  // everything a hold pins, in one snapshot
  plans::Contract contract = {};
  std::uint64_t catalogue = 0;
  Instant store_now = {};
  std::string wallet_currency = {};  // "": there is no wallet yet
};

struct Orphan {
  EngineId engine = 0;
  std::uint64_t hold = 0;
  Begin begin = {};
};
struct DeadSettlement {
  std::int64_t id = 0;
  std::string reason = {};
  Settlement settlement = {};
};
struct PriceBookRow {
  std::string version = {};
  Instant effective_from = {};
  std::string document = {};  // in the format "aimeter"
};
struct ApiKeyRow {  // never the secret
  std::string id = {}, tenant = {}, name = {};
  base::Digest secret_sha256 = {};
  std::vector<std::string> scopes = {};
  Instant created_at = {};
  std::optional<Instant> revoked_at = {}, expires_at = {};
};
struct AuditRow {
  Instant at = {};
  std::string actor = {}, action = {}, tenant = {}, details = {};
};

// Catalogue and maintenance changes, each one transaction with Sync::full and with a row of audit.
// The catalogue's (PutPlan to PutPrices, and follow.h) raise its version by one, maintenance leaves
// it.
struct PutPlan {
  Plan plan = {};
};  // id 0: new (conflict when the slug is taken); else a new version
struct DeletePlan {
  std::string tenant = {}, slug = {};
};  // referenced: failed_precondition
struct PutSubscription {
  TenantId tenant = {};
  Subscription subscription = {};
  // Only if it is this one still: else conflict, and nothing changed. So of several engines that
  // see something due, one does it.
  std::optional<Subscription> expect = {};
};  // id 0: new
struct PutOverride {
  TenantId tenant = {};
  UsageLimitOverride limits = {};
};
struct PutTenant {
  TenantId tenant = {};
};
struct PutDomain {
  std::string host = {};
  TenantId tenant = {};
};
struct PutApiKey {
  ApiKeyRow key = {};
};
struct RevokeApiKey {
  TenantId tenant = {};
  std::string id = {};
};
struct PutPrices {
  PriceBookRow book = {};
};
struct PutOrphans {
  std::vector<Orphan> orphans = {};
};
struct DropOrphan {
  EngineId engine = 0;
  std::uint64_t hold = 0;
};
// Clears user (and meta) of rows; counters, roll-ups and money stay. Done in slices of `limit`
// rows.
struct Erase {
  TenantId tenant = {};
  std::optional<std::string> user = {};
  std::optional<Billable> billable = {};
  std::optional<Instant> older_than = {};  // anonymize
  std::size_t limit = 5'000;
};
// Whole periods of one account that ended before `before`, with their seal in the same transaction,
// in slices.
// Periods with overage that the next batch would charge wait for it.
struct Prune {
  std::optional<TenantId> tenant = {};
  Instant before = {};
  enum class Unbilled { keep, drop } unbilled = Unbilled::keep;  // drop: nobody will ever bill
  std::size_t limit = 5'000;
};
// Ends a detached hold: what it held is free again; a later settlement of it is late. A hold whose
// detach was not applied yet ends too. Settled: failed_precondition. Ended before: nothing changes.
struct ReleaseHold {
  TenantId tenant = {};
  std::string token = {};
};
// Ends the detached holds whose expires_at has come (expires_at <= now), oldest first.
struct ExpireHolds {
  std::size_t limit = 5'000;
};
// A new key for tokens when the newest was made before `before`; the oldest beyond kHoldKeysKept
// goes.
struct RotateHoldKeys {
  Instant before = {};
};
// The limit that is in force for a budget with overage is another: its T follows as with the next
// settlement, which may never come, and what it covers is credited. Only up, and only by newer
// terms; else nothing changes.
struct MoveAllowance {
  BudgetKey key = {};
  std::optional<Amount> limit = {};  // empty: unlimited
  billing::PinsAge age = {};
};
using ChangeBody =
    std::variant<PutPlan, DeletePlan, PutSubscription, PutOverride, PutTenant, PutDomain, PutApiKey,
                 RevokeApiKey, PutPrices, PutOrphans, DropOrphan, Erase, Prune, ReleaseHold,
                 ExpireHolds, RotateHoldKeys, AddCredits, DeductCredits, RefundCredits,
                 ExpireCredits, ApplyBillingEvent, PutBillingIds, FreezeOverages, ClaimBatch,
                 EndBatch, MoveAllowance, PutAutoTopUp, BeginTopUps, EndTopUp>;
struct Change {
  ChangeBody body = {};
  std::string actor = {};  // for ai_audit: "cli", "library" ...
};
struct Changed {
  std::uint64_t catalogue = 0;
  std::int64_t id = 0;                   // of the plan, subscription or override
  std::int64_t rows = 0;                 // erased, pruned, holds ended, keys made
  bool more = false;                     // a slice was done; call again
  std::vector<EndedHold> ended = {};     // by ExpireHolds
  std::vector<CreditMove> credits = {};  // its transactions
  std::vector<TopUpState> top_ups = {};  // claimed
  bool repeated = false;  // of an idempotency key: nothing changed, `credits` is the first result
  std::vector<BatchRow> batches = {};      // frozen, claimed (as it is to be sent), ended
  std::vector<Followed> followed = {};     // by ApplyBillingEvent, at most one
  std::vector<OverageLine> overages = {};  // by MoveAllowance
};

struct RollupFilter {
  UsageFilter usage = {};  // user and meta must be empty: roll-ups have none
  bool by_tenant = false, by_billable = false, by_provider = false, by_model = false,
       by_feature = false;
  bool by_bucket = false;  // 15 minutes
};
struct RollupRow {
  Account account = {};  // the fields that were asked for
  std::string provider = {}, model = {}, feature = {}, currency = {};
  Instant bucket = {};
  std::int64_t calls = 0, input_tokens = 0, cached_input_tokens = 0, output_tokens = 0;
  std::int64_t estimated = 0, provisional = 0;
  __extension__ __int128 cost_nanos = 0;
  std::int64_t tenants = 0;  // distinct, when not by tenant
};
constexpr std::int64_t kBucketMinutes = 15;

struct FeedPosition {
  EngineId engine = 0;
  Seq after = 0;
};
struct Finding {  // of verify
  std::string check =
      {};  // "rows = counters", "roll-ups = rows", "gapless", "bound", "keys unique", "seals" ...
  std::string where = {}, message = {};
};
struct Verified {
  std::int64_t rows = 0, budgets = 0, engines = 0;
  std::vector<Finding> findings = {};
};
using Progress = std::function<bool(std::int64_t done,
                                    std::int64_t total)>;  // false: stop, unavailable "interrupted"

struct Migration {
  int number = 0;
  std::string name = {};
  std::optional<Instant> applied_at = {};
};

class Store {
 public:
  virtual ~Store() = default;

  // ---- Apply lane. All or nothing; moves last_seq from `prev`; the batch's seqs follow it. Epochs
  // do not matter here: a lost or closed engine's tail still counts, its leases do not.
  // - Keys: first wins; a loser is stored flagged duplicate with actual 0, and gives its hold back.
  // - A part whose lease lacks some of `held` is late: what its actual is above that counts in
  //   `late`, the row is flagged. Else max(0, actual - held) is `over_hold`, where the part blocks
  //   or its budget did before the batch.
  // - The limit that a batch names last of a budget is its limit (not by adjustments, duplicates).
  // - A settlement that cannot be written (a sum out of range, a budget of another account, an
  //   adjustment that takes more than is left or counts elsewhere than its usage) is dead: used +=
  //   held, leased -= held. A dead call keeps its key, a dead adjustment does not.
  // - What it counts in a wallet is a transaction; of an adjustment, money that comes or goes. Of a
  //   usage that was refunded what it gives a second time goes again, by a transaction of its own.
  // - A settlement with a token ends that detached hold. Where the detach is not applied yet it
  //   takes its hold from the lease, and the detach changes nothing any more. After release or
  //   expiry it is late. The token is a key of kind "hold": the second settlement is a duplicate,
  //   whatever came before the first.
  // - Overage: each part steps by billing/overage.h, its lines are written with it. A duplicate
  //   does nothing, what is dead is not charged.
  // Errors: conflict (last_seq is not prev: read it), not_found (no such engine), invalid_argument
  // (seqs with a gap), unavailable, in_doubt.
  [[nodiscard]] virtual Result<Applied> apply(EngineRef engine, Seq prev,
                                              std::span<const Settlement> batch, Sync sync) = 0;
  [[nodiscard]] virtual Result<Seq> last_seq(EngineId engine) = 0;

  // ---- Control lane. find_key, keys_after, load_account and budget_states: any thread.
  // Later numbers are above it. conflict: that number is known.
  [[nodiscard]] virtual Result<EngineRef> open_engine(const EngineCard& card) = 0;
  // Asks of several accounts, those of one side by side. Of an account all or none: a grant below
  // `one_call` for one of them gives 0 to all of that account's, and others are asked to give back
  // what that one lacked; a stale one gives 0 to all, too. Elsewhere: other engines' leases, and
  // detached holds. Live engines: not closed, renewed within kEngineLiveFor (bound.h). Errors:
  // failed_precondition (the epoch is over, the engine closed), not_found, invalid_argument,
  // unavailable.
  [[nodiscard]] virtual Result<std::vector<LeaseGrant>> lease(EngineRef engine,
                                                              std::span<const LeaseAsk> asks) = 0;
  // A budget stays recalled until something of it (0 will do) is given back. A closed engine:
  // failed_precondition. An epoch that is over is no error: lost, and nothing was renewed.
  [[nodiscard]] virtual Result<Pulse> renew(EngineRef engine,
                                            std::span<const HeldReport> held_of_recalled) = 0;
  // All or nothing. failed_precondition: the epoch is over, or less is leased.
  [[nodiscard]] virtual Status give_back(EngineRef engine, std::span<const LeaseBack> parts) = 0;
  [[nodiscard]] virtual Status close_engine(
      EngineId engine) = 0;  // after its tail was applied: its leases go back
  // Those that are still as they are named here, lessees that have not renewed since: next epoch,
  // their leases go back. Says how many. Who has been silent too long is the caller's to know.
  [[nodiscard]] virtual Result<int> take_back(std::span<const Lessee> silent) = 0;
  [[nodiscard]] virtual Result<std::optional<KeySeen>> find_key(const base::Key16& key) = 0;
  // Every key that was there when the walk began (KeyCursor{}), and some of those that came since.
  [[nodiscard]] virtual Result<KeyPage> keys_after(const KeyCursor& after,
                                                   std::size_t limit) const = 0;
  // All subscriptions and overrides of the account, with the plans in their newest version.
  [[nodiscard]] virtual Result<AccountState> load_account(const Account& account, Instant at) = 0;
  [[nodiscard]] virtual Result<std::vector<BudgetState>> budget_states(
      std::span<const BudgetKey> keys) = 0;  // absent: zeros
  // Errors: invalid_argument, not_found, conflict, failed_precondition: nothing changed.
  [[nodiscard]] virtual Result<Changed> change(const Change& change) = 0;

  // ---- Reads (any thread, own snapshot). An empty `tenant` is all tenants. Lists are in the order
  // of their ids, keys or names, price books of their dates; audit: newest first.
  // Sorted by (occurred_at, id). invalid_argument: a bad cursor, a limit outside 1..kPageMax.
  [[nodiscard]] virtual Result<UsagePage> usages(const UsageFilter& filter, std::string_view cursor,
                                                 std::size_t limit) const = 0;
  [[nodiscard]] virtual Result<std::vector<RollupRow>> rollups(
      const RollupFilter& filter) const = 0;
  // Rows of one engine by seq, duplicates too, no dead ones and no detaches.
  [[nodiscard]] virtual Result<std::vector<Settlement>> feed(FeedPosition after,
                                                             std::size_t limit) const = 0;
  [[nodiscard]] virtual Result<std::optional<Settlement>> settlement(
      std::int64_t row, const std::optional<TenantId>& tenant) const = 0;
  [[nodiscard]] virtual Result<std::vector<EngineState>> engines() const = 0;
  [[nodiscard]] virtual Result<std::vector<Lessee>> lessees() const = 0;
  [[nodiscard]] virtual Result<std::uint64_t> catalogue() const = 0;
  [[nodiscard]] virtual Result<base::Key16> store_id() const = 0;
  [[nodiscard]] virtual Result<std::vector<HoldKey>> hold_keys() const = 0;  // newest first
  [[nodiscard]] virtual Result<std::optional<Plan>> find_plan(
      const TenantId& tenant, std::string_view slug) const = 0;  // own, then ""
  [[nodiscard]] virtual Result<std::vector<Plan>> plans(
      const std::optional<TenantId>& tenant) const = 0;  // of that tenant and ""; empty: all
  [[nodiscard]] virtual Result<std::vector<std::pair<Account, Subscription>>> subscriptions(
      const std::optional<TenantId>& tenant) const = 0;
  // Those with something due at `now` (plans/lifecycle.h), the longest due first.
  [[nodiscard]] virtual Result<std::vector<std::pair<Account, Subscription>>> due(
      Instant now, std::size_t limit) const = 0;
  [[nodiscard]] virtual Result<std::vector<std::pair<Account, UsageLimitOverride>>> overrides(
      const std::optional<TenantId>& tenant) const = 0;
  // Every tenant that was ever named, but "", sorted.
  [[nodiscard]] virtual Result<std::vector<TenantId>> tenants() const = 0;
  [[nodiscard]] virtual Result<std::optional<TenantId>> tenant_of_domain(
      std::string_view host) const = 0;
  [[nodiscard]] virtual Result<std::optional<ApiKeyRow>> find_api_key(
      std::string_view id) const = 0;
  [[nodiscard]] virtual Result<std::vector<ApiKeyRow>> api_keys(
      const std::optional<TenantId>& tenant) const = 0;
  [[nodiscard]] virtual Result<std::vector<PriceBookRow>> price_books() const = 0;
  [[nodiscard]] virtual Result<std::vector<BudgetState>> budgets(
      const std::optional<TenantId>& tenant) const = 0;
  // By account; transactions and lots by id, of wallets together.
  [[nodiscard]] virtual Result<std::vector<WalletState>> wallets(
      const WalletFilter& filter) const = 0;
  [[nodiscard]] virtual Result<std::vector<CreditMove>> credit_transactions(
      const CreditFilter& filter, std::size_t limit) const = 0;
  [[nodiscard]] virtual Result<std::vector<TopUpState>> top_ups(
      const TopUpFilter& filter) const = 0;
  [[nodiscard]] virtual Result<std::vector<CreditLot>> credit_lots(const Account& account,
                                                                   Lots which) const = 0;
  // By id: the order in which they were written. invalid_argument: a bad cursor or limit.
  [[nodiscard]] virtual Result<OveragePage> overages(const OverageFilter& filter,
                                                     std::string_view cursor,
                                                     std::size_t limit) const = 0;
  // Budgets with overage whose period runs at `now`.
  [[nodiscard]] virtual Result<std::vector<BudgetState>> in_overage(Instant now) const = 0;
  [[nodiscard]] virtual Result<std::vector<BatchRow>> overage_batches(
      const BatchFilter& filter) const = 0;  // by id
  [[nodiscard]] virtual Result<std::vector<Orphan>> orphans() const = 0;
  [[nodiscard]] virtual Result<std::vector<DeadSettlement>> dead() const = 0;
  [[nodiscard]] virtual Result<std::vector<AuditRow>> audit(std::size_t newest) const = 0;
  [[nodiscard]] virtual Result<std::vector<Migration>> migrations() const = 0;
  [[nodiscard]] virtual Result<Verified> verify(const Progress& progress) const = 0;
  [[nodiscard]] virtual Instant now() const = 0;  // the store's wall clock
};

// A disk other than the system's, for tests that take its power away.
struct StoreDisk {
  base::Files* files = nullptr;  // null: the system's
  std::string vfs = {};          // the name under which SQLite finds the same disk
};

struct StoreOptions {
  const Clock* clock = nullptr;  // of the store's wall time; null = the system's
  enum class Migrate {
    apply,
    refuse
  } migrate = Migrate::apply;  // refuse: an older file is failed_precondition
  StoreDisk disk = {};
};

// The reference model: everything in memory, one mutex, the plainest code that is right.
[[nodiscard]] std::unique_ptr<Store> make_memory_store(const Clock& clock);

}  // namespace aimeter::store
