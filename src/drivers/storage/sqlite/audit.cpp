#include "drivers/storage/sqlite/audit.h"

#include <fmt/format.h>

#include <cstring>

#include "store/bound.h"
#include "store/record.h"

namespace aimeter::drivers::sqlite {
namespace {

constexpr std::int64_t kProgressEvery = 4'096;

}  // namespace

void Audit::Sums::add(const Sums& other) {
  calls += other.calls;
  input += other.input;
  cached += other.cached;
  output += other.output;
  cost += other.cost;
  estimated += other.estimated;
  provisional += other.provisional;
}

void Audit::find(std::string check, std::string where, std::string message) {
  if (verified_.findings.size() >= kFindingsMax) return;
  verified_.findings.push_back({std::move(check), std::move(where), std::move(message)});
}

Result<store::Verified> Audit::run() {
  using Check = Status (Audit::*)();
  struct Named {
    const char* name;
    Check check;
  };
  constexpr Named kChecks[] = {
      {"integrity", &Audit::integrity}, {"rows", &Audit::rows},
      {"dead", &Audit::dead},           {"seals", &Audit::seals},
      {"counters", &Audit::counters},   {"leases", &Audit::leases},
      {"gapless", &Audit::engines},     {"roll-ups", &Audit::rollups},
      {"keys", &Audit::keys},           {"transactions", &Audit::transactions},
      {"wallets", &Audit::wallets},     {"overages", &Audit::overages},
  };
  for (const auto& [name, check] : kChecks) {
    const Status done = (this->*check)();
    if (done) continue;
    if (done.error().code != Code::corrupt) return std::unexpected(done.error());
    find("integrity", name, done.error().message);
  }
  return std::move(verified_);
}

Status Audit::integrity() {
  Query query(connection_, "PRAGMA quick_check(100)");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return {};
    if (query.bytes(0) != "ok") find("integrity", connection_.path(), query.text(0));
  }
}

Result<const std::vector<PinnedBudget>*> Audit::budgets_of(std::int64_t pins) {
  const auto [found, fresh] = pins_.try_emplace(pins);
  if (!fresh) return &found->second;
  Query query(connection_, "SELECT body FROM ai_pins WHERE pins = ?1", pins);
  AIMETER_TRY(const bool there, query.step());
  store::Pins body;
  if (!there || !read_pins(query.bytes(0), body, found->second)) {
    find("integrity", fmt::format("pins {}", pins), "missing or damaged");
  }
  return &found->second;
}

Status Audit::rows() {
  AIMETER_CHECK_OK(keys_.begin());
  AIMETER_TRY(const auto total,
              find_integer(connection_,
                           "SELECT (SELECT sum(last_seq - rowless) FROM ai_engines) - (SELECT"
                           " count(*) FROM ai_dead_settlements)"));
  total_ = total.value_or(0);
  Query query(connection_,
              "SELECT id, tenant, account, occurred_at, model, feature, flags, input_tokens,"
              " cached_input_tokens, output_tokens, cost_nanos, currency, pins, key, extra FROM"
              " ai_usages ORDER BY id");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) break;
    if (progress_ && verified_.rows % kProgressEvery == 0 && !progress_(verified_.rows, total_)) {
      return fail(Code::unavailable, "interrupted");
    }
    verified_.rows += 1;
    AIMETER_CHECK_OK(one_row(query));
  }
  query.reset();
  AIMETER_TRY(const auto entries,
              find_integer(connection_, "SELECT count(*) FROM ai_usages_by_account"));
  if (entries != verified_.rows) {
    find("index = rows", "ai_usages_by_account",
         fmt::format("it has {} entries, there are {} rows", entries.value_or(0), verified_.rows));
  }
  return {};
}

Status Audit::one_row(const Query& query) {
  const std::int64_t id = query.integer(0);
  const CellKey cell{
      query.integer(1),
      store::bucket_of(Instant(Duration(query.integer(3)))).time_since_epoch().count(),
      query.integer(2),
      query.integer(4),
      query.integer(5),
      query.integer(11)};
  const auto flags = static_cast<std::uint32_t>(query.integer(6));
  seen_[id >> store::kSeqBits] += 1;
  AIMETER_TRY(const auto* budgets, budgets_of(query.integer(12)));
  scratch_ = {};
  scratch_.usage.input_tokens.count = query.integer(7);
  scratch_.usage.output_tokens.count = query.integer(9);
  scratch_.budgets.resize(budgets->size());
  ExtraIds ids;
  if (!read_extra(query.bytes(14), scratch_, ids)) {
    find("integrity", fmt::format("row {}", id), "its extra is damaged");
  }
  for (std::size_t i = 0; i < budgets->size(); ++i) {
    counted_[(*budgets)[i].budget] += scratch_.budgets[i].actual;
  }
  AIMETER_TRY(const auto indexed,
              find_integer(connection_,
                           "SELECT 1 FROM ai_usages_by_account WHERE tenant = ?1 AND account = ?2"
                           " AND occurred_at = ?3 AND id = ?4",
                           cell.tenant, cell.account, query.integer(3), id));
  if (!indexed) {
    find("index = rows", fmt::format("row {}", id), "ai_usages_by_account does not have it");
  }
  if ((flags & store::kDuplicate) != 0) return {};
  const bool is_call = (flags & store::kAdjustment) == 0;
  cells_[cell].add({.calls = is_call ? 1 : 0,
                    .input = query.integer(7),
                    .cached = query.integer(8),
                    .output = query.integer(9),
                    .cost = query.integer(10),
                    .estimated = is_call && (flags & store::kEstimated) != 0 ? 1 : 0,
                    .provisional = store::provisional_of(static_cast<std::uint32_t>(flags))});
  const std::string_view bytes = query.bytes(13);
  base::Key16 key{};
  if (bytes.size() != key.size()) return {};
  std::memcpy(key.data(), bytes.data(), key.size());
  // Keys are kept for 100 days, rows may be kept longer.
  if (Instant(Duration(query.integer(3))) < now_ - kKeysKept) return {};
  return key_of_row(id, key);
}

Status Audit::dead() {
  Query query(connection_, "SELECT id, counted FROM ai_dead_settlements ORDER BY id");
  std::vector<BudgetAmount> amounts;
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return {};
    seen_[query.integer(0) >> store::kSeqBits] += 1;
    if (!read_amounts(query.bytes(1), amounts)) {
      find("integrity", fmt::format("dead settlement {}", query.integer(0)), "is damaged");
    }
    for (const BudgetAmount& amount : amounts) counted_[amount.budget] += amount.amount;
  }
}

Status Audit::seals() {
  Query budgets(connection_, "SELECT budget, actual FROM ai_seal_budgets");
  for (;;) {
    AIMETER_TRY(const bool more, budgets.step());
    if (!more) break;
    counted_[budgets.integer(0)] += budgets.integer(1);
  }
  std::int64_t rows_of_periods = 0;
  Query periods(connection_,
                "SELECT tenant, account, period_start, period_end, currency, rows, calls,"
                " input_tokens, cached_input_tokens, output_tokens, cost_nanos, estimated,"
                " provisional FROM ai_seals");
  for (;;) {
    AIMETER_TRY(const bool more, periods.step());
    if (!more) break;
    rows_of_periods += periods.integer(5);
    sealed_periods_[periods.integer(1)].push_back({periods.integer(2), periods.integer(3)});
    sealed_[{periods.integer(0), periods.integer(1), periods.integer(4)}].add(
        {.calls = periods.integer(6),
         .input = periods.integer(7),
         .cached = periods.integer(8),
         .output = periods.integer(9),
         .cost = periods.integer(10),
         .estimated = periods.integer(11),
         .provisional = periods.integer(12)});
  }
  std::int64_t rows_of_engines = 0;
  Query engines(connection_, "SELECT engine, rows, first_id, last_id FROM ai_seal_engines");
  for (;;) {
    AIMETER_TRY(const bool more, engines.step());
    if (!more) break;
    rows_of_engines += engines.integer(1);
    sealed_ids_[engines.integer(0)] = {engines.integer(2), engines.integer(3)};
  }
  if (rows_of_periods != rows_of_engines) {
    find("seals", "ai_seals",
         fmt::format("the seals of periods have {} rows, those of engines {}", rows_of_periods,
                     rows_of_engines));
  }
  return {};
}

std::string Audit::place_of_budget(std::int64_t budget) {
  const auto key = names_.budget(budget);
  if (!key) return fmt::format("budget {}", budget);
  return fmt::format("tenant \"{}\", {} {}, {} {} {}", key->account.tenant.text,
                     key->account.billable.type, key->account.billable.id, name_of(key->scope),
                     name_of(key->kind), aimeter::text_of(key->span.start));
}

Status Audit::counters() {
  Query query(connection_,
              "SELECT budget, used, leased, over_hold, late, fallen, limit_amount, blocking FROM"
              " ai_budgets ORDER BY budget");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) break;
    verified_.budgets += 1;
    store::BudgetState state{.used = query.integer(1),
                             .leased = query.integer(2),
                             .over_hold = query.integer(3),
                             .late = query.integer(4),
                             .fallen = query.integer(5),
                             .limit = query.optional_integer(6),
                             .blocking = query.integer(7) != 0};
    const std::int64_t budget = query.integer(0);
    const auto found = counted_.find(budget);
    const Wide counted = found == counted_.end() ? Wide{0} : found->second;
    if (counted != state.used) {
      find("rows = counters", place_of_budget(budget),
           fmt::format("used is {}, rows, dead and seals have {}", state.used, counted));
    }
    if (!store::in_bound(state)) {
      find("bound", place_of_budget(budget),
           fmt::format("used {} and leased {} are above limit {}", state.used, state.leased,
                       *state.limit));
    }
    counted_.erase(budget);
  }
  for (const auto& [budget, counted] : counted_) {
    if (counted == 0) continue;
    find("rows = counters", fmt::format("budget {}", budget),
         fmt::format("there is no counter, rows, dead and seals have {}", counted));
  }
  return {};
}

Status Audit::leases() {
  boost::unordered_flat_map<std::int64_t, Wide> leased;
  {
    Query query(connection_, "SELECT budget, leased FROM ai_leases");
    for (;;) {
      AIMETER_TRY(const bool more, query.step());
      if (!more) break;
      leased[query.integer(0)] += query.integer(1);
    }
  }
  {
    Query query(connection_, "SELECT parts FROM ai_holds");
    HoldParts hold;
    for (;;) {
      AIMETER_TRY(const bool more, query.step());
      if (!more) break;
      if (!read_hold(query.bytes(0), hold)) find("integrity", "ai_holds", "a row is damaged");
      for (const BudgetAmount& part : hold.amounts) leased[part.budget] += part.amount;
    }
  }
  Query query(connection_, "SELECT budget, leased FROM ai_budgets ORDER BY budget");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) break;
    const Wide expected = leased[query.integer(0)];
    leased.erase(query.integer(0));
    if (expected == query.integer(1)) continue;
    find("leases = leased", place_of_budget(query.integer(0)),
         fmt::format("leased is {}, leases and holds have {}", query.integer(1), expected));
  }
  for (const auto& [budget, amount] : leased) {
    if (amount == 0) continue;
    find("leases = leased", fmt::format("budget {}", budget),
         fmt::format("there is no counter, leases and holds have {}", amount));
  }
  return {};
}

Status Audit::engines() {
  Query query(connection_, "SELECT engine, last_seq, rowless FROM ai_engines ORDER BY engine");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) break;
    verified_.engines += 1;
    const std::int64_t there = seen_[query.integer(0)] + query.integer(2);
    seen_.erase(query.integer(0));
    if (there == query.integer(1)) continue;
    find("gapless", fmt::format("engine {}", query.integer(0)),
         fmt::format("last seq is {}, rows, dead and rowless are {}", query.integer(1), there));
  }
  for (const auto& [engine, count] : seen_) {
    find("gapless", fmt::format("engine {}", engine),
         fmt::format("is not known, but {} settlements are its", count));
  }
  return {};
}

}  // namespace aimeter::drivers::sqlite
