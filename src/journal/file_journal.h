// Package:       journal
// Units:         as journal.h
// Errors:        as journal.h
// Thread safety: as journal.h; the buffer lock is never held over I/O, the growing lock serialises
//                the making of segments alone.
// Ownership:     as journal.h
//
// The journal over Files. Frames get number and place under the buffer lock and are copied without
// it; the writer swaps the two groups, writes, syncs and passes the gate. A segment is synced
// before the next one is written to, whatever the durability.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "journal/group.h"
#include "journal/journal.h"
#include "journal/room.h"
#include "journal/segments.h"

namespace aimeter::journal {

class FileJournal final : public Journal {
 public:
  FileJournal(base::Files& files, Options options, std::unique_ptr<base::FileLock> lock);

  [[nodiscard]] Status begin();  // makes the first segment

  Status reserve(std::size_t payload_bytes) override;
  void unreserve(std::size_t payload_bytes) override;
  Result<Appended> append(FrameType type, std::string payload, const Uses& uses,
                          const UnderLock& under_lock) override;
  bool run_once() override;
  bool rests() override;
  base::Gate& written() override { return written_; }
  std::uint64_t last_written() const override { return last_written_.load(); }
  std::optional<Error> failed() const override;
  Status read(std::uint64_t from_frame, const std::function<bool(const Frame&)>& visit) override;
  Result<int> drop_segments(std::uint64_t applied_seq) override;
  Status close() override;

 private:
  struct Request {
    FrameType type = FrameType::begin;
    std::size_t frame = 0, reserved = 0;  // bytes of whole frames
    std::uint64_t ends = 0;               // a begin frame
  };
  struct Slot {
    Group* group = nullptr;
    char* to = nullptr;
    FrameHead head = {};
    bool wake = false;
  };
  struct Stretch {  // what read() goes through of one segment
    std::uint64_t segment = 0, offset = 0;
  };

  [[nodiscard]] Status check_size(std::size_t payload_bytes) const;
  [[nodiscard]] Status check_open() const AIMETER_REQUIRES(mutex_);
  [[nodiscard]] Status check_buffer() const AIMETER_REQUIRES(mutex_);
  // An empty slot: the journal must grow first; `made` is what grow() wants to know.
  [[nodiscard]] Result<Slot> take_slot(const Request& request, const UnderLock& under_lock,
                                       std::uint64_t& made) AIMETER_EXCLUDES(mutex_);
  [[nodiscard]] Slot place(const Request& request, Room::Place where) AIMETER_REQUIRES(mutex_);
  void switch_segment() AIMETER_REQUIRES(mutex_);
  void count_holds(const Request& request, Segment& segment) AIMETER_REQUIRES(mutex_);
  [[nodiscard]] bool wakes(FrameType type) AIMETER_REQUIRES(mutex_);
  // Makes the next segment, unless somebody made one since there were `made` of them.
  [[nodiscard]] Status grow(std::uint64_t made) AIMETER_EXCLUDES(mutex_, growing_);

  [[nodiscard]] Group* begin_round() AIMETER_EXCLUDES(mutex_);
  [[nodiscard]] Status write(const Group& group) AIMETER_EXCLUDES(mutex_);
  [[nodiscard]] Status write(const Chunk& chunk) AIMETER_EXCLUDES(mutex_);
  void end_round(Group& group) AIMETER_EXCLUDES(mutex_);
  void give_up(const Error& error) AIMETER_EXCLUDES(mutex_);
  void prepare_spare() AIMETER_EXCLUDES(mutex_);

  [[nodiscard]] Result<std::vector<Stretch>> stretches(std::uint64_t from_frame,
                                                       std::uint64_t until)
      AIMETER_EXCLUDES(mutex_);
  [[nodiscard]] std::vector<std::uint64_t> droppable(std::uint64_t applied_seq)
      AIMETER_EXCLUDES(mutex_);
  [[nodiscard]] Status remove_segment(std::uint64_t number);
  [[nodiscard]] Status end_files() AIMETER_EXCLUDES(mutex_);

  base::Files& files_;
  Options options_;
  std::unique_ptr<base::FileLock> lock_;
  base::Gate written_;
  std::atomic<std::uint64_t> last_written_{0};

  // Of who does a round.
  std::uint64_t writing_segment_ = 0;
  std::shared_ptr<base::File> writing_file_;

  base::Mutex growing_;
  mutable base::Mutex mutex_;  // the buffer lock
  std::array<Group, 2> groups_;
  Group* active_ AIMETER_GUARDED_BY(mutex_) = &groups_[0];
  Room room_ AIMETER_GUARDED_BY(mutex_);
  std::deque<Segment> segments_ AIMETER_GUARDED_BY(mutex_);
  std::uint64_t made_ AIMETER_GUARDED_BY(mutex_) = 0;
  std::uint64_t segment_ AIMETER_GUARDED_BY(mutex_) = 1;  // where the next frame goes
  std::uint64_t offset_ AIMETER_GUARDED_BY(mutex_) = kSegmentHeaderBytes;
  std::uint64_t next_frame_ AIMETER_GUARDED_BY(mutex_) = 1;
  std::uint64_t next_seq_ AIMETER_GUARDED_BY(mutex_) = 1;
  std::size_t buffered_ AIMETER_GUARDED_BY(mutex_) = 0;
  bool idle_ AIMETER_GUARDED_BY(mutex_) = true;  // the writer found nothing to do
  bool all_before_synced_ AIMETER_GUARDED_BY(mutex_) = true;
  bool closed_ AIMETER_GUARDED_BY(mutex_) = false;
  std::optional<Error> failed_ AIMETER_GUARDED_BY(mutex_);
  std::atomic<bool> has_failed_{false};  // after failed_: every hold asks
};

}  // namespace aimeter::journal
