#include "drivers/storage/sqlite/batch.h"

#include <algorithm>

#include "drivers/storage/sqlite/counters.h"
#include "store/record.h"

namespace aimeter::drivers::sqlite {
namespace {

using store::BudgetPart;
using store::Settlement;

bool has(const Settlement& settlement, store::Flag flag) { return (settlement.flags & flag) != 0; }

// Empty: every part can be counted.
std::string_view wrong_part(const Settlement& row) {
  for (const BudgetPart& part : row.budgets) {
    if (part.key.account != row.account) return "a budget of another account";
    if (part.held < 0) return "a negative hold";
    if (part.actual < 0 && !has(row, store::kAdjustment)) {
      return "a negative amount that is no adjustment";
    }
  }
  return {};
}

}  // namespace

// Interns the account and its budgets; only parts of the settlement's own account are counted.
Status Batch::resolve(const Settlement& given, Line& line) {
  line.given = &given;
  line.id = store::row_id(engine_, given.seq);
  line.flags = given.flags;
  AIMETER_TRY(const AccountIds owner, lane_.names.account(given.account));
  line.tenant = owner.tenant;
  line.account = owner.account;
  line.first_part = static_cast<std::uint32_t>(parts_.size());
  for (const BudgetPart& part : given.budgets) {
    const store::BudgetKey& key = part.key;
    if (key.account != given.account) {
      parts_.push_back(kNoCounter);
      continue;
    }
    BudgetIds ids{.tenant = owner.tenant,
                  .account = owner.account,
                  .kind = static_cast<std::int64_t>(key.kind),
                  .start = key.span.start.time_since_epoch().count(),
                  .end = key.span.end.time_since_epoch().count(),
                  .plan = key.plan};
    if (key.scope != BudgetScope::account || !key.name.empty()) {
      AIMETER_TRY(ids, lane_.names.ids_of(key));
    } else {
      AIMETER_TRY(ids.currency, lane_.names.currency(key.currency));
    }
    AIMETER_TRY(const std::int64_t budget, lane_.names.budget(ids));
    AIMETER_TRY(const std::uint32_t counter, counter_of(budget, ids.tenant, &key));
    parts_.push_back(counter);
  }
  return {};
}

Result<std::uint32_t> Batch::counter_of(std::int64_t budget, std::int64_t tenant,
                                        const store::BudgetKey* key) {
  const auto [found, fresh] =
      counter_index_.try_emplace(budget, static_cast<std::uint32_t>(counters_.size()));
  if (!fresh) {
    Counter& known = counters_[found->second];
    if (known.key == nullptr && key != nullptr) {
      known.key = key;
      known.state.key.kind = key->kind;
    }
    return found->second;
  }
  Query query(
      connection_,
      "SELECT used, leased, over_hold, late, fallen, limit_amount, blocking, told, credited,"
      " overage_t, overage_b, overage_rest, overage_catalogue, overage_at, overage_cost FROM "
      "ai_budgets WHERE "
      "tenant = ?1 AND budget = ?2",
      tenant, budget);
  AIMETER_TRY(const bool there, query.step());
  if (!there) return fail(Code::corrupt, connection_.path() + ": a budget has vanished");
  Counter& counter = counters_.emplace_back();
  counter.budget = budget;
  counter.tenant = tenant;
  counter.key = key;
  counter.state.used = query.integer(0);
  counter.state.leased = query.integer(1);
  counter.state.over_hold = query.integer(2);
  counter.state.late = query.integer(3);
  counter.state.fallen = query.integer(4);
  counter.state.limit = query.optional_integer(5);
  counter.state.blocking = query.integer(6) != 0;
  counter.told = counter.told_before = static_cast<std::uint8_t>(query.integer(7));
  counter.state.credited = query.integer(8);
  if (key != nullptr) counter.state.key.kind = key->kind;
  counter.state.overage = read_overage(query, 9);
  return counter_index_.find(budget)->second;
}

Result<Batch::Lease*> Batch::lease_of(const LeaseId& id) {
  const auto [found, fresh] = leases_.try_emplace(id);
  if (!fresh) return &found->second;
  Query query(connection_, "SELECT epoch, leased FROM ai_leases WHERE engine = ?1 AND budget = ?2",
              id.engine, id.budget);
  AIMETER_TRY(const bool there, query.step());
  if (there) {
    found->second.epoch = static_cast<std::uint64_t>(query.integer(0));
    found->second.leased = found->second.before = query.integer(1);
  }
  return &found->second;
}

Status Batch::take(std::span<const Settlement> settlements) {
  const std::size_t first = lines_.size();
  lines_.reserve(first + settlements.size());
  rows_.reserve(rows_.size() + settlements.size());
  for (const Settlement& given : settlements) {
    AIMETER_CHECK_OK(resolve(given, lines_.emplace_back()));
  }
  const std::span<Line> lines = std::span(lines_).subspan(first);
  AIMETER_CHECK_OK(enter_keys(lines));
  for (Line& line : lines) AIMETER_CHECK_OK(take_one(line));
  return {};
}

// Keys go in sorted, the first of equal ones in the order of their seqs. Those of adjustments and
// detached holds wait until it is known what becomes of them.
Status Batch::enter_keys(std::span<Line> lines) {
  std::vector<Line*> keyed;
  for (Line& line : lines) {
    const Settlement& given = *line.given;
    line.repeat = has(given, store::kDuplicate);
    if (is_slow(given)) {
      continue;
    }
    if (line.repeat) {
      AIMETER_CHECK_OK(find_repeat(line));
    } else if (given.key) {
      keyed.push_back(&line);
    }
  }
  std::ranges::sort(keyed, {}, [](const Line* line) {
    return std::pair(line->given->key->key, line->given->seq);
  });
  for (Line* line : keyed) {
    const store::KeyRef& key = *line->given->key;
    AIMETER_TRY(const auto seen, lane_.keys.insert({key.key, line->id, key.content,
                                                    now_.time_since_epoch().count()}));
    line->repeat = seen.has_value();
    if (seen) line->original = seen->row;
  }
  return {};
}

Status Batch::take_one(Line& line) {
  const Settlement& given = *line.given;
  hold_over_ = token_seen_ = hold_.there = false;
  if (has(given, store::kDetach)) return detach(line);
  if (is_slow(given)) {
    AIMETER_CHECK_OK(find_repeat(line));
    AIMETER_CHECK_OK(find_hold(given));
  }
  std::optional<Settlement> changed;  // a repeat counts 0
  if (line.repeat) {
    changed = given;
    line.flags |= store::kDuplicate;
    for (BudgetPart& part : changed->budgets) part.actual = 0;
  }
  const Settlement& row = changed ? *changed : given;
  if (const auto wrong = wrong_part(row); !wrong.empty()) return bury(line, std::string(wrong));
  if (has(given, store::kAdjustment) && !line.repeat) {
    std::string reason;
    AIMETER_CHECK_OK(check_left(line, reason));
    if (!reason.empty()) return bury(line, reason);
  }
  bool late = hold_over_ && !line.repeat;
  AIMETER_TRY(const bool counted, count(line, row, late));
  if (!counted) return bury(line, "a counter is out of range");
  if (late) line.flags |= store::kLate;
  AIMETER_CHECK_OK(pay(line, row));
  AIMETER_CHECK_OK(row_of(line, row));
  if (line.repeat) {
    odd_.push_back({.seq = given.seq, .what = store::Odd::duplicate, .original = line.original});
    AIMETER_CHECK_OK(keep_token(given, line.id));
  } else {
    if (is_slow(given)) AIMETER_CHECK_OK(keep_key(line, line.id));
    note(line);
  }
  if (late) odd_.push_back({.seq = given.seq, .what = store::Odd::late});
  return {};
}

// Adds the parts of `row` to its counters. False: a sum is out of range, and nothing was changed.
Result<bool> Batch::count(const Line& line, const Settlement& row, bool& late) {
  undo_.counters.clear();
  undo_.leases.clear();
  wallet_parts_.clear();
  const auto change = [this](std::uint32_t index) -> store::BudgetState& {
    undo_.counters.emplace_back(index, counters_[index].state);
    counters_[index].touched = true;
    return counters_[index].state;
  };
  if (hold_.there) {  // all of the hold goes, whatever the settlement says of it
    for (const BudgetAmount& kept : hold_.parts) {
      AIMETER_TRY(const std::uint32_t index, counter_of(kept.budget, line.tenant, nullptr));
      change(index).leased -= kept.amount;
    }
  }
  for (std::size_t i = 0; i < row.budgets.size(); ++i) {
    const std::uint32_t index = parts_[line.first_part + i];
    AIMETER_TRY(const store::Amount given_up,
                give_up(row, row.budgets[i], counters_[index].budget));
    store::Counted counted = store::counted_of(row.budgets[i], given_up);
    if (hold_.there) counted.leased = 0;
    if (counted.late > 0) late = true;
    if (store::is_wallet(row.budgets[i].key) && row.budgets[i].actual != 0) {
      wallet_parts_.push_back({index, row.budgets[i].actual, given_up});
    }
    if (!store::add_to(change(index), counted)) {
      undo();
      return false;
    }
    AIMETER_CHECK_OK(step_overage(line, row, row.budgets[i], counters_[index]));
  }
  if (hold_.there) {
    AIMETER_CHECK_OK(run(connection_, "DELETE FROM ai_holds WHERE hold = ?1 AND tenant = ?2",
                         blob_of(hold_.key), line.tenant));
  }
  return true;
}

void Batch::undo() {
  for (auto entry = undo_.counters.rbegin(); entry != undo_.counters.rend(); ++entry) {
    counters_[entry->first].state = entry->second;
  }
  for (auto entry = undo_.leases.rbegin(); entry != undo_.leases.rend(); ++entry) {
    leases_[entry->first] = entry->second;
  }
}

// What the hold's row or its engine's lease still has of the part; takes it off the lease.
Result<store::Amount> Batch::give_up(const Settlement& row, const BudgetPart& part,
                                     std::int64_t budget) {
  if (part.held == 0) return 0;
  if (hold_.there) {
    for (const BudgetAmount& kept : hold_.parts) {
      if (kept.budget == budget) return std::min(kept.amount, part.held);
    }
    return 0;
  }
  if (!row.token.empty() && token_seen_) return 0;  // released, expired or settled
  const LeaseId id{row.hold_engine, budget};
  AIMETER_TRY(Lease* const lease, lease_of(id));
  if (lease->epoch != row.epoch || lease->leased == 0) return 0;
  const store::Amount given_up = std::min(lease->leased, part.held);
  undo_.leases.emplace_back(id, *lease);
  lease->leased -= given_up;
  return given_up;
}

Status Batch::row_of(const Line& line, const Settlement& row) {
  PendingRow& pending = rows_.emplace_back();
  pending.id = line.id;
  pending.tenant = line.tenant;
  pending.account = line.account;
  pending.flags = line.flags;
  pending.occurred_at = row.occurred_at.time_since_epoch().count();
  AIMETER_TRY(pending.model, lane_.names.model(line.tenant, row.provider, row.model));
  AIMETER_TRY(pending.feature, lane_.names.name(line.tenant, NameKind::feature, row.feature));
  AIMETER_TRY(pending.user, lane_.names.name(line.tenant, NameKind::user, row.user));
  AIMETER_TRY(pending.currency, lane_.names.currency(row.total_cost.currency));
  pending.input = row.usage.input_tokens.count;
  pending.cached = row.usage.cached_input_tokens.count;
  pending.output = row.usage.output_tokens.count;
  pending.cost = row.total_cost.nanos;
  pending.ref = row.adjusts;
  pending.key = line.given->key ? &line.given->key->key : nullptr;
  pins_.clear();
  budget_numbers_.clear();
  for (std::size_t i = 0; i < row.budgets.size(); ++i) {
    budget_numbers_.push_back(counters_[parts_[line.first_part + i]].budget);
  }
  write_pins(pins_, row, budget_numbers_);
  AIMETER_TRY(pending.pins, lane_.names.pins(line.tenant, row, pins_));
  ExtraIds ids;
  AIMETER_TRY(ids.api_key, lane_.names.name(line.tenant, NameKind::api_key, row.api_key));
  AIMETER_TRY(ids.session, lane_.names.name(line.tenant, NameKind::session, row.session));
  pending.extra_at = static_cast<std::uint32_t>(extras_.size());
  write_extra(extras_, row, ids);
  pending.extra_size = static_cast<std::uint32_t>(extras_.size()) - pending.extra_at;
  index_.push_back({line.tenant, line.account, pending.occurred_at, line.id});
  if ((line.flags & store::kDuplicate) != 0) return {};
  const std::int64_t bucket = store::bucket_of(row.occurred_at).time_since_epoch().count();
  Sums& sums = cells_[Cell{line.tenant, bucket, line.account, pending.model, pending.feature,
                           pending.currency}];
  const bool is_call = (line.flags & store::kAdjustment) == 0;
  bool fits = true;
  const auto add = [&fits](std::int64_t& into, std::int64_t value) {
    fits = !__builtin_add_overflow(into, value, &into) && fits;
  };
  add(sums.calls, is_call ? 1 : 0);
  add(sums.input, pending.input);
  add(sums.cached, pending.cached);
  add(sums.output, pending.output);
  add(sums.cost, pending.cost);
  add(sums.estimated, is_call && (line.flags & store::kEstimated) != 0 ? 1 : 0);
  add(sums.provisional, store::provisional_of(line.flags));
  if (fits) return {};
  connection_.note_row_error();
  return fail(Code::invalid_argument, "a roll-up is out of range");
}

// The limits that it names: those of the last one in the batch stay.
void Batch::note(const Line& line) {
  if ((line.flags & store::kAdjustment) != 0) return;
  const std::vector<BudgetPart>& budgets = line.given->budgets;
  for (std::size_t i = 0; i < budgets.size(); ++i) {
    counters_[parts_[line.first_part + i]].named =
        store::Naming{.limit = budgets[i].limit, .blocking = budgets[i].blocking};
  }
}

}  // namespace aimeter::drivers::sqlite
