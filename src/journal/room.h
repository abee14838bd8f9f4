// Package:       journal
// Units:         bytes of whole frames (header and padding included), multiples of 8.
// Errors:        none: a refusal changes nothing.
// Thread safety: none: the journal's buffer lock guards it.
// Ownership:     none.
//
// The arithmetic of reservations over segments. A frame never spans segments, so the end of a
// segment may stay empty: less than the largest frame that could come. The invariant that fits()
// states holds after every function here, and then every reserved frame fits, in any order:
// either there is a whole spare segment for each of them, or their sum fits into what the segments
// have left after each of them gave up its end.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "aimeter/result.h"

namespace aimeter::journal {

class Room {
 public:
  explicit Room(std::uint64_t segment_room) : now_{.left = segment_room}, whole_(segment_room) {}

  void add_spare() { ++now_.spares; }
  [[nodiscard]] std::uint64_t left() const { return now_.left; }
  [[nodiscard]] std::uint64_t spares() const { return now_.spares; }

  // False: another spare segment is needed first.
  [[nodiscard]] bool reserve(std::uint64_t frame) {
    State next = now_;
    next.reserved += frame;
    next.count += 1;
    next.largest = std::max(next.largest, frame);
    return accept(next);
  }
  void unreserve(std::uint64_t frame) { give_up(now_, frame); }

  enum class Place { here, next_segment };
  // Places a frame; `reserved` is the reservation that it uses up, 0 = none. Nothing: another spare
  // segment is needed first, which never happens to a frame of at most its reservation.
  [[nodiscard]] std::optional<Place> place(std::uint64_t frame, std::uint64_t reserved) {
    State next = now_;
    if (reserved > 0) give_up(next, reserved);
    const Place place = frame <= next.left ? Place::here : Place::next_segment;
    if (place == Place::next_segment) {
      AIMETER_ASSERT(next.spares > 0 || frame > reserved);
      if (next.spares == 0) return std::nullopt;
      --next.spares;
      next.left = whole_;
    }
    next.left -= frame;
    const bool accepted = accept(next);
    AIMETER_ASSERT(accepted || frame > reserved);
    return accepted ? std::optional(place) : std::nullopt;
  }

 private:
  struct State {
    std::uint64_t left = 0, spares = 0;
    std::uint64_t reserved = 0, count = 0, largest = 0;  // largest since there were none
  };

  static void give_up(State& state, std::uint64_t frame) {
    AIMETER_ASSERT(state.count > 0);
    AIMETER_ASSERT(state.reserved >= frame);
    state.reserved -= frame;
    state.count -= 1;
    if (state.count == 0) state.largest = 0;
  }
  [[nodiscard]] std::uint64_t sure(const State& state, std::uint64_t room) const {
    const std::uint64_t end = state.largest - std::min<std::uint64_t>(state.largest, 8);
    return room - std::min(room, end);
  }
  [[nodiscard]] bool fits(const State& state) const {
    const std::uint64_t whole_segments = state.spares + (state.largest <= state.left ? 1 : 0);
    if (state.count <= whole_segments) return true;
    return state.reserved <= sure(state, state.left) + state.spares * sure(state, whole_);
  }
  bool accept(const State& next) {
    if (!fits(next)) return false;
    now_ = next;
    return true;
  }

  State now_;
  std::uint64_t whole_;
};

}  // namespace aimeter::journal
