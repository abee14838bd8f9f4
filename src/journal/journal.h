// Package:       journal
// Units:         bytes; frame numbers and seqs count from 1, gapless.
// Errors:        unavailable (no room, lock taken: nothing was appended), corrupt (valid frames
// after a bad one). Thread safety: append, reserve, unreserve: any thread. run_once: the writer
// thread alone. Ownership:     borrows Files and the Gates; owns the segment files and the folder's
// lock.
//
// An engine's append-only file: frames in preallocated segments, group commit, a torn tail is cut.
// Sees bytes only. Frame: length u32 | crc32c u32 (all that follows) | type u8 | version u8 | flags
// u16 | frame u64 | payload | pad to 8. Segment FOLDER/NNNNNN.seg, header 64 B: AIMJRNL1, version
// u32, engine u64, segment u64, first frame u64, store id 16 B, crc.
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
  std::uint64_t segment_bytes = 64ULL << 20;
  bool sync = true;  // false under durability `memory` and `store`: written, not synced
};

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
};

class Journal {
 public:
  virtual ~Journal() = default;

  // Sets aside room for one frame of `payload_bytes`, so that a later append of it cannot fail for
  // want of room. Errors: unavailable (disk full, journal failed): nothing is reserved.
  [[nodiscard]] virtual Status reserve(std::size_t payload_bytes) = 0;
  virtual void unreserve(std::size_t payload_bytes) = 0;

  // Copies the frame into the buffer; `reserved_bytes` of earlier reserve() calls are used up by it
  // (0: none). `under_lock(appended)` runs before any later frame gets its number. Errors:
  // unavailable (nothing appended).
  using UnderLock = std::function<void(const Appended&)>;
  [[nodiscard]] virtual Result<Appended> append(FrameType type, std::string payload,
                                                std::size_t reserved_bytes,
                                                const UnderLock& under_lock) = 0;

  // The writer's round: everything appended so far in one write and (if sync) one fdatasync, then
  // advances written() to the newest frame. False when there was nothing to do. A failed sync is
  // final: failed() says so, nothing is granted after it, waiters are told unavailable through
  // failed() after the gate's advance to max.
  virtual bool run_once() = 0;
  [[nodiscard]] virtual base::Gate& written() = 0;  // frame numbers
  [[nodiscard]] virtual std::optional<Error> failed() const = 0;
  virtual void set_wake(
      std::function<void()> wake) = 0;  // called by append when the writer may sleep

  // Reads frames from `from_frame` on that are written. Stops when `visit` returns false.
  [[nodiscard]] virtual Status read(std::uint64_t from_frame,
                                    const std::function<bool(const Frame&)>& visit) = 0;

  // Segments whose numbered frames all have seq <= `applied` and that are older than the newest one
  // may go; the caller has made sure of the hour and of the full-sync commit. Returns how many
  // went.
  [[nodiscard]] virtual Result<int> drop_segments(std::uint64_t applied_seq) = 0;
  [[nodiscard]] virtual Status close() = 0;  // close frame, synced; releases the lock
};

// Begins a journal in an empty or absent folder and takes its lock (FOLDER/lock).
[[nodiscard]] Result<std::unique_ptr<Journal>> create(base::Files& files, Options options);

struct Recovered {
  std::uint64_t engine = 0;
  base::Key16 store_id = {};
  std::uint64_t frames = 0, cut_bytes = 0;  // cut_bytes: of a torn tail
  bool closed = false;                      // ends with a close frame
};
// Reads a dead engine's folder, frame by frame in order. A bad frame with nothing valid after it is
// a torn tail (not an error); else corrupt, naming file and offset. Requires: the caller has the
// folder's lock (try_lock_folder).
[[nodiscard]] Result<Recovered> recover(base::Files& files, const std::string& folder,
                                        const std::function<Status(const Frame&)>& visit);
[[nodiscard]] Result<std::unique_ptr<base::FileLock>> try_lock_folder(base::Files& files,
                                                                      const std::string& folder);

}  // namespace aimeter::journal
