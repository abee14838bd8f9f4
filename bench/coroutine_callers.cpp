// Callers as coroutines on event loops: nobody sleeps in a call, the group commit wakes them in
// bulk.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "aimeter/asio.h"
#include "bench/callers.h"
#include "bench/scenario.h"

namespace aimeter::bench {
namespace {

namespace asio = boost::asio;

constexpr int kLoops = 2;

struct Loop {
  asio::io_context io{1};
  Latencies latencies = {};
};

asio::awaitable<std::string> answer() { co_return answer_of_1k(); }

asio::awaitable<void> call_until_stopped(Load& load, Latencies& latencies, int caller) {
  CallOrder order(load, caller);
  while (!load.stop.load(std::memory_order_relaxed)) {
    const Stopwatch watch;
    Meter meter = order.next();
    const Result<Reply<std::string>> reply = co_await std::move(meter).call(answer);
    if (Status done = check(reply); !done) {
      load.note(std::move(done).error());
      break;
    }
    latencies.note(watch.seconds());
  }
}

}  // namespace

void call_from_coroutines(Load& load) {
  std::vector<std::unique_ptr<Loop>> loops;
  for (int i = 0; i < kLoops; ++i) loops.push_back(std::make_unique<Loop>());
  for (int i = 0; i < load.callers; ++i) {
    Loop& loop = *loops[static_cast<std::size_t>(i % kLoops)];
    asio::co_spawn(loop.io, call_until_stopped(load, loop.latencies, i), asio::detached);
  }
  {
    std::vector<std::jthread> threads;
    for (const auto& loop : loops) threads.emplace_back([&loop] { loop->io.run(); });
  }
  for (const auto& loop : loops) load.add(loop->latencies);
}

}  // namespace aimeter::bench
