// The quota guard in front of a Boost.Beast server with coroutines: admit() before the handler,
// headers() after it, the metered call awaited. Runs once against itself and prints what a client
// sees; ends with 0 when that is as it should be.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>

#include "aimeter/aimeter.h"
#include "aimeter/asio.h"

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

namespace {

asio::awaitable<std::string> ask_the_provider() {
  co_return R"({"choices":[{"message":{"content":"Hi"}}],)"
            R"("usage":{"prompt_tokens":40,"completion_tokens":20,"total_tokens":60}})";
}

Response answer(int status, std::string body, const char* type) {
  Response response{static_cast<http::status>(status), 11};
  response.set(http::field::content_type, type);
  response.body() = std::move(body);
  return response;
}

void put(Response& response, const aimeter::Headers& headers) {
  for (const auto& [name, value] : headers) response.set(name, value);
}

// aimeter/asio.h knows Beast's requests; who the peer is only the socket knows.
aimeter::Context context_of_peer(const Request& request, const tcp::socket& socket) {
  aimeter::Context context = context_of(request);
  context.peer = socket.remote_endpoint().address().to_string();
  return context;
}

asio::awaitable<Response> handle(const aimeter::Engine& engine, const aimeter::QuotaGuard& guard,
                                 const aimeter::Context& context) {
  const auto admission = guard.admit(context);
  if (!admission) {
    co_return answer(aimeter::http_status(admission.error()), admission.error().message,
                     "text/plain");
  }
  if (!admission->admitted) {
    Response refused = answer(admission->status, admission->body, admission->content_type.c_str());
    put(refused, admission->headers);
    co_return refused;
  }
  const auto reply =
      co_await engine.meter(context).using_provider("openai", "gpt-4o-mini").call([] {
        return ask_the_provider();
      });
  Response response =
      reply ? answer(200, reply->response(), "application/json")
            : answer(aimeter::http_status(reply.error()), reply.error().message, "text/plain");
  put(response, guard.headers(*admission));
  co_return response;
}

asio::awaitable<void> serve(tcp::acceptor& acceptor, const aimeter::Engine& engine,
                            const aimeter::QuotaGuard& guard, int requests) {
  tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
  boost::beast::flat_buffer buffer;
  for (int i = 0; i < requests; ++i) {
    Request request;
    co_await http::async_read(socket, buffer, request, asio::use_awaitable);
    Response response = co_await handle(engine, guard, context_of_peer(request, socket));
    response.prepare_payload();
    co_await http::async_write(socket, response, asio::use_awaitable);
  }
}

asio::awaitable<void> ask_three_times(tcp::endpoint server, bool& good) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(server, asio::use_awaitable);
  boost::beast::flat_buffer buffer;
  const std::pair<unsigned, const char*> expected[] = {{200, "60"}, {200, "0"}, {429, "0"}};
  for (const auto& [status, remaining] : expected) {
    Request request{http::verb::post, "/ai/chat", 11};
    request.set(http::field::host, "localhost");
    request.set("X-Tenant", "acme");
    request.prepare_payload();
    co_await http::async_write(socket, request, asio::use_awaitable);
    Response response;
    co_await http::async_read(socket, buffer, response, asio::use_awaitable);
    const std::string left(response["X-Remaining-Tokens"]);
    std::printf("%u, X-Remaining-Tokens: %s, X-Usage-Percentage: %s\n", response.result_int(),
                left.c_str(), std::string(response["X-Usage-Percentage"]).c_str());
    good = good && response.result_int() == status && left == remaining;
  }
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
  asio::io_context io;
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  bool good = true;
  const auto failed = [&good](const std::exception_ptr& thrown) { good = good && !thrown; };
  asio::co_spawn(io, serve(acceptor, *engine, guard, 3), failed);
  asio::co_spawn(io, ask_three_times(acceptor.local_endpoint(), good), failed);
  io.run();
  return good ? 0 : 1;
}
