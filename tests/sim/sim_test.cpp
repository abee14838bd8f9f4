#include <gtest/gtest.h>

#include "tests/sim/run.h"

namespace aimeter::sim {
namespace {

TEST(Sim, SameSeedGivesTheSameTrace) {
  const RunOptions options{.seed = 7, .text = Trace::Text::kept};
  const Ran first = run(make_history(7, 400), options);
  const Ran second = run(make_history(7, 400), options);
  EXPECT_EQ(first.text, second.text);
  EXPECT_EQ(first.hash, second.hash);
  EXPECT_NE(first.hash, run(make_history(8, 400), {.seed = 8}).hash);
}

// CI and `aimeter-sim --seed N` run more of them.
void expect_nothing_wrong(std::uint64_t seed, std::size_t histories) {
  for (std::size_t i = 0; i < histories; ++i) {
    const RunOptions options{.seed = seed_of(seed, i), .verify_every = 4};
    const Ran ran = run(make_history(options.seed, kHistorySteps), options);
    ASSERT_FALSE(ran.failure) << *ran.failure << "\naimeter-sim --seed " << seed << " --history "
                              << i << " shrinks and tells it";
  }
}

TEST(Sim, NothingIsLostOrCountedTwice) { expect_nothing_wrong(8, 15); }

}  // namespace
}  // namespace aimeter::sim
