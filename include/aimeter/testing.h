// Package:       app
// Units:         as engine.h.
// Errors:        makers end the process on bad arguments: they are for tests.
// Thread safety: an EventLog may be read while calls run; the rest belongs to the test.
// Ownership:     TestEngine owns its clock, engine and log.
//
// For tests of hosts: an engine on memory with a manual clock, a log of its events, makers for
// plans and subscriptions, and a check that two tenants see nothing of each other.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/engine.h"

namespace aimeter::testing {

// A wall clock that moves only when told.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Instant at);
  ~ManualClock() override;
  [[nodiscard]] Instant now() const override;
  [[nodiscard]] Duration boot() const override;
  void advance(Duration by);
  void set(Instant at);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Names and tenants of the events of an engine, in the order in which they were published.
class EventLog {
 public:
  explicit EventLog(Events& events);
  struct Entry {
    std::string event = {}, tenant = {}, detail = {};  // detail: model, budget or reason
  };
  [[nodiscard]] std::vector<Entry> entries() const;
  [[nodiscard]] std::size_t count(std::string_view event) const;
  void clear();

 private:
  void add(Entry entry);
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  std::vector<Listener> listeners_;
};

class TestEngine {
 public:
  // 2026-03-15T00:00:00Z unless said otherwise; `options.clock` is replaced by the manual clock.
  static Instant default_start();
  explicit TestEngine(OpenOptions options = {}, Instant start = default_start());
  TestEngine(const TestEngine&) = delete;
  TestEngine& operator=(const TestEngine&) = delete;

  [[nodiscard]] Engine& engine() { return *engine_; }
  [[nodiscard]] Engine* operator->() { return engine_.get(); }
  [[nodiscard]] ManualClock& clock() { return clock_; }
  [[nodiscard]] EventLog& log() { return *log_; }

  // A plan of the operator's catalogue.
  Plan plan(std::string_view slug, std::optional<Tokens> tokens, std::optional<Money> cost = {});
  Subscription subscribe(std::string_view tenant, Billable who, std::string_view plan_slug);

 private:
  ManualClock clock_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<EventLog> log_;
};

// The JSON text of a chat completion with this usage, as OpenAI answers it.
[[nodiscard]] std::string openai_answer(std::int64_t input, std::int64_t output,
                                        std::string_view model = "gpt-4o-mini");

// What of `theirs` is visible from `mine`: row ids, budgets, plans. Empty = isolated.
[[nodiscard]] std::vector<std::string> leaks_between(const Engine& engine, std::string_view mine,
                                                     std::string_view theirs);

}  // namespace aimeter::testing
