// stripe: overage as invoice items (or meter events) of the account's customer.
#include <fmt/format.h>

#include <algorithm>

#include "billing/signature.h"
#include "drivers/billing/stripe/api.h"
#include "drivers/billing/stripe/events.h"
#include "drivers/billing_drivers.h"

namespace aimeter::drivers {
namespace {

using base::Json;
using stripe::Form;

constexpr std::string_view kCustomer = "stripe_customer_id";
constexpr std::string_view kSubscription = "stripe_subscription_id";
constexpr std::string_view kBatch = "aimeter_batch", kTopUpKey = "aimeter_top_up_key";
// Idempotency keys may be gone after 24 hours (docs.stripe.com/api/idempotent_requests): from four
// hours before that on, what was done is looked up.
constexpr Duration kKeyTrusted = std::chrono::hours(20);
// How far back a meter event may lie. Source: parameter `timestamp`, billing meter events.
constexpr Duration kMeterBack = std::chrono::days(35);
constexpr Duration kClockSlack = std::chrono::minutes(5);
constexpr int kPageRows = 100, kPagesMax = 1'000;

std::string seconds_of(Instant at) {
  return std::to_string(std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count());
}

Result<std::string> customer_of(const Account& account, const Meta& ids) {
  const auto found = ids.find(std::string(kCustomer));
  if (found != ids.end() && !found->second.empty()) return found->second;
  return fail(Code::failed_precondition,
              fmt::format("stripe: the account ({}, {}, {}) has no stripe_customer_id: put it into "
                          "its subscription's meta, or let stripe.auto_sync_ids find it",
                          account.tenant.text, account.billable.type, account.billable.id));
}

void add_account(Form& form, const Account& account) {
  form.emplace_back("metadata[aimeter_tenant]", account.tenant.text);
  form.emplace_back("metadata[aimeter_billable_type]", account.billable.type);
  form.emplace_back("metadata[aimeter_billable_id]", account.billable.id);
}

Result<Receipt> receipt_of(const Result<Json>& made, std::string_view key = "id") {
  if (!made) return std::unexpected(made.error());
  const Json* id = made->find(key);
  if (id == nullptr || id->kind() != Json::Kind::string)
    return fail(Code::in_doubt, "stripe: the answer has no id");
  return Receipt{id->string()};
}

std::string text_in(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value != nullptr && value->kind() == Json::Kind::string ? value->string() : "";
}

// In a search query: 'it\'s'.
std::string quoted(std::string_view text) {
  std::string escaped = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped + "'";
}

class Driver final : public BillingDriver {
 public:
  Driver(const billing::StripeOptions& options, const Clock& clock)
      : options_(options), clock_(clock), api_(options) {}

  Result<Receipt> charge_overage(const Account& account, const OverageBatch& batch) override {
    AIMETER_TRY(const std::string customer, customer_of(account, batch.ids));
    const bool sent_before = batch.sent_at.has_value();
    const bool key_is_old = sent_before && clock_.now() - *batch.sent_at >= kKeyTrusted;
    if (key_is_old) return look_up(customer, batch);
    Result<Receipt> charged = options_.meter_event.empty() ? add_item(account, customer, batch)
                                                           : add_meter_event(customer, batch);
    if (charged || !sent_before || stripe::ends_doubt(charged.error().code)) return charged;
    return fail(Code::in_doubt, charged.error().message + " (it was sent before)");
  }

  Result<Receipt> refund(const Refund& refund) override {
    if (refund.idempotency_key.empty())
      return bad_input("idempotency_key", "", "a key, so that nothing is given back twice");
    AIMETER_TRY(const std::int64_t units, to_minor_units(refund.amount));
    if (units <= 0) return bad_input("amount", refund.amount.text(), "more than 0");
    stripe::Post post{.idempotency_key = "aimeter-refund-" + refund.idempotency_key};
    post.form = {{"amount", std::to_string(units)}};
    if (refund.charge.empty()) {  // to the customer's balance: negative is in its favour
      AIMETER_TRY(const std::string customer, customer_of(refund.account, refund.ids));
      post.path = "/v1/customers/" + stripe::percent_encoded(customer) + "/balance_transactions";
      post.form = {{"amount", std::to_string(-units)}, {"currency", refund.amount.currency}};
      if (!refund.reason.empty()) post.form.emplace_back("description", refund.reason);
    } else if (refund.charge.starts_with("in_")) {
      post.path = "/v1/credit_notes";
      post.form.emplace_back("invoice", refund.charge);
      if (!refund.reason.empty()) post.form.emplace_back("memo", refund.reason);
    } else {
      post.path = "/v1/refunds";
      const bool intent = refund.charge.starts_with("pi_");
      post.form.emplace_back(intent ? "payment_intent" : "charge", refund.charge);
    }
    add_account(post.form, refund.account);
    post.form.emplace_back("metadata[aimeter_refund]", refund.idempotency_key);
    return receipt_of(api_.post(post));
  }

  Result<Receipt> top_up(const TopUp& top_up) override {
    if (top_up.idempotency_key.empty())
      return bad_input("idempotency_key", "", "a key, so that nothing is paid twice");
    AIMETER_TRY(const std::int64_t units, to_minor_units(top_up.amount));
    if (units <= 0) return bad_input("amount", top_up.amount.text(), "more than 0");
    AIMETER_TRY(const std::string customer, customer_of(top_up.account, top_up.ids));
    if (top_up.sent_at && clock_.now() - *top_up.sent_at >= kKeyTrusted) {
      AIMETER_TRY(
          const std::optional<Json> found,
          find_row("/v1/payment_intents", {.customer = customer,
                                           .key = {std::string(kTopUpKey), top_up.idempotency_key},
                                           .sent_at = *top_up.sent_at}));
      if (found) return paid(*found);
      return fail(Code::not_found, "stripe: there is no payment of " + top_up.idempotency_key);
    }
    AIMETER_TRY(const std::string method, payment_method_of(customer));
    stripe::Post post{.path = "/v1/payment_intents",
                      .form = {{"amount", std::to_string(units)},
                               {"currency", top_up.amount.currency},
                               {"customer", customer},
                               {"payment_method", method},
                               {"confirm", "true"},
                               {"off_session", "true"},
                               {"metadata[aimeter_top_up]", "true"}},
                      .idempotency_key = "aimeter-top-up-" + top_up.idempotency_key};
    post.form.emplace_back(fmt::format("metadata[{}]", kTopUpKey), top_up.idempotency_key);
    add_account(post.form, top_up.account);
    AIMETER_TRY(const Json made, api_.post(post));
    if (text_in(made, "status") != "processing") return paid(made);
    // What is told again under a key is what was said first: the payment itself knows how it went.
    const Result<Json> now =
        api_.get("/v1/payment_intents/" + stripe::percent_encoded(text_in(made, "id")), {});
    if (!now) return fail(Code::in_doubt, now.error().message);
    return paid(*now);
  }

  // The customer whose metadata name the account, and its subscription.
  Result<Meta> ids_of(const Account& account) override {
    const std::string query = fmt::format(
        "metadata['aimeter_tenant']:{} AND metadata['aimeter_billable_type']:{} AND "
        "metadata['aimeter_billable_id']:{}",
        quoted(account.tenant.text), quoted(account.billable.type), quoted(account.billable.id));
    AIMETER_TRY(const Json customers,
                api_.get("/v1/customers/search", {{"query", query}, {"limit", "2"}}));
    AIMETER_TRY(const std::vector<Json>* found, rows_of(customers));
    if (found->empty()) return Meta{};
    if (found->size() > 1) {
      return fail(Code::conflict,
                  "stripe: two customers name the same account in their metadata: " +
                      text_in(found->front(), "id") + ", " + text_in(found->back(), "id"));
    }
    Meta ids{{std::string(kCustomer), text_in(found->front(), "id")}};
    AIMETER_TRY(const Json subscriptions,
                api_.get("/v1/subscriptions",
                         {{"customer", ids.at(std::string(kCustomer))}, {"limit", "1"}}));
    AIMETER_TRY(const std::vector<Json>* newest, rows_of(subscriptions));
    if (!newest->empty()) ids[std::string(kSubscription)] = text_in(newest->front(), "id");
    return ids;
  }

  Result<BillingEvent> webhook(const Webhook& webhook) override {
    AIMETER_CHECK_OK(billing::verify_signature(
        {webhook.body, webhook.signature},
        {.secret = options_.webhook_secret, .received_at = clock_.now()}));
    return stripe::parse_event(webhook.body);
  }

 private:
  static std::string key_of(const OverageBatch& batch) {
    return fmt::format("aimeter-batch-{}-{}", batch.key, batch.attempt);
  }

  static Result<const std::vector<Json>*> rows_of(const Json& list) {
    const Json* data = list.find("data");
    if (data == nullptr || data->kind() != Json::Kind::array)
      return fail(Code::unavailable, "stripe: a list without data");
    return &data->items();
  }

  Result<Receipt> add_item(const Account& account, const std::string& customer,
                           const OverageBatch& batch) {
    stripe::Post post{.path = "/v1/invoiceitems",
                      .form = {{"customer", customer},
                               {"amount", std::to_string(batch.units)},
                               {"currency", batch.amount.currency},
                               {"description", batch.description}},
                      .idempotency_key = key_of(batch)};
    if (const auto found = batch.ids.find(std::string(kSubscription));
        found != batch.ids.end() && !found->second.empty())
      post.form.emplace_back("subscription", found->second);
    post.form.emplace_back("period[start]", seconds_of(batch.period.start));
    post.form.emplace_back("period[end]", seconds_of(batch.period.end));
    post.form.emplace_back(fmt::format("metadata[{}]", kBatch), batch.key);
    add_account(post.form, account);
    return receipt_of(api_.post(post));
  }

  // Dated when it was frozen; a batch of a period that is over must not slip out of the 35 days.
  Result<Receipt> add_meter_event(const std::string& customer, const OverageBatch& batch) {
    const Instant at = std::min(batch.frozen_at, batch.period.end - std::chrono::seconds(1));
    if (clock_.now() - at > kMeterBack - kClockSlack) {
      return fail(
          Code::failed_precondition,
          fmt::format("stripe: batch {} is of {}, a meter event may be 35 days old at most; "
                      "without stripe.meter_event it becomes an invoice item",
                      batch.id, text_of(at)));
    }
    const stripe::Post post{.path = "/v1/billing/meter_events",
                            .form = {{"event_name", options_.meter_event},
                                     {"identifier", key_of(batch)},
                                     {"timestamp", seconds_of(at)},
                                     {"payload[stripe_customer_id]", customer},
                                     {"payload[value]", std::to_string(batch.quantity)}},
                            .idempotency_key = key_of(batch)};
    return receipt_of(api_.post(post), "identifier");
  }

  // Long after it was sent: is it there? not_found: this attempt has charged nothing.
  Result<Receipt> look_up(const std::string& customer, const OverageBatch& batch) {
    if (!options_.meter_event.empty()) {
      return fail(Code::in_doubt,
                  fmt::format("stripe: whether meter event {} arrived cannot be looked up; compare "
                              "the meter's sums",
                              key_of(batch)));
    }
    AIMETER_TRY(
        const std::optional<Json> found,
        find_row("/v1/invoiceitems", {customer, {std::string(kBatch), batch.key}, *batch.sent_at}));
    if (found) return Receipt{text_in(*found, "id")};
    return fail(Code::not_found,
                fmt::format("stripe: batch {} is not there: attempt {} has charged nothing",
                            batch.id, batch.attempt));
  }

  struct Wanted {
    std::string customer = {};
    std::pair<std::string, std::string> key = {};  // of its metadata
    Instant sent_at = {};
  };
  // The newest of a customer's objects with this in its metadata. Errors: in_doubt.
  Result<std::optional<Json>> find_row(const std::string& path, const Wanted& wanted) {
    Form query{{"customer", wanted.customer},
               {"limit", std::to_string(kPageRows)},
               {"created[gte]", seconds_of(wanted.sent_at - std::chrono::hours(1))}};
    for (int page = 0; page < kPagesMax; ++page) {
      Result<Json> list = api_.get(path, query);
      if (!list) return fail(Code::in_doubt, list.error().message);
      AIMETER_TRY(const std::vector<Json>* rows, rows_of(*list));
      for (const Json& row : *rows) {
        const Json* metadata = row.find("metadata");
        if (metadata != nullptr && text_in(*metadata, wanted.key.first) == wanted.key.second)
          return std::optional(row);
      }
      const Json* more = list->find("has_more");
      if (rows->empty() || more == nullptr || more->kind() != Json::Kind::boolean ||
          !more->boolean()) {
        return std::optional<Json>();
      }
      if (query.back().first == "starting_after") query.pop_back();
      query.emplace_back("starting_after", text_in(rows->back(), "id"));
    }
    return fail(Code::in_doubt, "stripe: too much at " + path + " to look through");
  }

  static Result<Receipt> paid(const Json& payment) {
    AIMETER_TRY(Receipt receipt, receipt_of(payment));
    const std::string status = text_in(payment, "status");
    if (status == "succeeded") return receipt;
    if (status == "processing")
      return fail(Code::in_doubt, "stripe: " + receipt.id + " is processing; its webhook tells");
    return fail(Code::insufficient_credits, "stripe: " + receipt.id + " is " + status);
  }

  Result<std::string> payment_method_of(const std::string& customer) {
    AIMETER_TRY(const Json found,
                api_.get("/v1/customers/" + stripe::percent_encoded(customer), {}));
    const Json* settings = found.find("invoice_settings");
    std::string method = settings == nullptr ? "" : text_in(*settings, "default_payment_method");
    if (!method.empty()) return method;
    return fail(Code::failed_precondition,
                "stripe: customer " + customer + " has no default payment method");
  }

  const billing::StripeOptions options_;
  const Clock& clock_;
  stripe::Api api_;
};

}  // namespace

Result<std::unique_ptr<BillingDriver>> make_billing_stripe(const billing::DriverSetup& setup) {
  AIMETER_CHECK_OK(stripe::Api::check(setup.stripe));
  return std::make_unique<Driver>(setup.stripe,
                                  setup.clock != nullptr ? *setup.clock : system_clock());
}

}  // namespace aimeter::drivers
