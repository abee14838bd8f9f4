#include "drivers/storage/sqlite/catalogue_json.h"

#include <boost/json.hpp>

#include "base/json.h"

namespace aimeter::drivers::sqlite {
namespace {

namespace json = boost::json;

// Written by us: what does not read back is damage, not somebody's bad input.
template <class T>
Result<T> as_stored(Result<T> value) {
  if (!value) return fail(Code::corrupt, "a row of the catalogue: " + value.error().message);
  return value;
}

json::object object_of(const Period::Options& period) {
  return {{"type", name_of(period.type)},    {"alignment", name_of(period.alignment)},
          {"timezone", period.timezone},     {"anchor", period.anchor.time_since_epoch().count()},
          {"week_start", period.week_start}, {"days", period.days}};
}

Result<Period::Options> period_of(base::JsonFields fields) {
  Period::Options period;
  AIMETER_TRY(const std::string type, fields.string("type"));
  AIMETER_TRY(period.type, parse_period_type("type", type));
  AIMETER_TRY(const std::string alignment, fields.string("alignment"));
  AIMETER_TRY(period.alignment, parse_alignment("alignment", alignment));
  AIMETER_TRY(period.timezone, fields.string("timezone"));
  AIMETER_TRY(const std::int64_t anchor, fields.integer("anchor"));
  period.anchor = Instant(Duration(anchor));
  AIMETER_TRY(const std::int64_t week_start, fields.integer("week_start"));
  period.week_start = static_cast<int>(week_start);
  AIMETER_TRY(const std::int64_t days, fields.integer("days"));
  period.days = static_cast<int>(days);
  return period;
}

Result<BudgetRule> rule_of(base::JsonFields fields) {
  BudgetRule rule;
  AIMETER_TRY(const std::int64_t kind, fields.integer("kind"));
  rule.kind = static_cast<BudgetKind>(kind);
  AIMETER_TRY(const std::int64_t scope, fields.integer("scope"));
  rule.scope = static_cast<BudgetScope>(scope);
  AIMETER_TRY(rule.limit, fields.integer("limit"));
  AIMETER_TRY(rule.currency, fields.string("currency"));
  AIMETER_TRY(const std::int64_t enforcement, fields.integer("enforcement"));
  rule.enforcement = static_cast<Enforcement>(enforcement);
  AIMETER_TRY(const base::JsonFields period, fields.object("period"));
  AIMETER_TRY(rule.period, period_of(period));
  return rule;
}

Result<std::vector<BudgetRule>> rules_of(std::string_view text) {
  AIMETER_TRY(const base::Json array, base::Json::parse("budgets", text));
  std::vector<BudgetRule> rules;
  if (array.kind() != base::Json::Kind::array) return bad_input("budgets", text, "an array");
  for (const base::Json& item : array.items()) {
    AIMETER_TRY(const base::JsonFields fields, base::JsonFields::of(item, "budgets"));
    AIMETER_TRY(rules.emplace_back(), rule_of(fields));
  }
  return rules;
}

Result<std::vector<std::string>> texts_of(std::string_view text) {
  AIMETER_TRY(const base::Json array, base::Json::parse("texts", text));
  std::vector<std::string> texts;
  if (array.kind() != base::Json::Kind::array) return bad_input("texts", text, "an array");
  for (const base::Json& item : array.items()) {
    AIMETER_TRY(texts.emplace_back(), item.string("texts"));
  }
  return texts;
}

Result<Meta> meta_fields(std::string_view text) {
  AIMETER_TRY(const base::Json object, base::Json::parse("meta", text));
  Meta meta;
  if (object.kind() != base::Json::Kind::object) return bad_input("meta", text, "an object");
  for (const auto& [key, value] : object.members()) {
    AIMETER_TRY(meta[key], value.string(key));
  }
  return meta;
}

Result<Period::Options> parsed_period(std::string_view text) {
  AIMETER_TRY(const base::Json object, base::Json::parse("period", text));
  AIMETER_TRY(const base::JsonFields fields, base::JsonFields::of(object, "period"));
  return period_of(fields);
}

}  // namespace

std::string json_of(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return json::serialize(array);
}

std::string json_of(const Meta& meta) {
  json::object object;
  for (const auto& [key, value] : meta) object[key] = value;
  return json::serialize(object);
}

std::string json_of(const Period::Options& period) { return json::serialize(object_of(period)); }

std::string json_of(const std::vector<BudgetRule>& rules) {
  json::array array;
  for (const BudgetRule& rule : rules) {
    array.emplace_back(json::object{{"kind", static_cast<int>(rule.kind)},
                                    {"scope", static_cast<int>(rule.scope)},
                                    {"limit", rule.limit},
                                    {"currency", rule.currency},
                                    {"enforcement", static_cast<int>(rule.enforcement)},
                                    {"period", object_of(rule.period)}});
  }
  return json::serialize(array);
}

Result<std::vector<std::string>> read_texts(std::string_view text) {
  return as_stored(texts_of(text));
}
Result<Meta> read_meta(std::string_view text) { return as_stored(meta_fields(text)); }
Result<Period::Options> read_period(std::string_view text) {
  return as_stored(parsed_period(text));
}
Result<std::vector<BudgetRule>> read_rules(std::string_view text) {
  return as_stored(rules_of(text));
}

}  // namespace aimeter::drivers::sqlite
