#include "bench/callers.h"

#include <fmt/format.h>

#include <thread>
#include <vector>

#include "bench/scenario.h"

namespace aimeter::bench {
namespace {

void call_until_stopped(Load& load, int caller) {
  CallOrder order(load, caller);
  Latencies latencies;
  while (!load.stop.load(std::memory_order_relaxed)) {
    const Stopwatch watch;
    if (Status done = check(order.next().call([] { return answer_of_1k(); })); !done) {
      load.note(std::move(done).error());
      break;
    }
    latencies.note(watch.seconds());
  }
  load.add(latencies);
}

}  // namespace

const std::string& account_name(std::size_t number) {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (int i = 0; i < kAccounts; ++i) names.push_back(fmt::format("t{:03}", i));
    return names;
  }();
  return kNames[number % kAccounts];
}

Meter CallOrder::next() {
  Meter meter = load_.engine.meter()
                    .for_tenant(account_name(random_()))
                    .using_provider("openai", "gpt-4o-mini")
                    .feature("chat");
  if (load_.keys == Keys::none) return meter;
  return std::move(meter).with_idempotency_key(
      fmt::format("bench-{}-{}-{}", load_.number, caller_, made_++));
}

Status check(const Result<Reply<std::string>>& reply) {
  if (!reply) return std::unexpected(reply.error());
  if (reply->unrecorded()) return std::unexpected(*reply->unrecorded());
  if (reply->duplicate()) return fail(Code::conflict, "a fresh key is called a duplicate");
  return {};
}

void call_from_threads(Load& load) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < load.callers; ++i) {
    threads.emplace_back([&load, i] { call_until_stopped(load, i); });
  }
}

}  // namespace aimeter::bench
