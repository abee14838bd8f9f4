// Package:       journal
// Units:         bytes; frame numbers and seqs count from 1, gapless.
// Errors:        unavailable (no room, lock taken, failed before: nothing was appended),
//                invalid_argument (a frame larger than a segment), corrupt (damage, naming file and
//                offset), in_doubt (failed(): appended, perhaps not on the disk).
// Thread safety: append, reserve, unreserve, failed: any thread. run_once, rests: one thread at a
//                time. read, drop_segments: one thread, beside the others. close: when no one else
//                calls.
// Ownership:     borrows Files; owns the segment files, the Gate and the folder's lock.
//
// An engine's append-only file: frames in preallocated segments, group commit, a torn tail is cut.
// Sees bytes only. Frame: length u32 (of the payload) | crc32c u32 (of length and all that follows)
// | type u8 | version u8 | flags u16 | frame u64 | payload | pad to 8. Segment FOLDER/NNNNNN.seg,
// header 64 B: AIMJRNL1, version u32, engine u64, segment u64, first frame u64, store id 16 B, 8
// zeros, crc32c u32 of these 60. Little-endian. A frame never spans segments.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "aimeter/result.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/workers.h"

namespace aimeter::journal {

enum class FrameType : std::uint8_t {
  begin = 1,
  settle = 2,
  release = 3,
  detach = 4,
  close = 5
};  // on disk
// settle and detach are numbered: their payload begins with the seq, u64 little-endian, which
// append() fills in.
[[nodiscard]] constexpr bool is_numbered(FrameType type) {
  return type == FrameType::settle || type == FrameType::detach;
}

struct Options {
  std::string folder = {};
  std::uint64_t engine = 0;
  base::Key16 store_id = {};
  std::uint64_t segment_bytes = 64ULL << 20;  // at least kSegmentBytesMin; cut to a multiple of 8
  bool sync = true;  // false under durability `memory` and `store`: written, not synced
  // What may wait for the writer. Beyond it reserve and unreserved appends are unavailable.
  std::size_t buffer_bytes_max = 64U << 20;
};
constexpr std::uint64_t kSegmentBytesMin = 512;

struct Frame {
  FrameType type = FrameType::begin;
  std::uint16_t flags = 0;
  std::uint64_t number = 0;  // frame
  std::uint64_t segment = 0;
  std::string_view payload = {};  // valid during the visit
};

struct Appended {
  std::uint64_t frame = 0;
  std::uint64_t seq = 0;  // 0 for frames that are not numbered
  // The writer found nothing to do and may sleep: who is told so wakes it, or does its round.
  bool wake = false;
};

// What a frame uses up: the `reserved_bytes` of one earlier reserve() (0: none), and, of the end of
// a hold, the begin frame of that hold (0: none), whose segment may go from then on.
struct Uses {
  std::size_t reserved_bytes = 0;
  std::uint64_t begin = 0;
};

class Journal {
 public:
  virtual ~Journal() = default;

  // Sets aside room for one frame of `payload_bytes`, so that a later append of it cannot fail for
  // want of room, whatever else is appended before it. 0 sets nothing aside. Errors: unavailable
  // (disk full, naming path and errno; journal failed), invalid_argument (larger than a segment):
  // nothing is reserved.
  [[nodiscard]] virtual Status reserve(std::size_t payload_bytes) = 0;
  virtual void unreserve(std::size_t payload_bytes) = 0;

  // Copies the frame into the buffer. A payload above the reserved bytes needs room like an
  // unreserved one.
  // `under_lock(appended)` runs before any later frame gets its number; it may be empty, and must
  // not call the journal. Errors: unavailable, invalid_argument (nothing appended, the reservation
  // stands).
  // begin and release frames ask nobody to wake the writer: they ride with the next group or its
  // next idle round, and a round of them alone is written but not synced.
  using UnderLock = std::function<void(const Appended&)>;
  [[nodiscard]] virtual Result<Appended> append(FrameType type, std::string payload,
                                                const Uses& uses, const UnderLock& under_lock) = 0;

  // The writer's round: everything appended so far in one write and (if sync) one fdatasync, then
  // advances written() to the newest frame. False when there was nothing to do. A failed write or
  // sync is final: failed() says so, nothing is appended after it, and the gate advances to the
  // largest number so that nobody hangs; whoever waited looks at last_written(), then at failed().
  virtual bool run_once() = 0;
  // True when nothing that was appended is waited for: then the next append that is says `wake`.
  virtual bool rests() = 0;
  [[nodiscard]] virtual base::Gate& written() = 0;  // frame numbers
  // The newest frame that is written (and synced, if sync): what written() says until it fails.
  [[nodiscard]] virtual std::uint64_t last_written() const = 0;
  [[nodiscard]] virtual std::optional<Error> failed() const = 0;  // in_doubt

  // Reads frames from `from_frame` on that are written, from the files. Stops when `visit` returns
  // false. Errors: not_found (dropped before), corrupt, unavailable.
  [[nodiscard]] virtual Status read(std::uint64_t from_frame,
                                    const std::function<bool(const Frame&)>& visit) = 0;

  // Segments that are complete, whose numbered frames all have seq <= `applied_seq` and whose begin
  // frames all have their end go, oldest first; the caller has made sure of the hour and of the
  // full-sync commit. Returns how many went.
  [[nodiscard]] virtual Result<int> drop_segments(std::uint64_t applied_seq) = 0;
  // Writes what is left and a close frame, syncs, gives spare room back, releases the lock. Without
  // room for the close frame the journal ends without one: opened again it looks like after a
  // crash. Errors: in_doubt (failed); the lock is released all the same.
  [[nodiscard]] virtual Status close() = 0;
};

// Begins a journal in an empty or absent folder and takes its lock (FOLDER/lock). Errors:
// unavailable (disk, or somebody has the lock), failed_precondition (there are segments),
// invalid_argument (segment_bytes).
[[nodiscard]] Result<std::unique_ptr<Journal>> create(base::Files& files, Options options);

struct Recovered {
  std::uint64_t engine = 0;
  base::Key16 store_id = {};
  std::uint64_t frames = 0, cut_bytes = 0;  // cut_bytes: written bytes of a torn tail
  bool closed = false;                      // ends with a close frame
};
// Reads a dead engine's folder, frame by frame in order, and changes nothing. A bad frame with
// nothing valid after it is a torn tail (not an error), and so is one whose sector never reached
// the disk, if all that follows it belongs to the same unsynced group; else corrupt, naming file
// and offset. An error of `visit` is passed on. Without any written segment `engine` is 0.
// Requires: the caller has the folder's lock (try_lock_folder).
[[nodiscard]] Result<Recovered> recover(base::Files& files, const std::string& folder,
                                        const std::function<Status(const Frame&)>& visit);
// Whether a folder holds more than its lock. Who looks at the folders of others asks this before
// the lock: a journal that is being made has it before it holds anything, and must find it free.
[[nodiscard]] Result<bool> is_begun(base::Files& files, const std::string& folder);
// Empty when somebody else has it.
[[nodiscard]] Result<std::unique_ptr<base::FileLock>> try_lock_folder(base::Files& files,
                                                                      const std::string& folder);

}  // namespace aimeter::journal
