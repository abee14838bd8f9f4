// aimeter webhook: proves webhooks of a billing service.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <memory>
#include <ostream>

#include "base/json.h"
#include "billing/signature.h"
#include "cli/session.h"

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

}  // namespace

void add_webhook(Frame& frame) {
  CLI::App& group =
      frame.add_group({.name = "webhook",
                       .about = "Proves webhooks of a billing service",
                       .examples = {"aimeter webhook verify --header 't=...,v1=...' body.json"}});
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
