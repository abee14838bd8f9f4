// Package:       meter
// Units:         none
// Errors:        as meter.h; what the callback throws is rethrown.
// Thread safety: a coroutine's own.
// Ownership:     the callback is copied into the coroutine's frame; destroying the frame releases
//                its hold.
//
// The only header that needs Boost.Asio and Beast: call() with a coroutine, hold() without
// blocking, and context_of() for Beast's requests. The first load of an account, a key look-up, a
// lease and the group commit are awaited, never waited for on the event loop.
// g++ 12 destroys a braced value twice that is written inside a co_await expression: a setter that
// takes one (billable({..}), expecting({..})) goes into a statement of its own:
//   auto meter = engine.meter().billable({"team", "9"});
//   auto reply = co_await std::move(meter).call(f);
#pragma once

#include <algorithm>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/message.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "aimeter/meter.h"

namespace aimeter {

namespace detail {

// The value of `name` in "a=1&b=2", percent-decoded ('+' is a space).
inline std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  const auto hex = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 87 : -1;
  };
  const auto decoded = [&](std::string_view raw) {
    std::string text;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      const int high = raw[i] == '%' && i + 2 < raw.size() ? hex(raw[i + 1]) : -1;
      const int low = high >= 0 ? hex(raw[i + 2]) : -1;
      if (low >= 0) i += 2;
      text += low >= 0 ? static_cast<char>(high * 16 + low) : raw[i] == '+' ? ' ' : raw[i];
    }
    return text;
  };
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const std::size_t equals = pair.find('=');
    if (decoded(pair.substr(0, equals)) != name) continue;
    return equals == pair.npos ? std::string() : decoded(pair.substr(equals + 1));
  }
  return std::nullopt;
}

// The value of `name` in a Cookie header (RFC 6265 section 4.2.1).
inline std::optional<std::string> cookie_value(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    std::string_view pair = cookies.substr(0, cookies.find(';'));
    cookies.remove_prefix(std::min(pair.size() + 1, cookies.size()));
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    const std::size_t equals = pair.find('=');
    if (equals != pair.npos && pair.substr(0, equals) == name)
      return std::string(pair.substr(equals + 1));
  }
  return std::nullopt;
}

// Resumes the coroutine on its own executor, whatever thread the engine answers on.
// Closures have names here because of g++ 12, as above.
template <class T, class Start>
boost::asio::awaitable<T> awaited(Start start) {
  auto value = std::make_shared<std::optional<T>>();
  auto begin = std::make_shared<Start>(std::move(start));
  auto initiate = [value, begin](auto handler) {
    auto resume = std::make_shared<decltype(handler)>(std::move(handler));
    auto executor = boost::asio::get_associated_executor(*resume);
    auto work = boost::asio::prefer(executor, boost::asio::execution::outstanding_work.tracked);
    (*begin)([value, resume, work](T result) mutable {
      value->emplace(std::move(result));
      boost::asio::post(work, [resume]() mutable { std::move (*resume)(); });
    });
  };
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
      initiate, boost::asio::use_awaitable);
  co_return std::move(**value);
}

}  // namespace detail

template <bool Manual>
boost::asio::awaitable<Result<Hold>> async_hold(BasicMeter<Manual> meter) {
  auto start = [kept = std::make_shared<BasicMeter<Manual>>(std::move(meter))](HoldDone done) {
    std::move(*kept).hold(std::move(done));
  };
  co_return co_await detail::awaited<Result<Hold>>(start);
}

// `hold` lives in the caller's frame until the settlement is done.
inline boost::asio::awaitable<Result<Settled>> async_settle(Hold& hold, Answered answered) {
  auto start = [&hold, kept = std::make_shared<Answered>(std::move(answered))](SettleDone done) {
    hold.settle_answer(std::move(*kept), std::move(done));
  };
  co_return co_await detail::awaited<Result<Settled>>(start);
}

template <class T>
struct CallForm<boost::asio::awaitable<T>> {
  static constexpr bool kSelfMetered = true;  // run() checks
  using Wrapped = detail::Unwrap<T>;
  using Response = typename Wrapped::type;
  using Kept = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

  template <class M, class F>
  static boost::asio::awaitable<Result<Reply<Response>>> run(M meter, F callback) {
    static_assert(M::kManual || Metered<Response>,
                  "aimeter: the awaited result has no usage_of(const T&, const CallInfo&); "
                  "write one beside the type, or say with_manual_usage(...)");
    Result<Hold> hold = co_await async_hold(std::move(meter));
    if (!hold) co_return std::unexpected(std::move(hold).error());
    std::optional<Kept> answer;
    std::exception_ptr thrown;
    std::string reason = "unknown exception";
    try {  // only the callback
      if constexpr (std::is_void_v<T>) {
        co_await callback();
        answer.emplace();
      } else {
        answer.emplace(co_await callback());
      }
    } catch (const std::exception& error) {
      thrown = std::current_exception();
      reason = error.what();
    } catch (...) {
      thrown = std::current_exception();
    }
    if (thrown) {
      hold->release(reason, thrown);
      std::rethrow_exception(thrown);  // as it came
    }
    co_return co_await answered(*std::move(hold), *std::move(answer));
  }

  static boost::asio::awaitable<Result<Reply<Response>>> answered(Hold hold, Kept answer) {
    if constexpr (std::is_void_v<T>) {
      Answered nothing;
      co_return co_await settled(hold, std::move(nothing), answer);
    } else if constexpr (Wrapped::is_expected) {
      if (!answer) {
        Error error = detail::provider_error(answer.error());
        hold.release(error.message);
        co_return std::unexpected(std::move(error));
      }
      co_return co_await metered(hold, *std::move(answer));
    } else {
      co_return co_await metered(hold, std::move(answer));
    }
  }

  template <class A>
  static boost::asio::awaitable<Result<Reply<Response>>> metered(Hold& hold, A answer) {
    Result<Answered> read = detail::read_answer(hold, answer);
    if (!read) {
      hold.release(read.error().message);
      co_return std::unexpected(std::move(read).error());
    }
    co_return co_await settled(hold, *std::move(read), std::move(answer));
  }

  template <class A>
  static boost::asio::awaitable<Result<Reply<Response>>> settled(Hold& hold, Answered read,
                                                                 A answer) {
    Result<Settled> result = co_await async_settle(hold, std::move(read));
    if (!result) co_return std::unexpected(std::move(result).error());
    if constexpr (std::is_void_v<Response>) {
      co_return Reply<void>(*std::move(result));
    } else {
      co_return Reply<Response>(std::move(answer), *std::move(result));
    }
  }
};

}  // namespace aimeter

namespace boost::beast::http {

// What a resolver may read of a Beast request; it must outlive the call.
template <class Body, class Fields>
aimeter::Context context_of(const request<Body, Fields>& message) {
  aimeter::Context context;
  context.method = std::string(message.method_string());
  context.host = std::string(message[field::host]);
  const std::string target(message.target());
  const std::size_t mark = target.find('?');
  context.path = target.substr(0, mark);
  context.header = [&message](std::string_view name) -> std::optional<std::string> {
    const auto found = message.find(boost::beast::string_view(name.data(), name.size()));
    if (found == message.end()) return std::nullopt;
    return std::string(found->value());
  };
  context.query = [text = mark == std::string::npos ? std::string() : target.substr(mark + 1)](
                      std::string_view name) { return aimeter::detail::query_value(text, name); };
  context.cookie = [&message](std::string_view name) {
    return aimeter::detail::cookie_value(
        std::string_view(message[field::cookie].data(), message[field::cookie].size()), name);
  };
  const auto accept = message[field::accept];
  context.expects_json =
      accept.empty() || accept.find("json") != accept.npos || accept.find("*/*") != accept.npos;
  context.carry(message);
  return context;
}

}  // namespace boost::beast::http
