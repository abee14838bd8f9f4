#include "tests/sim/run.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "base/log.h"
#include "tests/sim/dice.h"
#include "tests/sim/world.h"

namespace aimeter::sim {
namespace {

constexpr int kShrinkTrials = 1'500;

void write_all(int to, std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = write(to, text.data(), text.size());
    if (done <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
}

std::string read_all(int from) {
  std::string text;
  char buffer[4'096];
  for (;;) {
    const ssize_t count = read(from, buffer, sizeof buffer);
    if (count <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

}  // namespace

std::uint64_t seed_of(std::uint64_t seed, std::size_t history) {
  return Dice(seed * 1'000'003 + history).next();
}

RunOptions options_of(std::uint64_t seed, StoreKind store) {
  return {.seed = seed, .store = store, .wallets = wallets_of(seed)};
}

History history_of(const RunOptions& options, std::size_t steps) {
  return make_history(options.seed, steps, options.wallets);
}

namespace {

// Of the child: where an assertion that fails leaves what has happened so far.
int told_to = -1;
const Trace* told_trace = nullptr;

void tell_trace(int) {
  if (told_trace != nullptr) write_all(told_to, "an assertion failed\n" + told_trace->text());
  _exit(1);
}

}  // namespace

Ran run(const History& history, const RunOptions& options) {
  World world({.seed = options.seed,
               .store = options.store,
               .wallets = options.wallets,
               .text = options.text,
               .verify_every = options.verify_every});
  told_trace = &world.trace;
  for (std::size_t i = 0; i < history.size() && !world.failed(); ++i) {
    world.perform(i, history[i]);
  }
  world.heal_and_end();
  told_trace = nullptr;
  return {.hash = world.trace.hash(),
          .rows = world.oracle.rows(),
          .failure = world.oracle.failure(),
          .text = world.trace.text()};
}

Ran run_apart(const History& history, const RunOptions& options) {
  int ends[2] = {};
  if (pipe(ends) != 0) return {.failure = "no pipe"};
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    if (options.text == Trace::Text::none) (void)std::freopen("/dev/null", "w", stderr);
    told_to = ends[1];
    std::signal(SIGABRT, tell_trace);
    std::signal(SIGSEGV, tell_trace);
    const Ran ran = run(history, options);
    if (ran.failure) write_all(ends[1], *ran.failure + "\n");
    write_all(ends[1], ran.text);
    _exit(ran.failure ? 1 : 0);
  }
  close(ends[1]);
  Ran ran;
  const std::string told = read_all(ends[0]);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    ran.text = told;
    return ran;
  }
  const std::size_t line = told.find('\n');
  ran.failure = told.substr(0, line);
  if (line != std::string::npos) ran.text = told.substr(line + 1);
  if (ran.failure->empty()) ran.failure = "the program ended by itself (an assertion)";
  return ran;
}

Ran shrink_failure(const History& history, const RunOptions& options) {
  RunOptions quiet = options;
  quiet.text = Trace::Text::none;
  const History small = shrink(
      history, [&](const History& some) { return run_apart(some, quiet).failure.has_value(); },
      kShrinkTrials);
  quiet.text = Trace::Text::kept;
  Ran last = run_apart(small, quiet);
  std::string steps = fmt::format("{} steps of {} are enough:\n", small.size(), history.size());
  last.text = steps + last.text;
  return last;
}

}  // namespace aimeter::sim
