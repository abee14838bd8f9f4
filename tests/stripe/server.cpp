#include "tests/stripe/server.h"

#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <list>
#include <mutex>
#include <thread>

namespace aimeter::testing {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

std::string decoded(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size()) {
      plain += static_cast<char>(std::stoi(std::string(text.substr(at + 1, 2)), nullptr, 16));
      at += 2;
    } else {
      plain += text[at] == '+' ? ' ' : text[at];
    }
  }
  return plain;
}

Params params_of(std::string_view form) {
  Params params;
  while (!form.empty()) {
    const std::size_t end = form.find('&');
    const std::string_view pair = form.substr(0, end);
    form.remove_prefix(end == std::string_view::npos ? form.size() : end + 1);
    const std::size_t equals = pair.find('=');
    params.emplace_back(decoded(pair.substr(0, equals)), equals == std::string_view::npos
                                                             ? std::string()
                                                             : decoded(pair.substr(equals + 1)));
  }
  return params;
}

ApiRequest request_of(const Request& request) {
  const std::string target(request.target());
  const std::size_t question = target.find('?');
  const bool get = request.method() == http::verb::get;
  const std::string query = question == std::string::npos ? "" : target.substr(question + 1);
  return {.method = std::string(request.method_string()),
          .path = target.substr(0, question),
          .params = params_of(get ? query : request.body()),
          .key = std::string(request["Idempotency-Key"]),
          .version = std::string(request["Stripe-Version"]),
          .authorization = std::string(request["Authorization"])};
}

ApiAnswer told(int status, const char* message, const char* retry_after = nullptr) {
  ApiAnswer answer{
      .status = status,
      .body = std::string(R"({"error":{"type":"api_error","message":")") + message + R"("}})"};
  if (retry_after != nullptr) answer.headers.emplace_back("Retry-After", retry_after);
  return answer;
}

}  // namespace

struct Server::State {
  State(Books& kept, Faults wanted)
      : books(kept),
        faults(std::move(wanted)),
        acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

  void accept();
  void serve(tcp::socket& socket);
  // Nothing: the connection is to end without an answer.
  std::optional<ApiAnswer> answer(const ApiRequest& request, Fault fault);
  void stop();

  Books& books;
  const Faults faults;
  asio::io_context io;
  tcp::acceptor acceptor;
  std::atomic<bool> stopping = false;
  std::atomic<std::size_t> requests = 0;
  std::mutex mutex;
  std::list<tcp::socket> sockets;    // guarded by mutex
  std::vector<std::thread> threads;  // guarded by mutex
  std::thread acceptor_thread;
};

void Server::State::accept() {
  for (;;) {
    beast::error_code failed;
    tcp::socket socket(io);
    acceptor.accept(socket, failed);
    if (stopping || failed) return;
    const std::lock_guard lock(mutex);
    sockets.push_back(std::move(socket));
    threads.emplace_back([this, &own = sockets.back()] { serve(own); });
  }
}

std::optional<ApiAnswer> Server::State::answer(const ApiRequest& request, Fault fault) {
  switch (fault) {
    case Fault::lost_before:
      return std::nullopt;
    case Fault::limited_429:
      return told(429, "Too many requests", "0");
    case Fault::patient_429:
      return told(429, "Too many requests", "600");
    case Fault::busy_409:
      return told(409, "There is currently another in-progress request using this key");
    case Fault::error_500:
      return books.execute(request, Books::Execution::fails);
    default:
      break;
  }
  ApiAnswer done = books.execute(request, Books::Execution::works);
  if (fault == Fault::lost_after || fault == Fault::silent) return std::nullopt;
  if (fault == Fault::half) done.body.resize(done.body.size() / 2);
  if (fault == Fault::gateway_502)
    return ApiAnswer{.status = 502, .body = "<html>Bad Gateway</html>"};
  return done;
}

void Server::State::serve(tcp::socket& socket) {
  beast::error_code failed;
  beast::flat_buffer buffer;
  for (;;) {
    Request request;
    http::read(socket, buffer, request, failed);
    if (failed) break;
    ++requests;
    const ApiRequest asked = request_of(request);
    const Fault fault = faults ? faults(asked) : Fault::none;
    const std::optional<ApiAnswer> done = answer(asked, fault);
    if (!done) {
      if (fault == Fault::silent) http::read(socket, buffer, request, failed);  // until it leaves
      break;
    }
    Response response{static_cast<http::status>(done->status), request.version()};
    response.set(http::field::content_type, "application/json");
    for (const auto& [name, value] : done->headers) response.set(name, value);
    response.keep_alive(request.keep_alive());
    response.body() = done->body;
    response.prepare_payload();
    http::write(socket, response, failed);
    if (failed || !response.keep_alive()) break;
  }
  socket.shutdown(tcp::socket::shutdown_both, failed);
  const std::lock_guard lock(mutex);
  socket.close(failed);
}

void Server::State::stop() {
  stopping = true;
  beast::error_code ignored;
  tcp::socket wake(io);
  wake.connect(acceptor.local_endpoint(), ignored);
  acceptor_thread.join();
  {
    const std::lock_guard lock(mutex);
    for (tcp::socket& socket : sockets) {
      if (socket.is_open()) socket.shutdown(tcp::socket::shutdown_both, ignored);
    }
  }
  for (std::thread& thread : threads) thread.join();
}

Server::Server(Books& books, Faults faults)
    : state_(std::make_unique<State>(books, std::move(faults))) {
  state_->acceptor_thread = std::thread([state = state_.get()] { state->accept(); });
}

Server::~Server() { state_->stop(); }

std::string Server::base() const {
  return "http://127.0.0.1:" + std::to_string(state_->acceptor.local_endpoint().port());
}

std::size_t Server::requests() const { return state_->requests; }

}  // namespace aimeter::testing
