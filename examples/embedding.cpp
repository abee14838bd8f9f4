// The examples of docs/guides/embedding.md, run once. Ends with 0 when every check holds; a test
// compares the blocks of the guide with this file.
#include "aimeter/aimeter.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "aimeter/testing.h"

namespace {

using aimeter::http_status;

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::exit(1);
}
#define CHECK(condition) check(static_cast<bool>(condition), #condition)

struct Request {};
struct Client {
  static std::string chat(const Request&) { return aimeter::testing::openai_answer(1'200, 300); }
};
std::string shown;
void use(const std::string& answer) { CHECK(!answer.empty()); }
void log(std::int64_t tokens, const std::string& cost, const std::string& percentage) {
  shown = std::to_string(tokens) + " " + cost + " " + percentage;
}

int one_call(const Client& openai, const Request& request) {
  auto engine = aimeter::open("memory:");  // or "sqlite:usage.db"
  if (!engine) return http_status(engine.error());

  auto reply = engine->meter()
                   .for_tenant("acme")
                   .for_user("42")
                   .using_provider("openai", "gpt-4o-mini")
                   .feature("email_reply")
                   .call([&] { return openai.chat(request); });
  if (!reply) return http_status(reply.error());  // 429, 403, 401, 409 ...
  use(reply->response());
  log(reply->usage().total_tokens.count, reply->cost().text(),
      reply->limit().usage_percentage.text());
  return 200;
}

aimeter::Usage usage;
void stream_to_client() {
  usage = {.input_tokens = {10}, .output_tokens = {5}, .total_tokens = {15}};
}
std::int64_t settled_tokens = 0;

int one_stream(const aimeter::Engine& engine) {
  auto hold = engine.meter().for_tenant("acme").using_provider("openai", "gpt-4o").hold();
  if (!hold) return http_status(hold.error());
  stream_to_client();                                                  // as long as it takes
  hold->settle(usage, [](aimeter::Result<aimeter::Settled> settled) {  // never blocks
    if (settled) settled_tokens = settled->record.usage.total_tokens.count;
  });
  return 200;
}

std::string handed_out;
void hand_out(const std::string& secret) { handed_out = secret; }

int detach_one(const aimeter::Engine& engine) {
  auto hold = engine.meter().for_tenant("acme").using_provider("openai", "gpt-4o").hold();
  if (!hold) return http_status(hold.error());
  auto token = hold->detach();  // this Hold is over, what it holds stays held
  if (!token) return http_status(token.error());
  hand_out(token->text);  // a secret; token->id names it in events
  return 200;
}

aimeter::Status end_detached(const aimeter::Engine& engine, const std::string& text, bool gave_up) {
  if (gave_up) return engine.release(text);   // the hold is free again
  auto settled = engine.settle(text, usage);  // or HttpAnswer{status, body}, or a callback
  if (!settled) return std::unexpected(settled.error());
  settled_tokens = settled->record.usage.total_tokens.count;
  return {};
}

}  // namespace

int main() {
  CHECK(one_call(Client{}, Request{}) == 200);
  CHECK(shown == "1500 0.00036 0.00");
  const auto engine = aimeter::open("memory:");
  CHECK(engine);
  CHECK(one_stream(*engine) == 200);
  CHECK(engine->drain());
  CHECK(settled_tokens == 15);
  settled_tokens = 0;
  CHECK(detach_one(*engine) == 200);
  CHECK(end_detached(*engine, handed_out, false));
  CHECK(settled_tokens == 15);
  CHECK(!end_detached(*engine, handed_out, true));  // it was settled
  return 0;
}
