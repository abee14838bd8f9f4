#include "aimeter/events.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"

namespace aimeter {
namespace {

struct Rang {
  int bell = 0;
};
struct Opened {
  std::string door = {};
};

class LoggedLines {
 public:
  LoggedLines() {
    base::set_log_sink([this](base::LogLevel, std::string_view text) { lines.emplace_back(text); });
  }
  ~LoggedLines() { base::set_log_sink(nullptr); }
  std::vector<std::string> lines;
};

TEST(Events, handlers_hear_their_type_in_the_order_of_their_adding) {
  Events events;
  std::vector<std::string> heard;
  const Listener a =
      events.on<Rang>([&](const Rang& e) { heard.push_back("a" + std::to_string(e.bell)); });
  const Listener b =
      events.on<Rang>([&](const Rang& e) { heard.push_back("b" + std::to_string(e.bell)); });
  const Listener c = events.on<Opened>([&](const Opened& e) { heard.push_back(e.door); });
  events.publish(Rang{1});
  events.publish(Opened{"front"});
  events.publish(Rang{2});
  EXPECT_EQ(heard, (std::vector<std::string>{"a1", "b1", "front", "a2", "b2"}));
}

TEST(Events, a_listener_ends_with_its_scope_and_keep_is_for_good) {
  Events events;
  int scoped = 0, kept = 0;
  {
    const Listener listener = events.on<Rang>([&](const Rang&) { ++scoped; });
    events.on<Rang>([&](const Rang&) { ++kept; }).keep();
    events.publish(Rang{});
  }
  events.publish(Rang{});
  EXPECT_EQ(scoped, 1);
  EXPECT_EQ(kept, 2);
}

TEST(Events, assigning_a_listener_ends_the_old_one) {
  Events events;
  int first = 0, second = 0;
  Listener listener = events.on<Rang>([&](const Rang&) { ++first; });
  listener = events.on<Rang>([&](const Rang&) { ++second; });
  events.publish(Rang{});
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
}

TEST(Events, wanted_is_true_only_while_somebody_listens) {
  Events events;
  EXPECT_FALSE(events.wanted<Rang>());
  {
    const Listener listener = events.on<Rang>([](const Rang&) {});
    EXPECT_TRUE(events.wanted<Rang>());
    EXPECT_FALSE(events.wanted<Opened>());
  }
  EXPECT_FALSE(events.wanted<Rang>());
}

// The reference lost the answer when a listener threw.
TEST(Events, what_a_handler_throws_is_logged_and_stops_nobody) {
  LoggedLines log;
  Events events;
  int after = 0;
  const Listener a = events.on<Rang>([](const Rang&) { throw std::logic_error("out of order"); });
  const Listener b = events.on<Rang>([](const Rang&) { throw 42; });
  const Listener c = events.on<Rang>([&](const Rang&) { ++after; });
  EXPECT_NO_THROW(events.publish(Rang{}));
  EXPECT_EQ(after, 1);
  ASSERT_EQ(log.lines.size(), 2u);
  EXPECT_NE(log.lines[0].find("out of order"), std::string::npos);
  EXPECT_NE(log.lines[0].find("Rang"), std::string::npos);
  EXPECT_NE(log.lines[1].find("no std::exception"), std::string::npos);
}

TEST(Events, a_handler_may_remove_itself_and_others_while_it_runs) {
  Events events;
  int runs = 0, others = 0;
  std::optional<Listener> self, other;
  self = events.on<Rang>([&](const Rang&) {
    ++runs;
    self.reset();
    other.reset();
  });
  other = events.on<Rang>([&](const Rang&) { ++others; });
  events.publish(Rang{});
  events.publish(Rang{});
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(others, 0) << "removed before its turn: no new run begins";
  EXPECT_FALSE(events.wanted<Rang>());
}

TEST(Events, a_handler_may_add_one_that_hears_the_next_event) {
  Events events;
  int late = 0;
  std::vector<Listener> added;
  const Listener adder = events.on<Rang>([&](const Rang&) {
    if (added.empty()) added.push_back(events.on<Rang>([&](const Rang&) { ++late; }));
  });
  events.publish(Rang{});
  EXPECT_EQ(late, 0);
  events.publish(Rang{});
  EXPECT_EQ(late, 1);
}

TEST(Events, a_handler_may_publish) {
  Events events;
  std::vector<int> heard;
  const Listener listener = events.on<Rang>([&](const Rang& e) {
    heard.push_back(e.bell);
    if (e.bell < 3) events.publish(Rang{e.bell + 1});
  });
  events.publish(Rang{1});
  EXPECT_EQ(heard, (std::vector<int>{1, 2, 3}));
}

TEST(Events, a_listener_may_outlive_the_bus) {
  auto events = std::make_unique<Events>();
  const Listener listener = events->on<Rang>([](const Rang&) {});
  events.reset();  // ~Listener runs later and touches nothing
  EXPECT_EQ(events, nullptr);
}

TEST(Events, threads_add_publish_and_remove_at_once) {
  constexpr int kThreads = 8, kRounds = 300;
  Events events;
  std::atomic<int> always = 0, sometimes = 0;
  const Listener steady = events.on<Rang>([&](const Rang&) { ++always; });
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kRounds; ++i) {
          const Listener listener = events.on<Rang>([&](const Rang&) { ++sometimes; });
          events.publish(Rang{i});
        }
      });
    }
  }
  EXPECT_EQ(always, kThreads * kRounds);
  EXPECT_GE(sometimes, kThreads * kRounds) << "each thread hears at least its own";
  EXPECT_TRUE(events.wanted<Rang>());
}

}  // namespace
}  // namespace aimeter
