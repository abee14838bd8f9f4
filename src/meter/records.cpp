// Usage that happened elsewhere: checked, priced by the book in force at its time, counted in its
// period.
#include <fmt/format.h>

#include "base/ids.h"
#include "meter/content.h"
#include "meter/core.h"
#include "meter/meta.h"
#include "store/record.h"

namespace aimeter::meter {

struct Core::Incoming {
  store::Settlement settlement = {};
  budget::Names names = {};
  Guess guess = {};
  Meta meta = {};
  std::string key_text = {};
};

struct Core::Written {
  Settled settled = {};
  ledger::SettleOutcome outcome = {};
  std::uint64_t ticket = 0;  // 0: nothing to wait for
  bool is_new = true;
};

namespace {

Status check_optional(std::string_view field, const std::string& value) {
  return value.empty() ? Status() : base::check_id(field, value);
}

Status check_record_names(const UsageRecord& record, const Options& options) {
  AIMETER_CHECK_OK(check_optional("user_id", record.user_id));
  AIMETER_CHECK_OK(check_optional("provider", record.provider));
  AIMETER_CHECK_OK(check_optional("model", record.model));
  AIMETER_CHECK_OK(check_optional("api_key", record.api_key));
  AIMETER_CHECK_OK(check_optional("session", record.session));
  AIMETER_CHECK_OK(check_optional("idempotency_key", record.idempotency_key));
  return check_feature(record.feature, options.feature_names);
}

Result<Account> account_of_record(const TenantId& tenant, const UsageRecord& record) {
  const std::string& named = record.account.tenant.text;
  if (!named.empty() && named != tenant.text) {
    return bad_input("tenant", named, "the tenant of the view that records it, or none");
  }
  if (!tenant.text.empty()) AIMETER_CHECK_OK(base::check_id("tenant", tenant.text));
  std::optional<Billable> billable;
  if (record.account.billable != Billable{}) billable = record.account.billable;
  return account_of(tenant, billable, record.user_id);
}

Result<Instant> time_of(const UsageRecord& record, const Options& options, Instant now,
                        Horizon horizon) {
  if (record.occurred_at == Instant()) return now;
  if (horizon == Horizon::recent && record.occurred_at < now - options.max_lateness) {
    return bad_input("occurred_at", text_of(record.occurred_at),
                     fmt::format("not before {} (max_lateness); history must be said",
                                 text_of(now - options.max_lateness)));
  }
  if (record.occurred_at > now + options.max_ahead) {
    return bad_input("occurred_at", text_of(record.occurred_at),
                     fmt::format("not after {}", text_of(now + options.max_ahead)));
  }
  return record.occurred_at;
}

Result<Usage> usage_of_record(const UsageRecord& record) {
  if (is_missing(record.usage)) return bad_input("usage", "none", "what was used");
  Usage usage = normalised(record.usage);
  AIMETER_CHECK_OK(usage.check());
  return usage;
}

}  // namespace

Result<Core::Incoming> Core::incoming(const TenantId& tenant, const UsageRecord& record,
                                      const RecordOptions& options) {
  AIMETER_CHECK_OK(check_record_names(record, options_));
  AIMETER_TRY(const Account account, account_of_record(tenant, record));
  AIMETER_TRY(const Instant at, time_of(record, options_, deps_.clock.now(), options.horizon));
  Incoming incoming;
  store::Settlement& settlement = incoming.settlement;
  AIMETER_TRY(settlement.usage, usage_of_record(record));
  AIMETER_TRY(incoming.meta, kept_meta(record.meta, options_.metadata));
  AIMETER_TRY(settlement.meta, json_of(incoming.meta));
  settlement.occurred_at = at;
  settlement.account = account;
  settlement.user = record.user_id;
  settlement.provider = record.provider.empty() ? options_.default_provider : record.provider;
  settlement.model = record.model.empty() ? "unknown" : record.model;
  settlement.feature = record.feature;
  settlement.api_key = record.api_key;
  settlement.session = record.session;
  if (options.horizon == Horizon::history) settlement.flags |= store::kHistory;
  const PricePin pin = pin_prices(deps_.prices.now(), at);
  set_price(settlement, priced(pin, {settlement.provider, settlement.model}, settlement.usage,
                               {.currency = options_.currency}));
  settlement.pins.tenant_found_by = tenant.text.empty() ? "none" : "explicit";
  settlement.pins.estimate_source = "none";
  if (!record.idempotency_key.empty()) settlement.key = key_of_record(record, account);
  incoming.key_text = record.idempotency_key;
  incoming.names = {.user = settlement.user,
                    .api_key = settlement.api_key,
                    .feature = settlement.feature,
                    .model = settlement.provider + "/" + settlement.model,
                    .session = settlement.session};
  incoming.guess.source = "given";
  incoming.guess.need.tokens = settlement.usage.total_tokens.count;
  incoming.guess.need.cost_nanos = settlement.total_cost.nanos;
  incoming.guess.need.cost_currency = settlement.total_cost.currency;
  incoming.guess.need.credit_nanos = settlement.total_cost.nanos;
  incoming.guess.need.exchange = {.rates = options_.rates, .at = at};
  incoming.guess.priceable = (settlement.flags & store::kProvisional) == 0;
  return incoming;
}

Result<Settled> Core::original(UsageRecord repeat, std::int64_t row) {
  const Result<store::Settlement> found = settlement(repeat.account.tenant, row);
  if (!found && found.error().code != Code::not_found) return std::unexpected(found.error());
  Settled settled{.duplicate = true};
  if (found) {
    settled.record = store::record_of(*found, row);
  } else {
    settled.record = std::move(repeat);
    settled.record.id = row;
    settled.record.duplicate = true;
  }
  AIMETER_TRY(settled.limit, check_limit(settled.record.account, {}));
  return settled;
}

// As a live call of its time: the hold may be refused, then nothing is written.
Result<Core::Written> Core::write_held(Incoming incoming) {
  store::Settlement& settlement = incoming.settlement;
  settlement.pins.estimate_source = incoming.guess.source;
  settlement.pins.estimate_tokens = incoming.guess.need.tokens;
  settlement.pins.estimate_cost_nanos = incoming.guess.need.cost_nanos;
  const ledger::HoldAsk ask{.account = settlement.account,
                            .names = incoming.names,
                            .need = incoming.guess.need,
                            .expected = settlement,
                            .estimate_source = settlement.pins.estimate_source};
  Result<budget::Held> held = deps_.ledger.hold(ask);
  if (!held) {
    deps_.facts.refused(settlement.account, held.error());
    return std::unexpected(std::move(held).error());
  }
  if (const Status billed = check_billed(*held->terms, incoming.guess); !billed) {
    deps_.ledger.release(*std::move(held), billed.error().message);
    return std::unexpected(billed.error());
  }
  pin_terms(settlement, *held->terms, incoming.names.mode);
  pin_rates(settlement, *held->terms, options_.rates.get());
  Written written{.settled = {.record = store::record_of(settlement, 0)}};
  AIMETER_TRY(written.outcome,
              deps_.ledger.settle(*std::move(held), std::move(incoming.settlement)));
  return written;
}

Result<Core::Written> Core::write(Incoming incoming, const RecordOptions& options) {
  const Meta meta = std::move(incoming.meta);
  const std::string key_text = std::move(incoming.key_text);
  Result<Written> written = fail(Code::unavailable, "");
  if (options.enforce == Enforce::limits) {
    written = write_held(std::move(incoming));
  } else {
    store::Settlement& settlement = incoming.settlement;
    AIMETER_TRY(const std::shared_ptr<const budget::Terms> terms,
                deps_.ledger.terms(settlement.account, settlement.occurred_at));
    pin_terms(settlement, *terms, incoming.names.mode);
    pin_rates(settlement, *terms, options_.rates.get());
    written = Written{.settled = {.record = store::record_of(settlement, 0)}};
    AIMETER_TRY(ledger::Ledger::Recorded recorded,
                deps_.ledger.record(incoming.names, std::move(settlement)));
    written->outcome = std::move(recorded.outcome);
    written->ticket = recorded.ticket;
  }
  if (!written) return written;
  written->settled.record.id = written->outcome.row;
  written->settled.record.meta = meta;
  written->settled.record.idempotency_key = key_text;
  written->settled.limit = written->outcome.check;
  return written;
}

Result<Core::Written> Core::write_keyed(Incoming incoming, const RecordOptions& options) {
  if (!incoming.settlement.key) return write(std::move(incoming), options);
  const store::KeyRef key = *incoming.settlement.key;
  AIMETER_TRY(const ledger::KeyEntry entry, deps_.ledger.enter_key(key));
  if (entry.what == ledger::KeyEntry::What::seen) {
    UsageRecord repeat = store::record_of(incoming.settlement, entry.seen.row);
    repeat.meta = std::move(incoming.meta);
    repeat.idempotency_key = std::move(incoming.key_text);
    AIMETER_TRY(Settled settled, original(std::move(repeat), entry.seen.row));
    return Written{.settled = std::move(settled), .is_new = false};
  }
  Result<Written> written = write(std::move(incoming), options);
  // The row is known and numbered: a second use of the key, in this batch too, finds it.
  deps_.ledger.leave_key(key, written ? written->settled.record.id : 0);
  return written;
}

std::vector<Result<Settled>> Core::record_each(const TenantId& tenant,
                                               std::span<const UsageRecord> records,
                                               const RecordOptions& options) {
  return record_all(tenant, records, {.options = options});
}

std::vector<Result<Settled>> Core::record_elsewhere(const TenantId& tenant,
                                                    std::span<const UsageRecord> records) {
  return record_all(tenant, records,
                    {.options = {.horizon = Horizon::history}, .billed = Billed::elsewhere});
}

std::vector<Result<Settled>> Core::record_all(const TenantId& tenant,
                                              std::span<const UsageRecord> records,
                                              const How& how) {
  std::vector<Result<Written>> all;
  all.reserve(records.size());
  std::uint64_t last = 0;
  for (const UsageRecord& record : records) {
    if (const Status good = usable(); !good) {
      all.emplace_back(std::unexpected(good.error()));
      continue;
    }
    Result<Incoming> one = incoming(tenant, record, how.options);
    if (one && how.billed == Billed::elsewhere) {
      one->settlement.flags |= store::kBilledElsewhere;
      one->names.mode = BillingMode::plan;  // whatever the subscription says: no wallet
    }
    all.push_back(one ? write_keyed(*std::move(one), how.options)
                      : Result<Written>(std::unexpected(std::move(one).error())));
    if (all.back()) last = std::max(last, all.back()->ticket);
  }
  const Status durable = deps_.ledger.wait(last);  // once for all
  std::vector<Result<Settled>> results;
  results.reserve(all.size());
  for (Result<Written>& one : all) {
    if (!one) {
      results.emplace_back(std::unexpected(std::move(one).error()));
    } else if (!durable && one->ticket != 0) {
      results.emplace_back(std::unexpected(durable.error()));
    } else {
      if (one->is_new) deps_.facts.settled(one->settled, one->outcome, {});
      results.emplace_back(std::move(one->settled));
    }
  }
  return results;
}

Result<std::vector<Settled>> Core::record_batch(const TenantId& tenant,
                                                std::span<const UsageRecord> records,
                                                const RecordOptions& options) {
  if (options.enforce == Enforce::limits) {
    return fail(Code::invalid_argument,
                "enforce: a batch is recorded whole; record_each() takes rows that a limit may "
                "refuse");
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (Result<Incoming> one = incoming(tenant, records[i], options); !one) {
      Error error = std::move(one).error();
      error.message.insert(0, fmt::format("records[{}]: ", i));
      return std::unexpected(std::move(error));
    }
  }
  std::vector<Settled> settled;
  for (Result<Settled>& one : record_each(tenant, records, options)) {
    if (!one) return std::unexpected(std::move(one).error());
    settled.push_back(*std::move(one));
  }
  return settled;
}

}  // namespace aimeter::meter
