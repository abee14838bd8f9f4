// The quota guard in front of a cpp-httplib server: admit() before the handlers, headers() after
// them. Runs once against itself and prints what a client sees; ends with 0 when that is as it
// should be.
#include <httplib.h>

#include <cstdio>
#include <thread>

#include "aimeter/aimeter.h"

namespace {

// Once per web framework: what a resolver may read of a request.
aimeter::Context context_of_request(const httplib::Request& request) {
  aimeter::Context context;
  context.method = request.method;
  context.host = request.get_header_value("Host");
  context.path = request.path;
  context.peer = request.remote_addr;
  context.header = [&request](std::string_view name) -> std::optional<std::string> {
    const std::string key(name);
    if (!request.has_header(key.c_str())) return std::nullopt;
    return request.get_header_value(key.c_str());
  };
  context.query = [&request](std::string_view name) -> std::optional<std::string> {
    const std::string key(name);
    if (!request.has_param(key.c_str())) return std::nullopt;
    return request.get_param_value(key.c_str());
  };
  const std::string accept = request.get_header_value("Accept");
  context.expects_json =
      accept.empty() || accept.find("json") != accept.npos || accept.find("*/*") != accept.npos;
  return context;
}

std::string ask_the_provider() {
  return R"({"choices":[{"message":{"content":"Hi"}}],)"
         R"("usage":{"prompt_tokens":40,"completion_tokens":20,"total_tokens":60}})";
}

void serve(httplib::Server& server, const aimeter::Engine& engine,
           const aimeter::QuotaGuard& guard) {
  server.set_pre_routing_handler([&](const httplib::Request& request, httplib::Response& response) {
    const auto admission = guard.admit(context_of_request(request));
    if (!admission) {
      response.status = aimeter::http_status(admission.error());
      response.set_content(admission.error().message, "text/plain");
      return httplib::Server::HandlerResponse::Handled;
    }
    if (admission->admitted) return httplib::Server::HandlerResponse::Unhandled;
    response.status = admission->status;
    for (const auto& [name, value] : admission->headers) response.set_header(name, value);
    response.set_content(admission->body, admission->content_type.c_str());
    return httplib::Server::HandlerResponse::Handled;
  });
  server.set_post_routing_handler(
      [&](const httplib::Request& request, httplib::Response& response) {
        if (response.status == 429) return;
        const auto admission = guard.admit(context_of_request(request));
        if (!admission) return;
        for (const auto& [name, value] : guard.headers(*admission))
          response.set_header(name, value);
      });
  server.Post("/ai/chat", [&](const httplib::Request& request, httplib::Response& response) {
    const auto reply =
        engine.meter(context_of_request(request)).using_provider("openai", "gpt-4o-mini").call([] {
          return ask_the_provider();
        });
    if (!reply) {
      response.status = aimeter::http_status(reply.error());
      response.set_content(reply.error().message, "text/plain");
      return;
    }
    response.set_content(reply->response(), "application/json");
  });
}

bool show(httplib::Client& client, int status, const char* remaining) {
  const auto answer =
      client.Post("/ai/chat", {{"X-Tenant", "acme"}}, std::string("{}"), "application/json");
  if (!answer) return false;
  const std::string left = answer->get_header_value("X-Remaining-Tokens");
  std::printf("%d, X-Remaining-Tokens: %s, X-Usage-Percentage: %s\n", answer->status, left.c_str(),
              answer->get_header_value("X-Usage-Percentage").c_str());
  return answer->status == status && left == remaining;
}

}  // namespace

int main() {
  const auto engine = aimeter::open(
      "memory:", {.tenant_resolver = "header", .tenancy = {.trusted_proxies = {"127.0.0.1/32"}}});
  if (!engine) return std::fprintf(stderr, "%s\n", engine.error().message.c_str()), 1;
  const auto plan = engine->admin().create_plan(
      {.name = "Small", .slug = "small", .monthly_token_limit = aimeter::Tokens{120}});
  const auto subscription =
      engine->tenant("acme").subscribe({.billable = {"tenant", "acme"}, .plan = "small"});
  if (!plan || !subscription) return 1;

  const aimeter::QuotaGuard guard(*engine);
  httplib::Server server;
  serve(server, *engine, guard);
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread listener([&] { server.listen_after_bind(); });
  httplib::Client client("127.0.0.1", port);
  bool good = show(client, 200, "60");
  good = show(client, 200, "0") && good;
  good = show(client, 429, "0") && good;  // used up: refused before the handler
  server.stop();
  listener.join();
  return good ? 0 : 1;
}
