// Usage of the reference, with the costs that it recorded.
#include <fmt/format.h>

#include <algorithm>

#include "base/ids.h"
#include "drivers/laravel_database.h"

namespace aimeter::drivers::laravel {
namespace {

constexpr std::string_view kUsages = "ai_usages";
constexpr std::size_t kFewBytes = 40;

// Notes about one row.
class Notes {
 public:
  Notes(std::int64_t id, Leftovers& left) : id_(std::to_string(id)), left_(left) {}
  void say(std::string why, Leftover::Kind kind = Leftover::Kind::attention) {
    left_.push_back({std::string(kUsages), id_, std::move(why), kind});
  }

 private:
  std::string id_;
  Leftovers& left_;
};

// Counts as far as they are told. A total that its parts do not have stays in the metadata.
Status take_counts(const Cells& cells, UsageRecord& record, Notes& notes) {
  AIMETER_TRY(auto input, cells.count("input_tokens"));
  AIMETER_TRY(auto output, cells.count("output_tokens"));
  AIMETER_TRY(const auto total, cells.count("total_tokens"));
  Usage& usage = record.usage;
  if (total && !input && !output) {
    usage.total_tokens = Tokens{*total};
    usage.total_only = *total > 0;
    return {};
  }
  if (total && !input && *total >= *output) input = *total - *output;
  if (total && !output && *total >= *input) output = *total - *input;
  usage.input_tokens = Tokens{input.value_or(0)};
  usage.output_tokens = Tokens{output.value_or(0)};
  std::int64_t sum = 0;
  if (__builtin_add_overflow(usage.input_tokens.count, usage.output_tokens.count, &sum)) {
    return cells.bad("input_tokens", std::to_string(*input), "a sum with output_tokens in int64");
  }
  usage.total_tokens = Tokens{sum};
  if (total && *total != sum) {
    record.meta["laravel_total_tokens"] = std::to_string(*total);
    notes.say(fmt::format("its total of {} tokens is not {} + {}: carried as {}", *total,
                          usage.input_tokens.count, usage.output_tokens.count, sum));
  }
  return {};
}

Status take_costs(const Cells& cells, UsageRecord& record) {
  AIMETER_TRY(const std::string currency, cells.currency("currency", "usd"));
  AIMETER_TRY(const auto input, cells.money("input_cost", currency));
  AIMETER_TRY(const auto output, cells.money("output_cost", currency));
  AIMETER_TRY(const Money total, cells.needed_money("total_cost", currency));
  const std::pair<const char*, std::int64_t> costs[] = {{"input_cost", input ? input->nanos : 0},
                                                        {"output_cost", output ? output->nanos : 0},
                                                        {"total_cost", total.nanos}};
  for (const auto& [name, nanos] : costs) {
    if (nanos < 0) return cells.bad(name, Money{nanos, currency}.text(), "0 or more");
  }
  record.usage.input_cost = input;
  record.usage.output_cost = output;
  record.usage.total_cost = total;
  return {};
}

// A name that is none here is left out.
void take_name(const Cells& cells, std::string_view column, std::string& into, Notes& notes) {
  const std::optional<std::string> name = cells.text(column);
  if (!name || name->empty()) return;
  if (base::check_id(column, *name)) {
    into = *name;
  } else {
    notes.say(fmt::format("carried without its {}: \"{}\" is no name here", column,
                          base::is_utf8(*name) ? name->substr(0, kFewBytes) : "(no UTF-8)"));
  }
}

void take_meta(const Cells& cells, UsageRecord& record, Notes& notes) {
  Result<Meta> meta = meta_of(cells.text("meta").value_or("null"));
  if (meta) {
    record.meta.merge(*meta);
  } else {
    notes.say("carried without its meta: " + meta.error().message);
  }
}

Result<Instant> time_of(const Cells& cells, const ReadOptions& options) {
  AIMETER_TRY(const auto occurred, cells.time("occurred_at", options.zone));
  if (occurred) return *occurred;
  AIMETER_TRY(const auto created, cells.time("created_at", options.zone));
  if (created) return *created;
  return cells.bad("occurred_at", "NULL", "a time, there or in created_at");
}

// False: nobody pays.
bool take_payer(std::optional<Billable> who, UsageRecord& record) {
  if (who) {
    record.account.billable = *std::move(who);
  } else if (!record.account.tenant.text.empty()) {
    record.account.billable = {"tenant", record.account.tenant.text};
  } else if (!record.user_id.empty()) {
    record.account.billable = {"user", record.user_id};
  } else {
    return false;
  }
  return true;
}

}  // namespace

Status Database::usages(const ReadOptions& options, Leftovers& left,
                        const std::function<Status(Used)>& each) {
  if (!has(kUsages)) return {};
  AIMETER_CHECK_OK(name_types(options));
  const auto read = [&](const Cells& cells) -> Status {
    Used used;
    AIMETER_TRY(used.id, cells.id());
    Notes notes(used.id, left);
    UsageRecord& record = used.record;
    AIMETER_TRY(record.occurred_at, time_of(cells, options));
    AIMETER_CHECK_OK(take_costs(cells, record));
    AIMETER_CHECK_OK(take_counts(cells, record, notes));
    AIMETER_TRY(std::optional<Billable> who, billable(cells));
    take_name(cells, "provider", record.provider, notes);
    take_name(cells, "model", record.model, notes);
    take_name(cells, "feature", record.feature, notes);
    take_name(cells, "user_id", record.user_id, notes);
    take_name(cells, "idempotency_key", record.idempotency_key, notes);
    take_meta(cells, record, notes);
    record.account.tenant = options.tenant;
    const std::optional<std::string> tenant = cells.text("tenant_id");
    if (tenant && !tenant->empty()) {
      if (!base::check_id("tenant_id", *tenant)) {
        notes.say("its tenant_id is no id here");
        return {};
      }
      record.account.tenant.text = *tenant;
    }
    const bool empty = record.usage.total_tokens.count == 0 && record.usage.total_cost->nanos == 0;
    const bool told =
        cells.text("input_tokens") || cells.text("output_tokens") || cells.text("total_tokens");
    if (empty && !told) {
      notes.say("it has neither a count nor a cost");
      return {};
    }
    if (!take_payer(std::move(who), record)) {
      notes.say("nobody pays for it: no billable, no tenant, no user; say --tenant");
      return {};
    }
    record.usage.source = UsageSource::manual;
    if (record.idempotency_key.empty()) {
      record.idempotency_key = fmt::format("laravel:usage:{}", used.id);
    }
    return each(std::move(used));
  };
  return file_->each({"SELECT * FROM ai_usages ORDER BY id", kUsages}, read);
}

}  // namespace aimeter::drivers::laravel
