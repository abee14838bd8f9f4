#include "tests/stripe/books.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

namespace aimeter::testing {
namespace {

namespace json = boost::json;

struct Trouble {
  const char* type = "invalid_request_error";
  const char* code = "";
  std::string param = {}, message = {};
};

ApiAnswer error(int status, const Trouble& trouble) {
  json::object body{{"type", trouble.type}, {"message", trouble.message}};
  if (*trouble.code != '\0') body["code"] = trouble.code;
  if (!trouble.param.empty()) body["param"] = trouble.param;
  return {.status = status, .body = json::serialize(json::object{{"error", body}})};
}

ApiAnswer ok(const json::object& object) { return {.body = json::serialize(object)}; }

std::optional<std::string> value_of(const Params& params, std::string_view name) {
  for (const auto& [key, value] : params) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::optional<std::int64_t> integer_of(const std::string& text) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc() || at != end || text.empty()) return std::nullopt;
  return value;
}

// Parameters of each endpoint. Source: *CreateParams and *ListParams of npm package stripe 23.1.0.
// A name that ends with "[" stands for any member.
struct Endpoint {
  std::string_view method, path;  // "*" in a path stands for an id
  std::string_view kind, prefix;  // of the object that is made
  std::set<std::string_view> known, needed;
};
const std::vector<Endpoint>& endpoints() {
  static const std::vector<Endpoint> kAll = {
      {"POST",
       "/v1/customers",
       "customer",
       "cus_",
       {"name", "email", "description", "metadata[", "balance", "invoice_settings["},
       {}},
      {"GET", "/v1/customers/search", "customer", "", {"query", "limit", "page"}, {"query"}},
      {"GET", "/v1/customers/*", "customer", "", {"expand["}, {}},
      {"POST",
       "/v1/customers/*/balance_transactions",
       "customer_balance_transaction",
       "cbtxn_",
       {"amount", "currency", "description", "metadata["},
       {"amount", "currency"}},
      {"POST",
       "/v1/invoiceitems",
       "invoiceitem",
       "ii_",
       {"amount", "currency", "customer", "description", "discountable", "invoice", "metadata[",
        "period[", "quantity", "subscription", "tax_behavior", "tax_code", "unit_amount_decimal"},
       {"customer"}},
      {"GET",
       "/v1/invoiceitems",
       "invoiceitem",
       "",
       {"created", "created[", "customer", "ending_before", "expand[", "invoice", "limit",
        "pending", "starting_after"},
       {}},
      {"GET", "/v1/invoiceitems/*", "invoiceitem", "", {"expand["}, {}},
      {"POST",
       "/v1/invoices",
       "invoice",
       "in_",
       {"customer", "auto_advance", "collection_method", "currency", "description", "metadata[",
        "pending_invoice_items_behavior", "subscription"},
       {}},
      {"GET", "/v1/invoices/*", "invoice", "", {"expand["}, {}},
      {"POST",
       "/v1/billing/meter_events",
       "billing.meter_event",
       "",
       {"event_name", "identifier", "payload[", "timestamp"},
       {"event_name"}},
      {"POST",
       "/v1/refunds",
       "refund",
       "re_",
       {"amount", "charge", "currency", "customer", "metadata[", "payment_intent", "reason"},
       {}},
      {"POST",
       "/v1/credit_notes",
       "credit_note",
       "cn_",
       {"amount", "credit_amount", "invoice", "memo", "metadata[", "reason", "refund_amount"},
       {"invoice"}},
      {"POST",
       "/v1/payment_intents",
       "payment_intent",
       "pi_",
       {"amount", "confirm", "currency", "customer", "description", "metadata[", "off_session",
        "payment_method"},
       {"amount", "currency"}},
      {"GET",
       "/v1/payment_intents",
       "payment_intent",
       "",
       {"created", "created[", "customer", "ending_before", "expand[", "limit", "starting_after"},
       {}},
      {"GET", "/v1/payment_intents/*", "payment_intent", "", {"client_secret", "expand["}, {}},
      {"POST",
       "/v1/subscriptions",
       "subscription",
       "sub_",
       {"customer", "items[", "metadata[", "cancel_at_period_end"},
       {"customer"}},
      {"GET",
       "/v1/subscriptions",
       "subscription",
       "",
       {"customer", "limit", "status", "starting_after", "price"},
       {}},
  };
  return kAll;
}

bool path_fits(std::string_view pattern, std::string_view path) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == path;
  if (!path.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  const std::string_view tail = path.substr(star);
  return tail.size() > rest.size() && tail.ends_with(rest) &&
         tail.substr(0, tail.size() - rest.size()).find('/') == std::string_view::npos;
}

const Endpoint* endpoint_of(const ApiRequest& request) {
  for (const Endpoint& endpoint : endpoints()) {
    if (endpoint.method == request.method && path_fits(endpoint.path, request.path))
      return &endpoint;
  }
  return nullptr;
}

std::string id_in_path(const Endpoint& endpoint, const std::string& path) {
  const std::size_t star = endpoint.path.find('*');
  if (star == std::string_view::npos) return "";
  return path.substr(star, path.find('/', star) - star);
}

std::optional<ApiAnswer> wrong_parameter(const Endpoint& endpoint, const Params& params) {
  for (const auto& [name, value] : params) {
    const std::size_t bracket = name.find('[');
    const std::string stem = bracket == std::string::npos ? name : name.substr(0, bracket + 1);
    if (endpoint.known.contains(stem)) continue;
    return error(400, {.code = "parameter_unknown",
                       .param = name,
                       .message = "Received unknown parameter: " + name});
  }
  for (const std::string_view needed : endpoint.needed) {
    if (value_of(params, needed)) continue;
    return error(400, {.code = "parameter_missing",
                       .param = std::string(needed),
                       .message = "Missing required param: " + std::string(needed) + "."});
  }
  return std::nullopt;
}

// Source: docs.stripe.com/currencies, three-decimal currencies and special cases.
std::int64_t step_of(const std::string& currency) {
  static const std::set<std::string> kTens = {"bhd", "jod", "kwd", "omr", "tnd"};
  if (kTens.contains(currency)) return 10;
  return currency == "isk" || currency == "ugx" ? 100 : 1;
}

std::optional<ApiAnswer> wrong_amount(const Params& params) {
  const std::optional<std::string> text = value_of(params, "amount");
  if (!text) return std::nullopt;
  const std::optional<std::int64_t> amount = integer_of(*text);
  if (!amount) {
    return error(400, {.code = "parameter_invalid_integer",
                       .param = "amount",
                       .message = "Invalid integer: " + *text});
  }
  const std::string currency = value_of(params, "currency").value_or("usd");
  if (*amount % step_of(currency) == 0) return std::nullopt;
  return error(400, {.code = "invalid_charge_amount_no_decimal_compatible",
                     .param = "amount",
                     .message = "Invalid amount for the currency " + currency});
}

constexpr std::array<std::string_view, 4> kIntegers = {"amount", "quantity", "timestamp",
                                                       "balance"};

void put_value(json::object& object, const std::string& name, const std::string& value) {
  const std::size_t open = name.find('[');
  if (open == std::string::npos) {
    const bool number = std::ranges::find(kIntegers, name) != kIntegers.end();
    if (number && integer_of(value)) {
      object[name] = *integer_of(value);
    } else {
      object[name] = value;
    }
    return;
  }
  const std::string stem = name.substr(0, open);
  const std::string member = name.substr(open + 1, name.find(']', open) - open - 1);
  if (!object.contains(stem) || !object[stem].is_object()) object[stem] = json::object();
  if (stem == "period") {
    object[stem].as_object()[member] = integer_of(value).value_or(0);
  } else {
    object[stem].as_object()[member] = value;
  }
}

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

}  // namespace

void Books::set_now(std::int64_t seconds) {
  const std::lock_guard lock(mutex_);
  now_ = seconds;
}

std::vector<json::object> Books::all(const std::string& kind) const {
  const std::lock_guard lock(mutex_);
  const auto found = kinds_.find(kind);
  return found == kinds_.end() ? std::vector<json::object>() : found->second;
}

std::string Books::add(const std::string& kind, json::object object) {
  const std::lock_guard lock(mutex_);
  return keep(kind, std::move(object));
}

void Books::put(const std::string& id, const std::string& name, json::value value) {
  const std::lock_guard lock(mutex_);
  for (auto& [kind, objects] : kinds_) {
    for (json::object& object : objects) {
      if (text_of(object, "id") == id) object[name] = value;
    }
  }
}

void Books::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  for (auto& [kind, objects] : kinds_)
    std::erase_if(objects, [&](const json::object& one) { return text_of(one, "id") == id; });
}

std::size_t Books::remembered_keys() const {
  const std::lock_guard lock(mutex_);
  return keys_.size();
}

const json::object* Books::find(const std::string& id) const {
  for (const auto& [kind, objects] : kinds_) {
    for (const json::object& object : objects) {
      if (text_of(object, "id") == id) return &object;
    }
  }
  return nullptr;
}

std::string Books::keep(const std::string& kind, json::object object) {
  if (text_of(object, "id").empty()) {
    std::string prefix;
    for (const Endpoint& endpoint : endpoints()) {
      if (endpoint.kind == kind && !endpoint.prefix.empty()) prefix = endpoint.prefix;
    }
    object["id"] = prefix + std::to_string(++last_);
  }
  object["object"] = kind;
  object["created"] = now_;
  object["livemode"] = false;
  if (!object.contains("metadata")) object["metadata"] = json::object();
  std::string id = text_of(object, "id");
  kinds_[kind].push_back(std::move(object));
  return id;
}

std::optional<ApiAnswer> Books::refused(const ApiRequest& request) const {
  if (request.authorization != "Bearer " + secret_) {
    return error(401, {.message = "Invalid API Key provided"});
  }
  if (request.version.empty()) {
    return error(400, {.message = "this server wants a pinned Stripe-Version"});
  }
  const Endpoint* endpoint = endpoint_of(request);
  if (endpoint == nullptr) {
    return error(404, {.code = "resource_missing",
                       .message = "Unrecognized request URL (" + request.method + ": " +
                                  request.path + ")"});
  }
  if (auto wrong = wrong_parameter(*endpoint, request.params)) return wrong;
  if (auto wrong = wrong_amount(request.params)) return wrong;
  for (const char* name : {"customer", "subscription", "invoice"}) {
    const std::optional<std::string> id = value_of(request.params, name);
    if (request.method != "POST" || !id || find(*id) != nullptr) continue;
    return error(400, {.code = "resource_missing",
                       .param = name,
                       .message = std::string("No such ") + name + ": '" + *id + "'"});
  }
  const std::string id = id_in_path(*endpoint, request.path);
  if (!id.empty() && find(id) == nullptr) {
    return error(404, {.code = "resource_missing", .param = "id", .message = "No such: " + id});
  }
  return std::nullopt;
}

std::optional<ApiAnswer> Books::replayed(const ApiRequest& request) {
  std::erase_if(keys_, [&](const auto& one) { return now_ - one.second.at >= kKeysKeptS; });
  const auto found = keys_.find(request.key);
  if (request.key.empty() || found == keys_.end()) return std::nullopt;
  if (found->second.path != request.path || found->second.params != request.params) {
    return error(400, {.type = "idempotency_error",
                       .message = "Keys for idempotent requests can only be used with the same "
                                  "parameters they were first used with."});
  }
  ApiAnswer again = found->second.answer;
  again.headers.emplace_back("Idempotent-Replayed", "true");
  return again;
}

ApiAnswer Books::execute(const ApiRequest& request, Execution execution) {
  const std::lock_guard lock(mutex_);
  if (request.method == "GET") {
    if (auto refusal = refused(request)) return *refusal;
    return get(request);
  }
  if (request.authorization == "Bearer " + secret_) {  // remembered answers come before all else
    if (auto again = replayed(request)) return *again;
  }
  if (auto refusal = refused(request)) return *refusal;
  ApiAnswer answer = execution == Execution::works
                         ? post(request)
                         : error(500, {.type = "api_error", .message = "An error occurred"});
  if (!request.key.empty()) keys_[request.key] = {request.path, request.params, answer, now_};
  return answer;
}

ApiAnswer Books::post(const ApiRequest& request) {
  const Endpoint& endpoint = *endpoint_of(request);
  json::object object;
  for (const auto& [name, value] : request.params) put_value(object, name, value);
  if (endpoint.kind == "customer_balance_transaction")
    object["customer"] = id_in_path(endpoint, request.path);
  if (endpoint.kind == "billing.meter_event") {
    const std::string identifier = text_of(object, "identifier");
    const std::int64_t at = object.contains("timestamp") ? object["timestamp"].as_int64() : now_;
    if (at < now_ - 35 * 86'400 || at > now_ + 300) {
      return error(400, {.code = "timestamp_too_far_in_past",
                         .param = "timestamp",
                         .message = "The timestamp must be within the past 35 calendar days"});
    }
    for (const json::object& other : kinds_["billing.meter_event"]) {
      const bool recent = now_ - other.at("created").as_int64() < kKeysKeptS;
      if (identifier.empty() || !recent || text_of(other, "identifier") != identifier) continue;
      return error(400, {.code = "duplicate_meter_event",
                         .param = "identifier",
                         .message = "An event already exists with identifier " + identifier});
    }
    object["id"] = identifier;
  }
  if (endpoint.kind == "payment_intent") {
    const json::object* customer = find(text_of(object, "customer"));
    const bool declined = customer != nullptr && text_of(*customer, "description") == "declines";
    if (declined) {
      return error(
          402,
          {.type = "card_error", .code = "card_declined", .message = "Your card was declined."});
    }
    const bool slow = customer != nullptr && text_of(*customer, "description") == "bank debit";
    object["status"] = slow ? "processing" : "succeeded";
    object["amount_received"] = slow ? json::value(0) : object["amount"];
  }
  if (endpoint.kind == "subscription" && !object.contains("status")) object["status"] = "active";
  const std::string id = keep(std::string(endpoint.kind), std::move(object));
  return ok(*find(id));
}

ApiAnswer Books::get(const ApiRequest& request) const {
  const Endpoint& endpoint = *endpoint_of(request);
  if (endpoint.path == "/v1/customers/search") return search(request.params);
  const std::string id = id_in_path(endpoint, request.path);
  return id.empty() ? list(std::string(endpoint.kind), request.params) : ok(*find(id));
}

ApiAnswer Books::list(const std::string& kind, const Params& params) const {
  const auto found = kinds_.find(kind);
  json::array rows;
  bool started = !value_of(params, "starting_after").has_value(), more = false;
  const auto limit =
      static_cast<std::size_t>(integer_of(value_of(params, "limit").value_or("10")).value_or(10));
  const std::int64_t since = integer_of(value_of(params, "created[gte]").value_or("0")).value_or(0);
  if (found != kinds_.end()) {
    for (auto one = found->second.rbegin(); one != found->second.rend(); ++one) {  // newest first
      const bool after = started;
      if (text_of(*one, "id") == value_of(params, "starting_after")) started = true;
      const std::optional<std::string> customer = value_of(params, "customer");
      const bool wanted = after && (!customer || text_of(*one, "customer") == *customer) &&
                          one->at("created").as_int64() >= since;
      if (!wanted) continue;
      if (rows.size() == limit) {
        more = true;
        break;
      }
      rows.push_back(*one);
    }
  }
  return ok({{"object", "list"}, {"data", rows}, {"has_more", more}, {"url", "/v1/" + kind}});
}

// metadata['key']:'value' joined by AND.
ApiAnswer Books::search(const Params& params) const {
  const std::string query = *value_of(params, "query");
  json::array rows;
  const auto customers = kinds_.find("customer");
  if (customers != kinds_.end()) {
    for (const json::object& customer : customers->second) {
      bool fits = true;
      std::size_t at = 0;
      while ((at = query.find("metadata['", at)) != std::string::npos) {
        at += 10;
        const std::string key = query.substr(at, query.find('\'', at) - at);
        std::size_t value_at = query.find(":'", at) + 2;
        std::string value;
        for (; query.at(value_at) != '\''; ++value_at) {
          if (query[value_at] == '\\') ++value_at;
          value += query.at(value_at);
        }
        fits = fits && text_of(customer.at("metadata").as_object(), key) == value;
        at = value_at;
      }
      if (fits) rows.push_back(customer);
    }
  }
  return ok({{"object", "search_result"}, {"data", rows}, {"has_more", false}});
}

}  // namespace aimeter::testing
