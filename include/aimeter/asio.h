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
#include <atomic>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/message.hpp>
#include <exception>
#include <functional>
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

// What the engine answers to a coroutine: filled on any thread. Kept by the engine's callback, so
// that a callback which is dropped lets the coroutine go; the coroutine only looks at it.
template <class T>
struct Answer {
  enum State : int { kOpen, kAwaited, kThere };
  std::optional<T> value = {};
  std::atomic<int> state{kOpen};
  std::move_only_function<void()> resume = {};  // set before kAwaited
};

enum class GoOn { at_once, posted };

// Resumes the coroutine on its own executor, whatever thread the engine answers on. `at_once`: not
// even suspended when the engine answers before `start` returns; a loop of calls must post once a
// round, or nothing else runs on its executor. Closures have names here because of g++ 12, as
// above.
template <class T, GoOn kGoOn, class Start>
boost::asio::awaitable<T> awaited(Start start) {
  auto answer = std::make_shared<Answer<T>>();
  start([answer](T result) {
    answer->value.emplace(std::move(result));
    if (answer->state.exchange(Answer<T>::kThere) == Answer<T>::kAwaited) answer->resume();
  });
  const bool there = answer->state.load() == Answer<T>::kThere;
  if (there && kGoOn == GoOn::at_once) co_return std::move(*answer->value);
  const std::weak_ptr<Answer<T>> seen = answer;
  auto initiate = [&answer, there](auto handler) {
    auto resume = std::make_shared<decltype(handler)>(std::move(handler));
    auto executor = boost::asio::get_associated_executor(*resume);
    auto work = boost::asio::prefer(executor, boost::asio::execution::outstanding_work.tracked);
    if (there) return boost::asio::post(work, [resume] { std::move (*resume)(); });
    const auto pending = std::exchange(answer, nullptr);  // or the two would keep each other
    pending->resume = [seen = std::weak_ptr<Answer<T>>(pending), resume, work, executor]() mutable {
      // What is resumed reads the answer. The loop may end with it, but not before the post has:
      // the guard goes last, and nothing of the loop stays here.
      const auto posting = std::move(work);
      boost::asio::post(
          executor, [kept = seen.lock(), resume = std::move(resume)] { std::move (*resume)(); });
    };
    int open = Answer<T>::kOpen;
    if (!pending->state.compare_exchange_strong(open, Answer<T>::kAwaited)) pending->resume();
  };
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
      initiate, boost::asio::use_awaitable);
  co_return std::move(*seen.lock()->value);
}

}  // namespace detail

template <bool Manual>
boost::asio::awaitable<Result<Hold>> async_hold(BasicMeter<Manual> meter) {
  return detail::awaited<Result<Hold>, detail::GoOn::at_once>(
      [kept = std::move(meter)](HoldDone done) mutable { std::move(kept).hold(std::move(done)); });
}

// `hold` lives in the caller's frame until the settlement is done.
inline boost::asio::awaitable<Result<Settled>> async_settle(Hold& hold, Answered answered) {
  return detail::awaited<Result<Settled>, detail::GoOn::posted>(
      [&hold, kept = std::move(answered)](SettleDone done) mutable {
        hold.settle_answer(std::move(kept), std::move(done));
      });
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

  // Plain functions up to the settlement, which alone needs a frame.
  static boost::asio::awaitable<Result<Reply<Response>>> answered(Hold hold, Kept answer) {
    if constexpr (std::is_void_v<T>) {
      return settled(std::move(hold), Answered(), answer);
    } else if constexpr (Wrapped::is_expected) {
      if (answer) return metered(std::move(hold), *std::move(answer));
      Error error = detail::provider_error(answer.error());
      hold.release(error.message);
      return refused(std::move(error));
    } else {
      return metered(std::move(hold), std::move(answer));
    }
  }

  template <class A>
  static boost::asio::awaitable<Result<Reply<Response>>> metered(Hold hold, A answer) {
    Result<Answered> read = detail::read_answer(hold, answer);
    if (read) return settled(std::move(hold), *std::move(read), std::move(answer));
    hold.release(read.error().message);
    return refused(std::move(read).error());
  }

  static boost::asio::awaitable<Result<Reply<Response>>> refused(Error error) {
    co_return std::unexpected(std::move(error));
  }

  template <class A>
  static boost::asio::awaitable<Result<Reply<Response>>> settled(Hold hold, Answered read,
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
