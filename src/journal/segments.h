// Package:       journal
// Units:         bytes, frame numbers, seqs
// Errors:        unavailable, naming path and errno; nothing is left behind by a failed make().
// Thread safety: make(), remove_*() by one thread at a time; the list under the journal's lock.
// Ownership:     borrows Files; a Segment shares its open file with who writes it.
//
// The segment files of a living journal: those with frames, then spares, numbered without a gap.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "journal/frame.h"

namespace aimeter::journal {

struct Segment {
  std::uint64_t number = 0;
  std::shared_ptr<base::File> file = {};  // while it may be written
  std::uint64_t first_frame = 0;          // 0: a spare
  std::uint64_t last_seq = 0;             // of the journal when the segment ended
  std::uint64_t running = 0;              // begin frames whose hold has not ended
  // Frame and offset about every kMarkBytes, so that reading from the middle need not read all.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> marks = {};

  static constexpr std::uint64_t kMarkBytes = 1U << 20;
  void mark(std::uint64_t frame, std::uint64_t offset) {
    if (marks.empty() || offset - marks.back().second >= kMarkBytes) {
      marks.emplace_back(frame, offset);
    }
  }
  // The last mark at or before `frame`.
  [[nodiscard]] std::uint64_t offset_before(std::uint64_t frame) const;
};

// A new segment file, allocated, its name and length safe on the disk.
[[nodiscard]] Result<std::shared_ptr<base::File>> make_segment(base::Files& files,
                                                               const std::string& path,
                                                               std::uint64_t bytes);

}  // namespace aimeter::journal
