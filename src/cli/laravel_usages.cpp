// Usage of the reference, into an engine: history with the costs that it has, billed elsewhere.
#include <fmt/format.h>

#include "cli/laravel.h"
#include "cli/progress.h"
#include "meter/content.h"
#include "meter/core.h"
#include "meter/meta.h"

namespace aimeter::cli {
namespace {

using drivers::laravel::Leftover;
using drivers::laravel::Used;

constexpr std::size_t kBatchRows = 16'384;

}  // namespace

void LaravelCarrier::note_usage(const Used& used) {
  ++report_.usages.seen;
  const Account& account = used.record.account;
  const Money& cost = *used.record.usage.total_cost;
  Decimal& sum = report_.cost[cost.currency];
  if (const Result<Decimal> more = sum.plus(Decimal::of(cost))) sum = *more;
  if (account.tenant != tenant() && contracted_.contains(account.billable)) {
    others_.emplace(account.tenant.text, account.billable);
  }
}

// Limits there look at a billable alone, here at a billable of a tenant.
void LaravelCarrier::tell_other_tenants() {
  for (const auto& [name, who] : others_) {
    report_.left.push_back(
        {"ai_usages", "",
         fmt::format("usage of {} {} in tenant \"{}\" counts there; its contract and credits are "
                     "in tenant \"{}\"",
                     who.type, who.id, name, tenant().text),
         Leftover::Kind::attention});
  }
}

Status LaravelCarrier::flush(const Engine& engine, Batch& batch) {
  for (auto& [name, pending] : batch) {
    std::vector<UsageRecord> records;
    records.reserve(pending.size());
    for (Pending& one : pending) records.push_back(std::move(one.record));
    const std::vector<Result<Settled>> results =
        meter::Core::of(engine.core()).record_elsewhere(TenantId{name}, records);
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (results[i]) {
        ++(results[i]->duplicate ? report_.usages.known : report_.usages.added);
        continue;
      }
      const Error& error = results[i].error();
      const bool ends = error.code == Code::unavailable || error.code == Code::in_doubt ||
                        error.code == Code::corrupt;
      if (ends) return std::unexpected(error);  // the rest would fail the same way
      leave("ai_usages", pending[i].id, error.message);
    }
  }
  batch.clear();
  return {};
}

Status LaravelCarrier::usages(const Engine& engine) {
  Progress progress(setup_.frame.console(), "usages", std::nullopt);
  Batch batch;
  std::size_t rows = 0;
  const auto add = [&](Used used) -> Status {
    if (interrupted()) return {};
    note_usage(used);
    if (const auto kept = meter::kept_meta(used.record.meta, meter::Metadata::sanitized); !kept) {
      leave("ai_usages", used.id, "carried without its meta: " + kept.error().message);
      used.record.meta.clear();
    }
    const std::string name = used.record.account.tenant.text;
    batch[name].push_back({used.id, std::move(used.record)});
    progress.at(report_.usages.seen);
    if (++rows < kBatchRows) return {};
    rows = 0;
    return flush(engine, batch);
  };
  AIMETER_CHECK_OK(setup_.database.usages(setup_.options, report_.left, add));
  AIMETER_CHECK_OK(flush(engine, batch));
  tell_other_tenants();
  return engine.drain();
}

Status LaravelCarrier::look_at_usages(store::Store& store) {
  Progress progress(setup_.frame.console(), "usages", std::nullopt);
  const auto look = [&](const Used& used) -> Status {
    if (interrupted()) return {};
    note_usage(used);
    progress.at(report_.usages.seen);
    const Account& account = used.record.account;
    const auto key = meter::key_of_record(used.record, account);
    AIMETER_TRY(const auto seen, store.find_key(key.key));
    ++(seen ? report_.usages.known : report_.usages.added);
    return {};
  };
  AIMETER_CHECK_OK(setup_.database.usages(setup_.options, report_.left, look));
  tell_other_tenants();
  return {};
}

Status LaravelCarrier::overages() { return setup_.database.overages(setup_.options, report_.left); }

}  // namespace aimeter::cli
