// What goes wrong around a call: a journal that fails, a fork, many threads at once.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"
#include "base/memory_files.h"
#include "store/store.h"

namespace aimeter {
namespace {

using testing::openai_answer;
using testing::TestEngine;

class Journaled : public ::testing::Test {
 protected:
  void SetUp() override {
    OpenOptions options{.clock = &clock_};
    options.journal.folder = "/journal";
    options.journal.segment_bytes = 1U << 20U;
    options.ports.files = &files_;
    options.ports.store = store_.get();
    auto opened = open("test:", std::move(options));
    ASSERT_TRUE(opened) << opened.error().message;
    engine_ = *std::move(opened);
  }
  auto call() {
    return engine_->meter().for_tenant("acme").with_idempotency_key("k").call([&] {
      ++asked_;
      return openai_answer(10, 20);
    });
  }

  testing::ManualClock clock_{TestEngine::default_start()};
  base::MemoryFiles files_;
  std::unique_ptr<store::Store> store_ = store::make_memory_store(clock_);
  std::optional<Engine> engine_;
  int asked_ = 0;
};

TEST_F(Journaled, an_answer_that_could_not_be_written_is_still_the_callers) {
  files_.fail_syncs_after(0);
  const auto reply = call();
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_NE(reply->response().find("Hi"), std::string::npos);
  EXPECT_EQ(reply->usage().total_tokens.count, 30);
  ASSERT_TRUE(reply->unrecorded());
  EXPECT_TRUE(reply->unrecorded()->code == Code::unavailable ||
              reply->unrecorded()->code == Code::in_doubt);
  EXPECT_TRUE(engine_->health().journal);
  const auto next = call();
  ASSERT_FALSE(next) << "nothing is granted after it";
  EXPECT_EQ(next.error().code, Code::unavailable);
  EXPECT_EQ(asked_, 1);
}

TEST_F(Journaled, what_was_acknowledged_is_written_and_synced) {
  const std::uint64_t before = files_.syncs();
  const auto reply = call();
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_FALSE(reply->unrecorded());
  EXPECT_GT(files_.syncs(), before);
  EXPECT_EQ(engine_->tenant("acme").usage(reply->record().id)->usage.total_tokens.count, 30);
}

TEST(Fork, a_child_refuses_to_use_its_parents_engine) {
  TestEngine engine;
  auto hold = engine->meter().for_tenant("acme").hold();
  ASSERT_TRUE(hold);
  const pid_t child = fork();
  if (child == 0) {
    const auto refused = engine->meter().for_tenant("acme").hold();
    const auto settled = hold->settle(Usage{.input_tokens = {1}});
    const bool good = !refused && refused.error().code == Code::failed_precondition && !settled &&
                      settled.error().code == Code::failed_precondition;
    _exit(good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_TRUE(hold->settle(Usage{.input_tokens = {1}})) << "the parent goes on";
}

constexpr int kThreads = 8;

void on_threads(const std::function<void()>& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
}

TEST(Threads, concurrent_calls_never_overspend) {
  TestEngine engine;
  engine.plan("small", Tokens{500});
  engine.subscribe("acme", {"tenant", "acme"}, "small");
  std::atomic<int> allowed{0}, refused{0};
  on_threads([&] {
    for (int i = 0; i < 100; ++i) {
      const auto reply = engine->meter()
                             .for_tenant("acme")
                             .using_provider("openai", "gpt-4o-mini")
                             .with_manual_usage({.total_tokens = {1}})
                             .call([] {});
      ++(reply ? allowed : refused);
      EXPECT_TRUE(reply || reply.error().code == Code::quota_exceeded);
    }
  });
  EXPECT_EQ(allowed, 500);
  EXPECT_EQ(refused, kThreads * 100 - 500);
  EXPECT_EQ(engine->tenant("acme").usages().sum()->total_tokens.count, 500);
  EXPECT_EQ(engine.log().count("LimitReached"), 1U);
}

TEST(Threads, a_key_in_flight_makes_the_others_wait_and_bills_once) {
  TestEngine engine;
  std::atomic<int> billed{0}, repeated{0};
  on_threads([&] {
    const auto reply = engine->meter().for_tenant("acme").with_idempotency_key("k").call(
        [] { return openai_answer(10, 20); });
    ASSERT_TRUE(reply) << reply.error().message;
    ++(reply->duplicate() ? repeated : billed);
  });
  EXPECT_EQ(billed, 1);
  EXPECT_EQ(repeated, kThreads - 1);
  EXPECT_EQ(engine->tenant("acme").usages().sum()->total_tokens.count, 30);
}

}  // namespace
}  // namespace aimeter
