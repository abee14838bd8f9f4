#include <boost/json.hpp>

#include "base/json.h"
#include "billing/facts.h"

namespace aimeter::billing {
namespace {

namespace json = boost::json;
using base::Json;
using base::JsonFields;

std::int64_t micros(Instant at) { return at.time_since_epoch().count(); }
Instant instant(std::int64_t count) { return Instant(Duration(count)); }

json::object order_json(const EventOrder& order) {
  return {{"at", micros(order.at)}, {"rank", order.rank}, {"id", order.id}};
}
json::object seen_json(const InstantSeen& seen) {
  json::object made = order_json(seen.order);
  made["value"] = micros(seen.value);
  return made;
}

Result<EventOrder> order_in(JsonFields& fields) {
  EventOrder order;
  AIMETER_TRY(const std::int64_t at, fields.integer("at"));
  AIMETER_TRY(const std::int64_t rank, fields.count("rank"));
  AIMETER_TRY(order.id, fields.string("id"));
  order.at = instant(at);
  order.rank = static_cast<int>(rank);
  return order;
}

Result<EventOrder> order_at(JsonFields& fields, std::string_view key) {
  AIMETER_TRY(std::optional<JsonFields> object, fields.optional_object(key));
  if (!object) return EventOrder{};
  return order_in(*object);
}

Result<std::optional<InstantSeen>> seen_at(JsonFields& fields, std::string_view key) {
  AIMETER_TRY(std::optional<JsonFields> object, fields.optional_object(key));
  if (!object) return std::optional<InstantSeen>();
  InstantSeen seen;
  AIMETER_TRY(seen.order, order_in(*object));
  AIMETER_TRY(const std::int64_t value, object->integer("value"));
  seen.value = instant(value);
  return std::optional(seen);
}

Result<std::optional<Instant>> instant_at(JsonFields& fields, std::string_view key) {
  AIMETER_TRY(const std::optional<std::int64_t> value, fields.optional_integer(key));
  if (!value) return std::optional<Instant>();
  return std::optional(instant(*value));
}

Status read_lists(JsonFields& fields, SubscriptionFacts& facts) {
  AIMETER_TRY(const std::vector<Json>* failures, fields.array("failures"));
  for (const Json& value : *failures) {
    AIMETER_TRY(JsonFields object, JsonFields::of(value, "failures"));
    AIMETER_TRY(facts.failures.emplace_back(), order_in(object));
  }
  AIMETER_TRY(const std::vector<Json>* prices, fields.array("prices"));
  for (const Json& value : *prices) {
    AIMETER_TRY(JsonFields object, JsonFields::of(value, "prices"));
    PriceSeen& seen = facts.prices.emplace_back();
    AIMETER_TRY(seen.order, order_in(object));
    AIMETER_TRY(seen.price, object.string("price"));
  }
  return {};
}

Result<SubscriptionFacts> read(std::string_view text) {
  AIMETER_TRY(const Json document, Json::parse("facts", text));
  AIMETER_TRY(JsonFields fields, JsonFields::of(document, "facts"));
  SubscriptionFacts facts;
  AIMETER_TRY(facts.newest, order_at(fields, "newest"));
  AIMETER_TRY(facts.status, fields.string("status"));
  AIMETER_TRY(facts.end, instant_at(fields, "end"));
  AIMETER_TRY(facts.customer, fields.string("customer"));
  AIMETER_TRY(facts.started_at, instant_at(fields, "started_at"));
  AIMETER_TRY(facts.renews, seen_at(fields, "renews"));
  AIMETER_TRY(facts.trial_end, seen_at(fields, "trial_end"));
  AIMETER_TRY(facts.restored, order_at(fields, "restored"));
  const Json* metadata = fields.take("metadata");
  if (metadata != nullptr && metadata->kind() == Json::Kind::object) {
    for (const auto& [key, value] : metadata->members()) {
      AIMETER_TRY(facts.metadata[key], value.string("metadata"));
    }
  }
  AIMETER_CHECK_OK(read_lists(fields, facts));
  return facts;
}

}  // namespace

std::string text_of(const SubscriptionFacts& facts) {
  json::object made{{"newest", order_json(facts.newest)},
                    {"status", facts.status},
                    {"customer", facts.customer},
                    {"restored", order_json(facts.restored)}};
  if (facts.end) made["end"] = micros(*facts.end);
  if (facts.started_at) made["started_at"] = micros(*facts.started_at);
  if (facts.renews) made["renews"] = seen_json(*facts.renews);
  if (facts.trial_end) made["trial_end"] = seen_json(*facts.trial_end);
  json::object metadata;
  for (const auto& [key, value] : facts.metadata) metadata[key] = value;
  made["metadata"] = std::move(metadata);
  json::array failures, prices;
  for (const EventOrder& order : facts.failures) failures.push_back(order_json(order));
  for (const PriceSeen& seen : facts.prices) {
    json::object price = order_json(seen.order);
    price["price"] = seen.price;
    prices.push_back(std::move(price));
  }
  made["failures"] = std::move(failures);
  made["prices"] = std::move(prices);
  return json::serialize(made);
}

Result<SubscriptionFacts> parse_facts(std::string_view text) {
  Result<SubscriptionFacts> facts = read(text);
  if (!facts) return fail(Code::corrupt, "stored facts: " + facts.error().message);
  return facts;
}

}  // namespace aimeter::billing
