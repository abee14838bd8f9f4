// call() with a coroutine: the same rules as with a function, nothing blocks the event loop.
#include "aimeter/asio.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <expected>
#include <memory>
#include <stdexcept>
#include <thread>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"

namespace asio = boost::asio;

namespace aimeter {
namespace {

using testing::TestEngine;

// Runs one coroutine to its end; what it throws comes out.
void run(const std::function<asio::awaitable<void>()>& work) {
  asio::io_context io;
  std::exception_ptr thrown;
  asio::co_spawn(io, work, [&thrown](const std::exception_ptr& error) { thrown = error; });
  io.run();
  if (thrown) std::rethrow_exception(thrown);
}

Meter metered(TestEngine& engine) {
  return engine->meter().for_tenant("acme").using_provider("openai", "gpt-4o-mini");
}
asio::awaitable<std::string> text() { co_return testing::openai_answer(10, 20); }
asio::awaitable<HttpAnswer> failing() { co_return HttpAnswer{500, "oops"}; }
asio::awaitable<std::expected<std::string, int>> as_value() { co_return std::unexpected(7); }
asio::awaitable<std::string> throwing() {
  throw std::runtime_error("timeout");
  co_return "";
}
asio::awaitable<void> nothing() { co_return; }

TEST(Coroutine, an_awaited_answer_is_metered_like_any_other) {
  TestEngine engine;
  run([&]() -> asio::awaitable<void> {
    const auto reply = co_await metered(engine).call(text);
    EXPECT_TRUE(reply);
    EXPECT_EQ(reply->usage().total_tokens.count, 30);
    EXPECT_EQ(reply->cost().text(), "0.0000135");
    // A braced value is not written inside a co_await expression: see aimeter/asio.h.
    auto by_hand = metered(engine).with_manual_usage({.total_tokens = {7}});
    const auto manual = co_await std::move(by_hand).call(nothing);
    EXPECT_TRUE(manual);
    EXPECT_EQ(manual->usage().total_tokens.count, 7);
  });
  EXPECT_EQ(engine.log().count("UsageRecorded"), 2U);
}

TEST(Coroutine, failures_release_the_hold_and_come_out_as_they_came) {
  TestEngine engine;
  engine.plan("small", Tokens{5'000});
  engine.subscribe("acme", {"tenant", "acme"}, "small");
  run([&]() -> asio::awaitable<void> {
    const auto http = co_await metered(engine).call(failing);
    EXPECT_FALSE(http);
    EXPECT_EQ(http.error().code, Code::provider_failed);
    const auto value = co_await metered(engine).call(as_value);
    EXPECT_FALSE(value);
  });
  EXPECT_THROW(
      run([&]() -> asio::awaitable<void> { (void)co_await metered(engine).call(throwing); }),
      std::runtime_error);
  EXPECT_EQ(engine.log().count("ProviderCallFailed"), 3U);
  EXPECT_EQ(engine->tenant("acme").check_limit(Billable{"tenant", "acme"})->held->count, 0);
}

TEST(Coroutine, a_refusal_comes_before_the_callback) {
  TestEngine engine;
  engine.plan("small", Tokens{10});
  engine.subscribe("acme", {"tenant", "acme"}, "small");
  bool ran = false;
  run([&]() -> asio::awaitable<void> {
    auto meter = metered(engine).expecting({.tokens = Tokens{11}});
    const auto reply = co_await std::move(meter).call([&]() -> asio::awaitable<std::string> {
      ran = true;
      co_return "";
    });
    EXPECT_FALSE(reply);
    EXPECT_EQ(reply.error().code, Code::quota_exceeded);
  });
  EXPECT_FALSE(ran);
}

TEST(Coroutine, one_that_is_destroyed_gives_its_hold_back) {
  TestEngine engine;
  engine.plan("small", Tokens{100});
  engine.subscribe("acme", {"tenant", "acme"}, "small");
  const Billable acme{"tenant", "acme"};
  bool reached = false;
  {
    asio::io_context io;
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
          auto meter = metered(engine).expecting({.tokens = Tokens{40}});
          (void)co_await std::move(meter).call([&]() -> asio::awaitable<std::string> {
            reached = true;
            co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
                [](auto) {}, asio::use_awaitable);  // never answers
            co_return "";
          });
        },
        asio::detached);
    io.run();
  }
  EXPECT_TRUE(reached);
  EXPECT_EQ(engine->tenant("acme").check_limit(acme)->held->count, 0);
  EXPECT_EQ(engine->tenant("acme").check_limit(acme)->used->count, 0);
}

// ---- how a coroutine waits for what the engine answers

using Done = std::move_only_function<void(int)>;

TEST(Waiting, an_answer_of_another_thread_is_never_lost_however_soon_it_comes) {
  std::atomic<Done*> asked = nullptr;
  const std::jthread engine([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (const std::unique_ptr<Done> done{asked.exchange(nullptr)}) (*done)(1);
    }
  });
  constexpr int kTimes = 20'000;
  int answered = 0;
  run([&]() -> asio::awaitable<void> {
    for (int i = 0; i < kTimes; ++i) {
      auto ask = [&](Done done) { asked = std::make_unique<Done>(std::move(done)).release(); };
      answered += co_await detail::awaited<int, detail::GoOn::at_once>(ask);
    }
  });
  EXPECT_EQ(answered, kTimes);
}

TEST(Waiting, only_a_posted_one_lets_others_run_when_the_answer_is_there_at_once) {
  bool others_ran = false;
  asio::io_context io;
  const auto wait = [&]() -> asio::awaitable<void> {
    const auto at_once = [](Done done) { done(3); };
    asio::post(io, [&] { others_ran = true; });
    const int first = co_await detail::awaited<int, detail::GoOn::at_once>(at_once);
    EXPECT_EQ(first, 3);
    EXPECT_FALSE(others_ran);
    const int second = co_await detail::awaited<int, detail::GoOn::posted>(at_once);
    EXPECT_EQ(second, 3);
    EXPECT_TRUE(others_ran);
  };
  asio::co_spawn(io, wait, asio::detached);
  io.run();
  EXPECT_TRUE(others_ran);
}

TEST(Waiting, who_is_never_answered_ends_with_the_callback) {
  const auto alive = std::make_shared<int>(0);
  asio::io_context io;
  Done kept;
  const auto wait = [&]() -> asio::awaitable<void> {
    const auto held = alive;
    const auto keep = [&](Done done) { kept = std::move(done); };
    co_await detail::awaited<int, detail::GoOn::at_once>(keep);
    ADD_FAILURE() << "nobody answered";
  };
  asio::co_spawn(io, wait, asio::detached);
  io.poll();
  EXPECT_EQ(alive.use_count(), 2) << "it waits";
  kept = {};
  io.run();  // Asio unwinds it on its executor; nothing else keeps the loop
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(Coroutine, many_on_one_thread_share_a_key_and_bill_once) {
  TestEngine engine;
  asio::io_context io;
  int billed = 0, repeated = 0;
  for (int i = 0; i < 16; ++i) {
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
          const auto reply = co_await metered(engine).with_idempotency_key("k").call(text);
          if (reply) ++(reply->duplicate() ? repeated : billed);
        },
        asio::detached);
  }
  io.run();
  EXPECT_EQ(billed, 1);
  EXPECT_EQ(repeated, 15);
}

}  // namespace
}  // namespace aimeter
