#include <algorithm>
#include <array>

#include "drivers/storage/sqlite/batch.h"
#include "drivers/storage/sqlite/rows.h"
#include "store/codec.h"

// The settlements that need more than their counters: detached holds, repeats known beforehand,
// adjustments, and the dead.
namespace aimeter::drivers::sqlite {
namespace {

using store::Amount;
using store::BudgetPart;
using store::Settlement;

bool has(std::uint32_t flags, store::Flag flag) { return (flags & flag) != 0; }

base::Key16 token_key(const Settlement& row) {
  return store::hold_key_of(row.account.tenant, row.token);
}

// What adjustments have left of a usage.
struct Left {
  std::array<Amount, 5> sums = {};
  std::vector<Amount> parts = {};
};

std::array<Amount, 5> sums_of(const Settlement& row) {
  return {row.usage.input_tokens.count, row.usage.cached_input_tokens.count,
          row.usage.output_tokens.count, row.usage.total_tokens.count, row.total_cost.nanos};
}

bool take_from(Amount& left, Amount change) {
  const auto after = store::sum_of(left, change);
  if (!after || *after < 0) return false;
  left = *after;
  return true;
}

// Empty: it was taken. Else why not.
std::string_view take_left(Left& left, const Settlement& usage, const Settlement& adjustment) {
  bool enough = true;
  const auto changes = sums_of(adjustment);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    enough = take_from(left.sums[i], changes[i]) && enough;
  }
  for (const BudgetPart& part : adjustment.budgets) {
    const auto same = [&](const BudgetPart& of_usage) { return of_usage.key == part.key; };
    const auto counted = std::ranges::find_if(usage.budgets, same);
    if (counted == usage.budgets.end()) return "its usage did not count in that budget";
    const auto index = static_cast<std::size_t>(counted - usage.budgets.begin());
    enough = take_from(left.parts[index], part.actual) && enough;
  }
  return enough ? std::string_view() : "it takes more than is left of its usage";
}

}  // namespace

bool Batch::is_slow(const Settlement& given) const {
  return !given.token.empty() || has(given.flags, store::kAdjustment) ||
         has(given.flags, store::kDetach);
}

Status Batch::find_repeat(Line& line) {
  const Settlement& given = *line.given;
  if (given.key) {
    AIMETER_TRY(const auto seen, lane_.keys.find(given.key->key));
    if (seen) {
      line.repeat = true;
      line.original = seen->row;
      return {};
    }
  }
  if (given.token.empty()) return {};
  AIMETER_TRY(const auto ended, lane_.keys.find(token_key(given)));
  if (ended && ended->row != 0) {
    line.repeat = true;
    line.original = ended->row;
  }
  return {};
}

// The row of ai_holds of a settlement with a token, and whether that hold has ended before.
Status Batch::find_hold(const Settlement& row) {
  if (row.token.empty()) return {};
  hold_.key = token_key(row);
  AIMETER_TRY(const auto ended, lane_.keys.find(hold_.key));
  token_seen_ = ended.has_value();
  hold_over_ = ended && ended->row == 0;
  hold_released_ = ended && ended->content == store::kHoldReleased;
  Query query(connection_, "SELECT parts FROM ai_holds WHERE hold = ?1", blob_of(hold_.key));
  AIMETER_TRY(hold_.there, query.step());
  HoldParts hold;
  if (hold_.there && !read_hold(query.bytes(0), hold)) {
    return fail(Code::corrupt, connection_.path() + ": a row of ai_holds is damaged");
  }
  hold_.parts = std::move(hold.amounts);
  return {};
}

// Moves `held` from the lease to a row of holds; `leased` of the budget stays. A hold that ended
// before its detach arrived: released or expired, its part leaves the lease; settled, it left then.
Status Batch::detach(Line& line) {
  const Settlement& given = *line.given;
  undo_.counters.clear();
  undo_.leases.clear();
  if (given.token.empty()) return bury(line, "a detach without a token");
  AIMETER_CHECK_OK(find_hold(given));
  if (hold_.there) {
    hold_.there = false;  // another's
    return bury(line, "its token has a hold already");
  }
  std::string_view wrong;
  for (const BudgetPart& part : given.budgets) {
    if (part.key.account != given.account) wrong = "a budget of another account";
    if (part.held < 0) wrong = "a negative hold";
    if (part.actual < 0) wrong = "a negative amount that is no adjustment";
  }
  if (!wrong.empty()) return bury(line, std::string(wrong));
  const bool settled = token_seen_ && !hold_over_ && !hold_released_;
  const bool over = token_seen_;
  token_seen_ = hold_over_ = false;  // its parts come from the lease
  HoldParts kept{.account = line.account};
  for (std::size_t i = 0; i < given.budgets.size(); ++i) {
    const std::uint32_t index = parts_[line.first_part + i];
    counters_[index].touched = true;
    if (settled) continue;
    AIMETER_TRY(const Amount given_up, give_up(given, given.budgets[i], counters_[index].budget));
    if (over) counters_[index].state.leased -= given_up;
    kept.amounts.push_back({counters_[index].budget, given_up});
  }
  ++detached_;
  if (over) return {};
  AIMETER_CHECK_OK(run(connection_, "INSERT INTO ai_holds VALUES(?1, ?2, ?3, ?4)",
                       blob_of(hold_.key), line.tenant, given.expires_at.time_since_epoch().count(),
                       Blob{write_hold(kept)}));
  return {};
}

// An adjustment counts where its usage counted, and takes no more than is left of it.
Status Batch::check_left(const Line& line, std::string& reason) {
  const Settlement& row = *line.given;
  AIMETER_CHECK_OK(write_rows());  // its usage may be in this batch
  Rows rows(connection_);
  AIMETER_TRY(const auto found, rows.read(row.adjusts));
  if (!found || found->settlement.account != row.account) {
    reason = "the usage that it adjusts is not there";
    return {};
  }
  const Settlement& usage = found->settlement;
  if (has(usage.flags, store::kAdjustment) || has(usage.flags, store::kDuplicate)) {
    reason = "it adjusts no counted usage";
    return {};
  }
  if (row.total_cost.nanos != 0 && row.total_cost.currency != usage.total_cost.currency) {
    reason = "it is in another currency than its usage";
    return {};
  }
  Left left{.sums = sums_of(usage)};
  for (const BudgetPart& part : usage.budgets) left.parts.push_back(part.actual);
  Query earlier(connection_, "SELECT id FROM ai_usages WHERE ref = ?1 AND tenant = ?2 ORDER BY id",
                row.adjusts, line.tenant);
  for (;;) {
    AIMETER_TRY(const bool more, earlier.step());
    if (!more) break;
    AIMETER_TRY(const auto before, rows.read(earlier.integer(0)));
    if (!before || has(before->settlement.flags, store::kDuplicate)) continue;
    (void)take_left(left, usage, before->settlement);  // it fitted when it was written
  }
  reason = take_left(left, usage, row);
  return {};
}

Status Batch::keep_key(const Line& line, std::int64_t ref) {
  if (line.given->key) {
    const store::KeyRef& key = *line.given->key;
    AIMETER_CHECK_OK(
        lane_.keys.insert({key.key, ref, key.content, now_.time_since_epoch().count()}));
  }
  return keep_token(*line.given, ref);
}

Status Batch::keep_token(const Settlement& row, std::int64_t ref) {
  if (row.token.empty()) return {};
  const base::Key16 token = token_key(row);
  AIMETER_TRY(const auto seen, lane_.keys.insert({token, ref, 0, now_.time_since_epoch().count()}));
  // A hold that was over before: a second settlement of it is a repeat.
  return seen && seen->row == 0 ? lane_.keys.settle(token, ref) : Status();
}

// Dead: kept with its reason and counted with its hold. Where not even that fits it counts 0 and
// gives its hold up.
Status Batch::bury(const Line& line, const std::string& reason) {
  const Settlement& given = *line.given;
  Settlement counted = given;
  Line own = line;
  counted.budgets.clear();
  own.first_part = static_cast<std::uint32_t>(parts_.size());
  for (std::size_t i = 0; i < given.budgets.size(); ++i) {
    if (given.budgets[i].key.account != given.account) continue;
    parts_.push_back(parts_[line.first_part + i]);
    BudgetPart& part = counted.budgets.emplace_back(given.budgets[i]);
    part.held = std::max<Amount>(0, part.held);
    part.actual = part.held;
  }
  bool late = false;
  counts_ = store::Counts::uncharged;
  AIMETER_TRY(const bool fits, count(own, counted, late));
  if (!fits) {
    for (BudgetPart& part : counted.budgets) part.actual = 0;
    AIMETER_TRY(const bool gives, count(own, counted, late));
    if (!gives) return fail(Code::corrupt, connection_.path() + ": a hold cannot be given up");
  }
  AIMETER_CHECK_OK(pay(own, counted));
  counts_ = store::Counts::as_pinned;
  std::vector<BudgetAmount> amounts;
  for (std::size_t i = 0; i < counted.budgets.size(); ++i) {
    amounts.push_back({counters_[parts_[own.first_part + i]].budget, counted.budgets[i].actual});
  }
  AIMETER_CHECK_OK(run(connection_, "INSERT INTO ai_dead_settlements VALUES(?1, ?2, ?3, ?4, ?5)",
                       line.id, line.tenant, reason, Blob{write_amounts(amounts)},
                       Blob{store::encode(given)}));
  // A dead call keeps its key: it counts, and a repeat of it must not count again.
  const bool keeps = !has(given.flags, store::kAdjustment) && !has(given.flags, store::kDetach);
  if (keeps && !line.repeat) AIMETER_CHECK_OK(keep_key(line, line.id));
  odd_.push_back({.seq = given.seq, .what = store::Odd::dead, .reason = reason});
  return {};
}

Status Batch::take_dead(const Settlement& settlement, const std::string& reason) {
  Line& line = lines_.emplace_back();
  AIMETER_CHECK_OK(resolve(settlement, line));
  hold_over_ = token_seen_ = hold_.there = false;
  line.repeat = has(settlement.flags, store::kDuplicate);
  if (!has(settlement.flags, store::kDetach)) {
    AIMETER_CHECK_OK(find_repeat(line));
    AIMETER_CHECK_OK(find_hold(settlement));
  }
  return bury(line, reason);
}

}  // namespace aimeter::drivers::sqlite
