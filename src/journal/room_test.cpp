#include "journal/room.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace aimeter::journal {
namespace {

using Place = Room::Place;

TEST(Room, AFrameThatJustFitsStaysHere) {
  Room room(64);
  EXPECT_EQ(room.place(40, 0), Place::here);
  EXPECT_EQ(room.place(24, 0), Place::here);
  EXPECT_EQ(room.left(), 0U);
  EXPECT_EQ(room.place(24, 0), std::nullopt) << "no spare segment";
  room.add_spare();
  EXPECT_EQ(room.place(24, 0), Place::next_segment);
  EXPECT_EQ(room.left(), 40U);
}

TEST(Room, AnUnreservedFrameNeverTakesWhatIsReserved) {
  Room room(64);
  ASSERT_TRUE(room.reserve(40));
  EXPECT_EQ(room.place(32, 0), std::nullopt) << "32 + 40 are more than 64";
  EXPECT_EQ(room.place(24, 0), Place::here) << "24 + 40 are 64";
  EXPECT_EQ(room.place(40, 40), Place::here) << "the reserved one has its place";
}

TEST(Room, AReservationCountsTheEndThatASegmentMayLose) {
  Room room(64);
  ASSERT_TRUE(room.reserve(40));
  EXPECT_FALSE(room.reserve(32)) << "32, then 40 does not fit: 32 bytes would be lost";
  room.add_spare();
  EXPECT_TRUE(room.reserve(32)) << "one segment for each";
  EXPECT_FALSE(room.reserve(24)) << "40 + 24 fits, but 32 + 24 loses 8 and 40 needs its own";
}

TEST(Room, WhatIsGivenBackCanBeReservedAgain) {
  Room room(64);
  ASSERT_TRUE(room.reserve(64));
  EXPECT_FALSE(room.reserve(24));
  room.unreserve(64);
  EXPECT_TRUE(room.reserve(24));
}

TEST(Room, AFrameSmallerThanItsReservationGivesTheRestBack) {
  Room room(64);
  ASSERT_TRUE(room.reserve(64));
  EXPECT_EQ(room.place(24, 64), Place::here);
  EXPECT_EQ(room.place(40, 0), Place::here);
}

TEST(Room, AFrameLargerThanItsReservationAsksForRoom) {
  Room room(64);
  ASSERT_TRUE(room.reserve(24));
  ASSERT_TRUE(room.reserve(24));
  EXPECT_EQ(room.place(48, 24), std::nullopt) << "48 + 24 are more than 64";
  EXPECT_EQ(room.place(40, 24), Place::here);
  EXPECT_EQ(room.place(24, 24), Place::here);
}

// Whatever is reserved, placed and given back, in whatever order: a reserved frame always fits.
// The broken promise is an assertion inside of place().
TEST(Room, AReservedFrameAlwaysFits) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random(seed);
    const std::uint64_t whole = 8 * (8 + random() % 60);
    const std::uint64_t frame_max = std::min<std::uint64_t>(whole, 24 + 8 * (random() % 40));
    Room room(whole);
    std::vector<std::uint64_t> reserved;
    const auto any_frame = [&] { return 24 + 8 * (random() % ((frame_max - 24) / 8 + 1)); };
    const auto take_any = [&] {
      std::swap(reserved[random() % reserved.size()], reserved.back());
      const std::uint64_t frame = reserved.back();
      reserved.pop_back();
      return frame;
    };
    for (int step = 0; step < 400; ++step) {
      const std::uint64_t what = random() % 10;
      if (what < 4) {
        const std::uint64_t frame = any_frame();
        if (room.reserve(frame)) reserved.push_back(frame);
      } else if (what < 5) {
        static_cast<void>(room.place(any_frame(), 0));
      } else if (what < 6) {
        room.add_spare();
      } else if (!reserved.empty()) {
        const std::uint64_t frame = take_any();
        if (what < 7) {
          room.unreserve(frame);
        } else {
          ASSERT_TRUE(room.place(24 + (frame - 24) / 8 * 8, frame));
        }
      }
    }
    while (!reserved.empty()) {
      const std::uint64_t frame = take_any();
      ASSERT_TRUE(room.place(frame, frame)) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace aimeter::journal
