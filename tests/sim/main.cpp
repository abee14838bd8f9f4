// aimeter-sim: runs histories until the steps or the time are used up; shrinks and tells a failure.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "aimeter/time.h"
#include "tests/sim/run.h"

namespace aimeter::sim {
namespace {

struct Asked {
  std::uint64_t seed = 1;
  StoreKind store = StoreKind::memory;
  std::size_t steps = 0, seconds = 0, only = 0;
  std::size_t history_steps = kHistorySteps;
  std::optional<Wallets> wallets = {};
  bool trace = false;
};

RunOptions options_for(const Asked& asked, std::size_t history) {
  RunOptions options = options_of(seed_of(asked.seed, history), asked.store);
  options.wallets = asked.wallets.value_or(options.wallets);
  return options;
}

int tell_failure(const Asked& asked, std::size_t index, const History& history) {
  RunOptions options = options_for(asked, index);
  options.verify_every = 1;
  std::cout << fmt::format("FAILED: aimeter-sim --seed {} --history {} (wallets: {})\n", asked.seed,
                           index, name_of(options.wallets))
            << std::flush;
  const Ran ran = shrink_failure(history, options);
  std::cout << ran.text << ran.failure.value_or("it does not fail alone") << "\n";
  return 1;
}

// One child runs one history after the other and says which is next; it dies with a failure.
int run_histories(const Asked& asked, int told) {
  const Duration began = system_clock().boot();
  const std::size_t histories = (asked.steps + asked.history_steps - 1) / asked.history_steps;
  std::uint64_t hash = 0;
  std::size_t done = 0, rows = 0;
  for (;; ++done) {
    const Duration took = system_clock().boot() - began;
    if (histories != 0 && done >= histories) break;
    if (histories == 0 && took >= std::chrono::seconds(asked.seconds)) break;
    if (write(told, &done, sizeof done) != sizeof done) return 2;
    const RunOptions options = options_for(asked, done);
    const Ran ran = run(history_of(options, asked.history_steps), options);
    if (ran.failure) return 1;
    hash = hash * 31 + ran.hash;
    rows += ran.rows;
  }
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(system_clock().boot() - began).count();
  const std::size_t steps = done * asked.history_steps;
  std::cout << fmt::format("seed {}: {} steps, {} rows, {} ms, {} steps/s, trace {:016x}\n",
                           asked.seed, steps, rows, ms,
                           steps * 1'000 / static_cast<std::size_t>(std::max<long>(ms, 1)), hash);
  return 0;
}

int run_all(const Asked& asked) {
  int ends[2] = {};
  if (pipe(ends) != 0) return 2;
  std::cout << std::flush;
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    const int code = run_histories(asked, ends[1]);
    std::cout << std::flush;
    _exit(code);
  }
  close(ends[1]);
  std::size_t index = 0;
  for (std::size_t next = 0; read(ends[0], &next, sizeof next) == sizeof next;) index = next;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
  return tell_failure(asked, index, history_of(options_for(asked, index), asked.history_steps));
}

int run_one(const Asked& asked) {
  RunOptions options = options_for(asked, asked.only);
  options.verify_every = 1;
  if (asked.trace) options.text = Trace::Text::kept;
  const History history = history_of(options, asked.history_steps);
  if (asked.trace) {
    const Ran ran = run_apart(history, options);
    std::cout << ran.text << ran.failure.value_or("nothing is wrong") << "\n";
    return ran.failure ? 1 : 0;
  }
  if (run_apart(history, options).failure) return tell_failure(asked, asked.only, history);
  std::cout << "nothing is wrong\n";
  return 0;
}

}  // namespace
}  // namespace aimeter::sim

int main(int argc, char** argv) {
  aimeter::sim::Asked asked;
  CLI::App app("Runs engines, a store, disks, clocks and a network under a seeded scheduler.");
  app.add_option("--seed", asked.seed, "what everything follows from");
  const std::map<std::string, aimeter::sim::StoreKind> stores{
      {"memory", aimeter::sim::StoreKind::memory}, {"sqlite", aimeter::sim::StoreKind::sqlite}};
  app.add_option("--store", asked.store, "memory, or sqlite on a simulated disk")
      ->transform(CLI::CheckedTransformer(stores));
  std::map<std::string, aimeter::sim::Wallets> wallets;
  for (const auto one : {aimeter::sim::Wallets::none, aimeter::sim::Wallets::strict,
                         aimeter::sim::Wallets::debts, aimeter::sim::Wallets::overdraft}) {
    wallets.emplace(name_of(one), one);
  }
  app.add_option("--wallets", asked.wallets, "none, strict, debts or overdraft (the seed chooses)")
      ->transform(CLI::CheckedTransformer(wallets));
  CLI::Option* const steps = app.add_option("--steps", asked.steps, "how many (100000)");
  app.add_option("--seconds", asked.seconds, "for how long")->excludes(steps);
  CLI::Option* const only =
      app.add_option("--history", asked.only, "only this one of the seed's histories");
  app.add_option("--history-steps", asked.history_steps, "steps of one history");
  app.add_flag("--trace", asked.trace, "with --history: everything that happens");
  CLI11_PARSE(app, argc, argv);
  if (asked.steps == 0 && asked.seconds == 0) asked.steps = 100'000;
  return only->count() > 0 ? aimeter::sim::run_one(asked) : aimeter::sim::run_all(asked);
}
