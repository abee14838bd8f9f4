// aimeter webhook: proves webhooks of a billing service, and takes such that were missed.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <memory>
#include <ostream>
#include <sstream>
#include <vector>

#include "app/webhooks.h"
#include "base/hash.h"
#include "base/json.h"
#include "billing/signature.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "drivers/billing_drivers.h"

namespace aimeter::cli {
namespace {

using base::Json;
using base::JsonFields;

struct VerifyOptions {
  std::string file, header, batch;
  std::int64_t tolerance_s = 300;
};

Result<std::string> text_of_file(Frame& frame, const std::string& name) {
  std::ifstream file;
  if (name != "-") {
    file.open(name, std::ios::binary);
    if (!file) return fail(Code::not_found, "file \"" + name + "\" cannot be read");
  }
  std::istream& in = name == "-" ? frame.console().in() : file;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Instant seconds(std::int64_t count) { return Instant(std::chrono::seconds(count)); }

struct Case {
  std::string id, payload, header, secret;
  Instant received_at = {};
  Duration tolerance = billing::kSignatureTolerance;
};

Result<Case> case_of(const Json& value, std::size_t index) {
  AIMETER_TRY(JsonFields fields, JsonFields::of(value, fmt::format("[{}]", index)));
  Case made;
  AIMETER_TRY(made.id, fields.string("id"));
  AIMETER_TRY(made.payload, fields.string("payload"));
  AIMETER_TRY(made.header, fields.string("header"));
  AIMETER_TRY(made.secret, fields.string("secret"));
  AIMETER_TRY(const std::int64_t received, fields.count("received_at"));
  made.received_at = seconds(received);
  AIMETER_TRY(const std::optional<std::int64_t> tolerance, fields.optional_count("tolerance_s"));
  if (tolerance) made.tolerance = std::chrono::seconds(*tolerance);
  return made;
}

std::string verdict_line(const std::string& id, const Status& proved) {
  boost::json::object line{{"id", id}, {"verdict", proved ? "accept" : "reject"}};
  line["reason"] = nullptr;
  if (!proved) line["reason"] = proved.error().message;
  return boost::json::serialize(line);
}

Result<Exit> verify_batch(Frame& frame, const VerifyOptions& options) {
  AIMETER_TRY(const std::string text, text_of_file(frame, options.batch));
  AIMETER_TRY(const Json document, Json::parse(options.batch, text));
  if (document.kind() != Json::Kind::array)
    return bad_input("--batch", options.batch, "a JSON array of cases");
  std::size_t index = 0;
  for (const Json& value : document.items()) {
    AIMETER_TRY(const Case one, case_of(value, index++));
    const Status proved = billing::verify_signature(
        {one.payload, one.header},
        {.secret = one.secret, .received_at = one.received_at, .tolerance = one.tolerance});
    frame.console().out() << verdict_line(one.id, proved) << '\n';
  }
  return Exit::done;
}

Result<Exit> verify_one(Frame& frame, const VerifyOptions& options) {
  return with_settings(frame, [&](const config::Settings& settings) -> Result<Exit> {
    if (options.file.empty()) return bad_input("FILE", "", "a webhook's body, or --batch");
    AIMETER_TRY(const std::string body, text_of_file(frame, options.file));
    const Clock* clock = frame.console().options().clock;
    const Instant now = (clock == nullptr ? system_clock() : *clock).now();
    const Status proved = billing::verify_signature(
        {body, options.header}, {.secret = settings.stripe.webhook_secret,
                                 .received_at = now,
                                 .tolerance = std::chrono::seconds(options.tolerance_s)});
    if (frame.json()) print_json(frame, verdict_line(options.file, proved));
    if (!proved && !frame.json()) return std::unexpected(proved.error());
    if (!frame.json()) frame.console().out() << "accept\n";
    return proved ? Exit::done : Exit::refused;
  });
}

// The bodies in a file: one event, an array of them, a list as the API gives it, or one a line.
Result<std::vector<Json>> events_in(const std::string& name, const std::string& text) {
  const Result<Json> whole = Json::parse(name, text);
  if (!whole) {
    std::vector<Json> events;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      AIMETER_TRY(events.emplace_back(), Json::parse(name, line));
    }
    if (events.empty()) return std::unexpected(whole.error());
    return events;
  }
  const Json* data = whole->find("data");
  if (data != nullptr && data->kind() == Json::Kind::array) return data->items();
  if (whole->kind() == Json::Kind::array) return whole->items();
  return std::vector<Json>{*whole};
}

struct Replayed {
  std::int64_t events = 0, applied = 0, repeated = 0, failed = 0;
};

// The operator vouches for the file: its bodies are signed here, with a secret of this run.
class Replay {
 public:
  Replay(Frame& frame, Acting& acting, BillingDriver& driver, std::string secret)
      : frame_(frame), acting_(acting), driver_(driver), secret_(std::move(secret)) {}

  void take(const Json& value) {
    ++done_.events;
    const Result<store::Changed> changed = apply(value.text());
    if (!changed) {
      ++done_.failed;
      frame_.console().warn(fmt::format("event {}: {}", done_.events, changed.error().message));
      return;
    }
    (changed->rows > 0 ? done_.applied : done_.repeated) += 1;
  }
  [[nodiscard]] const Replayed& done() const { return done_; }

 private:
  Result<store::Changed> apply(const std::string& body) {
    const std::string signature = billing::signature_header(body, secret_, system_clock().now());
    AIMETER_TRY(const BillingEvent event, driver_.webhook({.body = body, .signature = signature}));
    return app::take_event(meter::Core::of(acting_.engine.core()), event);
  }

  Frame& frame_;
  Acting& acting_;
  BillingDriver& driver_;
  const std::string secret_;
  Replayed done_;
};

Exit finish(Frame& frame, const Replayed& done, std::size_t wanted) {
  if (frame.json()) {
    print_json(frame, boost::json::serialize(boost::json::object{{"events", done.events},
                                                                 {"applied", done.applied},
                                                                 {"repeated", done.repeated},
                                                                 {"failed", done.failed}}));
  } else {
    frame.console().out() << fmt::format("{} events: {} applied, {} before, {} failed\n",
                                         done.events, done.applied, done.repeated, done.failed);
  }
  const bool all = done.events == static_cast<std::int64_t>(wanted);
  return done.failed == 0 && all ? Exit::done : Exit::partly;
}

Result<Exit> replay(Frame& frame, const std::string& name) {
  return with_engine(frame, [&](Acting& acting) -> Result<Exit> {
    AIMETER_TRY(const std::string text, text_of_file(frame, name));
    AIMETER_TRY(const std::vector<Json> bodies, events_in(name, text));
    const std::string secret = base::hex(base::random_bytes(32));
    const std::string& driver_name = acting.settings.billing.driver;
    AIMETER_TRY(const auto driver,
                drivers::make_billing_driver(
                    driver_name == "null" ? "stripe" : driver_name,
                    {.stripe = {.secret_key = "nothing-is-asked", .webhook_secret = secret}}));
    Replay run(frame, acting, *driver, secret);
    {
      Progress progress(frame.console(), "events", static_cast<std::int64_t>(bodies.size()));
      for (const Json& body : bodies) {
        if (frame.console().interrupted()) break;
        run.take(body);
        progress.at(run.done().events);
      }
    }
    return finish(frame, run.done(), bodies.size());
  });
}

}  // namespace

void add_webhook(Frame& frame) {
  CLI::App& group = frame.add_group(
      {.name = "webhook",
       .about = "Proves webhooks of a billing service, and takes such that were missed",
       .examples = {"aimeter webhook verify --header 't=...,v1=...' body.json",
                    "aimeter webhook replay events.json"}});
  auto file = std::make_shared<std::string>();
  CLI::App& replaying =
      frame.add_under(group,
                      {.name = "replay",
                       .about = "Applies events from a file, each once, whatever their order",
                       .examples = {"aimeter webhook replay events.json",
                                    "stripe events list --limit 100 | aimeter webhook replay -"}},
                      [&frame, file] { return replay(frame, *file); });
  replaying.add_option("FILE", *file, "One event, an array, an API list or JSON Lines; - is input")
      ->required();
  auto verify = std::make_shared<VerifyOptions>();
  CLI::App& app = frame.add_under(
      group,
      {.name = "verify",
       .about = "Says whether a signature proves a body",
       .examples = {"aimeter webhook verify --header 't=1790000000,v1=5257a8...' body.json",
                    "aimeter webhook verify --batch cases.json"}},
      [&frame, verify] {
        return verify->batch.empty() ? verify_one(frame, *verify) : verify_batch(frame, *verify);
      });
  app.add_option("FILE", verify->file, "The body as it came; - is standard input");
  app.add_option("--header", verify->header, "The header Stripe-Signature")->type_name("TEXT");
  app.add_option("--tolerance", verify->tolerance_s, "Age in seconds that is accepted (300)")
      ->check(CLI::Range(0, 86'400'000))
      ->type_name("N");
  app.add_option("--batch", verify->batch,
                 "A JSON array of {id, payload, header, secret, received_at, tolerance_s}")
      ->type_name("FILE");
}

}  // namespace aimeter::cli
