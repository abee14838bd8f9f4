// The program of README.md, run once as it stands. Ends with 0 when every check holds; a test
// compares the block of README.md with this file.
#include <aimeter/aimeter.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include <unistd.h>

namespace {

// What the program has anyway: a client, a request, somewhere to write to.
struct Request {
  std::string prompt;
};
struct Client {
  static std::string chat(const Request&) {  // the provider's answer, as it came
    return R"({"model": "gpt-4o-mini", "object": "chat.completion",
               "usage": {"prompt_tokens": 1200, "completion_tokens": 300, "total_tokens": 1500}})";
  }
};
aimeter::Tokens used;
std::optional<aimeter::Tokens> left;
void show(aimeter::Tokens total, std::optional<aimeter::Tokens> remaining) {
  used = total;
  left = remaining;
}

int handle(const Client& openai, const Request& request) {
  auto engine = aimeter::open("sqlite:usage.db");
  if (!engine) return aimeter::http_status(engine.error());

  auto reply = engine->meter()
                   .for_tenant("acme")
                   .for_user("42")
                   .using_provider("openai", "gpt-4o-mini")
                   .feature("email_reply")
                   .call([&] { return openai.chat(request); });  // JSON text, or your own type
  if (!reply) return aimeter::http_status(reply.error());        // quota_exceeded: 429, ...
  show(reply->usage().total_tokens, reply->limit().remaining_tokens);
  return 200;
}

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::exit(1);
}
#define CHECK(condition) check(static_cast<bool>(condition), #condition)

}  // namespace

int main() {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("aimeter-readme-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::filesystem::current_path(folder);

  CHECK(handle(Client{}, {.prompt = "Dear Sir or Madam"}) == 200);
  CHECK(used.count == 1'500);
  CHECK(!left);  // nobody sold acme a plan: no limit
  const auto engine = aimeter::open("sqlite:usage.db");
  CHECK(engine);
  const auto sum = engine->tenant("acme").usages().by_user("42").sum();
  CHECK(sum);
  CHECK(sum->calls == 1 && sum->total_cost.text() == "0.00036");

  std::filesystem::current_path("/");
  std::filesystem::remove_all(folder);
  return 0;
}
