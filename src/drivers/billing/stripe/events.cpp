#include "drivers/billing/stripe/events.h"

#include <algorithm>
#include <array>

#include "base/ids.h"
#include "base/json.h"

namespace aimeter::drivers::stripe {
namespace {

using base::Json;
using base::JsonFields;
using Kind = BillingEvent::Kind;

constexpr std::size_t kBodyBytesMax = std::size_t{1} << 20;
constexpr std::int64_t kSecondsMax = 253'402'300'799;  // 9999-12-31
constexpr std::string_view kTopUp = "aimeter_top_up";

Result<std::optional<Instant>> instant_in(JsonFields& fields, std::string_view key) {
  AIMETER_TRY(const std::optional<std::int64_t> seconds, fields.optional_integer(key));
  if (!seconds) return std::optional<Instant>();
  if (*seconds < 0 || *seconds > kSecondsMax) {
    return bad_input(fields.name_of(key), std::to_string(*seconds), "seconds since 1970");
  }
  return std::optional<Instant>(Instant(std::chrono::seconds(*seconds)));
}

// "cus_1", or the object itself where the host expanded it.
Result<std::string> id_in(JsonFields& fields, std::string_view key) {
  const Json* value = fields.take(key);
  if (value == nullptr) return std::string();
  const Json* id = value->kind() == Json::Kind::object ? value->find("id") : value;
  if (id == nullptr) return bad_input(fields.name_of(key), value->excerpt(), "an id or an object");
  AIMETER_TRY(std::string text, id->string(fields.name_of(key)));
  AIMETER_CHECK_OK(base::check_id(fields.name_of(key), text));
  return text;
}

Result<Meta> metadata_in(JsonFields& fields) {
  Meta meta;
  const Json* value = fields.take("metadata");
  if (value == nullptr) return meta;
  if (value->kind() != Json::Kind::object)
    return bad_input(fields.name_of("metadata"), value->excerpt(), "an object of texts");
  for (const auto& [key, text] : value->members()) {
    AIMETER_TRY(meta[key], text.string(fields.name_of("metadata") + "." + key));
  }
  return meta;
}

Result<std::optional<Money>> money_in(JsonFields& fields, std::string_view key) {
  AIMETER_TRY(const std::optional<std::int64_t> units, fields.optional_integer(key));
  AIMETER_TRY(const std::optional<std::string> currency, fields.optional_string("currency"));
  if (!units || !currency) return std::optional<Money>();
  AIMETER_CHECK_OK(Money::parse("0", *currency));
  AIMETER_TRY(Money money, money_of_units(*units, *currency));
  return std::optional<Money>(std::move(money));
}

Status read_items(JsonFields& object, BillingEvent& event) {
  AIMETER_TRY(std::optional<JsonFields> items, object.optional_object("items"));
  if (!items) return {};
  AIMETER_TRY(const std::vector<Json>* data, items->array("data"));
  if (data->empty()) return {};
  AIMETER_TRY(JsonFields item, JsonFields::of(data->front(), "data.object.items.data[0]"));
  AIMETER_TRY(event.price, id_in(item, "price"));
  AIMETER_TRY(const std::optional<Instant> end, instant_in(item, "current_period_end"));
  if (end) event.period_end = end;
  return {};
}

Status read_subscription(JsonFields& object, BillingEvent& event) {
  event.kind = Kind::subscription;
  event.deleted = event.type == "customer.subscription.deleted";
  AIMETER_TRY(event.subscription, object.string("id"));
  AIMETER_CHECK_OK(base::check_id(object.name_of("id"), event.subscription));
  AIMETER_TRY(event.customer, id_in(object, "customer"));
  AIMETER_TRY(event.status, object.string("status"));
  AIMETER_TRY(const std::optional<bool> at_end, object.optional_boolean("cancel_at_period_end"));
  event.cancel_at_period_end = at_end.value_or(false);
  AIMETER_TRY(event.started_at, instant_in(object, "start_date"));
  AIMETER_TRY(event.period_end, instant_in(object, "current_period_end"));
  AIMETER_TRY(event.cancel_at, instant_in(object, "cancel_at"));
  AIMETER_TRY(event.ended_at, instant_in(object, "ended_at"));
  AIMETER_TRY(event.trial_end, instant_in(object, "trial_end"));
  AIMETER_CHECK_OK(read_items(object, event));
  AIMETER_TRY(event.metadata, metadata_in(object));
  return {};
}

// Up to 2025 `subscription`, later parent.subscription_details.subscription.
Result<std::string> subscription_of_invoice(JsonFields& object) {
  AIMETER_TRY(std::string direct, id_in(object, "subscription"));
  if (!direct.empty()) return direct;
  AIMETER_TRY(std::optional<JsonFields> parent, object.optional_object("parent"));
  if (!parent) return std::string();
  AIMETER_TRY(std::optional<JsonFields> details, parent->optional_object("subscription_details"));
  if (!details) return std::string();
  return id_in(*details, "subscription");
}

Status read_invoice(JsonFields& object, BillingEvent& event) {
  event.kind = event.type == "invoice.paid" ? Kind::invoice_paid : Kind::payment_failed;
  AIMETER_TRY(event.payment, object.string("id"));
  AIMETER_TRY(event.customer, id_in(object, "customer"));
  AIMETER_TRY(event.subscription, subscription_of_invoice(object));
  AIMETER_TRY(event.amount, money_in(object, "amount_paid"));
  AIMETER_TRY(event.metadata, metadata_in(object));
  return {};
}

// The amount that was paid, or what the metadata name: "true", or a decimal of the same currency.
Status read_top_up(BillingEvent& event) {
  const auto wanted = event.metadata.find(std::string(kTopUp));
  if (wanted == event.metadata.end() || wanted->second == "false") return {};
  if (!event.amount || event.amount->nanos <= 0)
    return bad_input("data.object.amount", "", "what was paid, for a top-up");
  if (wanted->second != "true") {
    AIMETER_TRY(Money named, Money::parse(wanted->second, event.amount->currency));
    if (named.nanos <= 0)
      return bad_input("metadata." + std::string(kTopUp), wanted->second, "true or an amount");
    event.amount = std::move(named);
  }
  event.kind = Kind::top_up;
  return {};
}

Status read_session(JsonFields& object, BillingEvent& event) {
  AIMETER_TRY(const std::string id, object.string("id"));
  AIMETER_TRY(event.customer, id_in(object, "customer"));
  AIMETER_TRY(event.subscription, id_in(object, "subscription"));
  AIMETER_TRY(event.payment, id_in(object, "payment_intent"));
  if (event.payment.empty()) event.payment = id;
  AIMETER_TRY(const std::optional<std::string> paid, object.optional_string("payment_status"));
  AIMETER_TRY(event.amount, money_in(object, "amount_total"));
  AIMETER_TRY(event.metadata, metadata_in(object));
  if (paid != "paid") return {};  // a payment that is still under way tells again later
  return read_top_up(event);
}

Status read_payment(JsonFields& object, BillingEvent& event) {
  AIMETER_TRY(event.payment, object.string("id"));
  AIMETER_TRY(event.customer, id_in(object, "customer"));
  AIMETER_TRY(event.amount, money_in(object, "amount_received"));
  AIMETER_TRY(event.metadata, metadata_in(object));
  return read_top_up(event);
}

struct Reader {
  std::string_view type;
  Status (*read)(JsonFields&, BillingEvent&);
};
constexpr std::array<Reader, 8> kReaders = {{
    {"customer.subscription.created", read_subscription},
    {"customer.subscription.updated", read_subscription},
    {"customer.subscription.deleted", read_subscription},
    {"invoice.paid", read_invoice},
    {"invoice.payment_failed", read_invoice},
    {"checkout.session.completed", read_session},
    {"checkout.session.async_payment_succeeded", read_session},
    {"payment_intent.succeeded", read_payment},
}};

}  // namespace

Result<BillingEvent> parse_event(std::string_view body) {
  AIMETER_TRY(const Json document, Json::parse("webhook", body, {.bytes = kBodyBytesMax}));
  AIMETER_TRY(JsonFields root, JsonFields::of(document, ""));
  BillingEvent event;
  AIMETER_TRY(event.id, root.string("id"));
  AIMETER_CHECK_OK(base::check_id("id", event.id));
  AIMETER_TRY(event.type, root.string("type"));
  AIMETER_TRY(const std::optional<Instant> created, instant_in(root, "created"));
  const auto* const reader = std::ranges::find(kReaders, event.type, &Reader::type);
  if (reader == kReaders.end()) {
    event.created_at = created.value_or(Instant());
    return event;
  }
  if (!created) return bad_input("created", "", "when the event happened, in seconds");
  event.created_at = *created;
  AIMETER_TRY(JsonFields data, root.object("data"));
  AIMETER_TRY(JsonFields object, data.object("object"));
  AIMETER_CHECK_OK(reader->read(object, event));
  return event;
}

}  // namespace aimeter::drivers::stripe
