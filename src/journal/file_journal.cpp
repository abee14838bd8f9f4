#include "journal/file_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/fault.h"
#include "journal/segment_reader.h"

namespace aimeter::journal {
namespace {

// Frames that nobody waits for are written together; beyond this the writer is woken for them.
constexpr std::size_t kUnawaitedBytesMax = 256U << 10;

bool is_awaited(FrameType type) { return type != FrameType::begin && type != FrameType::release; }

std::size_t reserved_frame(std::size_t payload_bytes) {
  return payload_bytes == 0 ? 0 : frame_bytes(payload_bytes);
}

std::unexpected<Error> refused(const Error& error) {
  return fail(Code::unavailable, "journal: " + error.message);
}

}  // namespace

FileJournal::FileJournal(base::Files& files, Options options, std::unique_ptr<base::FileLock> lock)
    : files_(files),
      options_(std::move(options)),
      lock_(std::move(lock)),
      room_(options_.segment_bytes - kSegmentHeaderBytes) {}

Status FileJournal::begin() {
  const std::string path = segment_path(options_.folder, 1);
  AIMETER_TRY(auto file, make_segment(files_, path, options_.segment_bytes));
  AIMETER_CHECK_OK(file->write_at(0, write_header({.engine = options_.engine,
                                                   .segment = 1,
                                                   .first_frame = 1,
                                                   .store_id = options_.store_id})));
  // Without its header nobody knows later whose leases the engine had, though no frame was synced.
  AIMETER_CHECK_OK(file->sync());
  writing_segment_ = 1;
  writing_file_ = file;
  const base::Lock lock(mutex_);
  made_ = 1;
  segments_.push_back({.number = 1, .file = std::move(file), .first_frame = 1});
  return {};
}

// ---- Callers.

Status FileJournal::check_size(std::size_t payload_bytes) const {
  const std::uint64_t room = options_.segment_bytes - kSegmentHeaderBytes;
  if (payload_bytes <= room && frame_bytes(payload_bytes) <= room) return {};
  return bad_input("frame", fmt::format("{} bytes", payload_bytes),
                   fmt::format("at most the {} bytes of a segment", room - kFrameHeaderBytes));
}

Status FileJournal::check_open() const {
  if (failed_) return refused(*failed_);
  if (closed_) return fail(Code::unavailable, "journal: " + options_.folder + " is closed");
  return {};
}

Status FileJournal::check_buffer() const {
  if (buffered_ < options_.buffer_bytes_max) return {};
  return fail(Code::unavailable, fmt::format("journal: {} bytes wait to be written to {}",
                                             buffered_, options_.folder));
}

Status FileJournal::reserve(std::size_t payload_bytes) {
  if (payload_bytes == 0) return {};
  AIMETER_CHECK_OK(check_size(payload_bytes));
  while (true) {
    std::uint64_t made = 0;
    {
      const base::Lock lock(mutex_);
      AIMETER_CHECK_OK(check_open());
      AIMETER_CHECK_OK(check_buffer());
      if (room_.reserve(frame_bytes(payload_bytes))) return {};
      made = made_;
    }
    AIMETER_CHECK_OK(grow(made));
  }
}

void FileJournal::unreserve(std::size_t payload_bytes) {
  if (payload_bytes == 0) return;
  const base::Lock lock(mutex_);
  room_.unreserve(frame_bytes(payload_bytes));
}

Result<Appended> FileJournal::append(FrameType type, std::string payload, const Uses& uses,
                                     const UnderLock& under_lock) {
  AIMETER_ASSERT(!is_numbered(type) || payload.size() >= sizeof(std::uint64_t));
  AIMETER_CHECK_OK(check_size(payload.size()));
  const Request request{.type = type,
                        .frame = frame_bytes(payload.size()),
                        .reserved = reserved_frame(uses.reserved_bytes),
                        .ends = uses.begin};
  while (true) {
    std::uint64_t made = 0;
    AIMETER_TRY(const Slot slot, take_slot(request, under_lock, made));
    if (slot.to == nullptr) {
      AIMETER_CHECK_OK(grow(made));
      continue;
    }
    write_frame(slot.to, slot.head, payload);
    slot.group->copied();
    return Appended{slot.head.number, slot.head.seq, slot.wake};
  }
}

Result<FileJournal::Slot> FileJournal::take_slot(const Request& request,
                                                 const UnderLock& under_lock, std::uint64_t& made) {
  const base::Lock lock(mutex_);
  AIMETER_CHECK_OK(check_open());
  if (request.frame > request.reserved) AIMETER_CHECK_OK(check_buffer());
  made = made_;
  const std::optional<Room::Place> where = room_.place(request.frame, request.reserved);
  if (!where) return Slot{};
  const Slot slot = place(request, *where);
  if (under_lock) under_lock({slot.head.number, slot.head.seq});
  return slot;
}

FileJournal::Slot FileJournal::place(const Request& request, Room::Place where) {
  const bool first = active_->empty();
  if (where == Room::Place::next_segment) switch_segment();
  Slot slot;
  slot.group = active_;
  slot.to = active_->place({segment_, offset_}, request.frame);
  slot.head.type = request.type;
  slot.head.number = next_frame_++;
  if (is_numbered(request.type)) slot.head.seq = next_seq_++;
  if (first && all_before_synced_) slot.head.flags = kAllBeforeIsSynced;
  Segment& segment = segments_[segment_ - segments_.front().number];
  segment.mark(slot.head.number, offset_);
  segment.last_seq = next_seq_ - 1;
  count_holds(request, segment);
  offset_ += request.frame;
  buffered_ += request.frame;
  active_->last_frame = slot.head.number;
  active_->to_sync = active_->to_sync || is_awaited(request.type);
  active_->closing = active_->closing || request.type == FrameType::close;
  slot.wake = wakes(request.type);
  return slot;
}

// The segment of a begin frame stays until its hold has ended: without it a crash would leave an
// orphan that nobody lists.
void FileJournal::count_holds(const Request& request, Segment& segment) {
  if (request.type == FrameType::begin) ++segment.running;
  if (request.ends == 0) return;
  for (auto begun = segments_.rbegin(); begun != segments_.rend(); ++begun) {
    if (begun->first_frame == 0 || begun->first_frame > request.ends) continue;
    AIMETER_ASSERT(begun->running > 0);
    --begun->running;
    return;
  }
}

void FileJournal::switch_segment() {
  const std::uint64_t last_seq = next_seq_ - 1;
  Segment& next = segments_[++segment_ - segments_.front().number];
  next.first_frame = next_frame_;
  next.last_seq = last_seq;
  const std::string header = write_header({.engine = options_.engine,
                                           .segment = segment_,
                                           .first_frame = next_frame_,
                                           .store_id = options_.store_id});
  std::memcpy(active_->place({segment_, 0}, header.size()), header.data(), header.size());
  active_->copied();
  buffered_ += header.size();
  offset_ = header.size();
}

bool FileJournal::wakes(FrameType type) {
  if (!idle_ || (!is_awaited(type) && buffered_ < kUnawaitedBytesMax)) return false;
  idle_ = false;
  return true;
}

Status FileJournal::grow(std::uint64_t made) {
  const base::Lock growing(growing_);
  {
    const base::Lock lock(mutex_);
    AIMETER_CHECK_OK(check_open());
    if (made_ != made) return {};
  }
  const std::uint64_t number = made + 1;
  auto file = make_segment(files_, segment_path(options_.folder, number), options_.segment_bytes);
  if (!file) return refused(file.error());
  const base::Lock lock(mutex_);
  segments_.push_back({.number = number, .file = *std::move(file)});
  made_ = number;
  room_.add_spare();
  return {};
}

std::optional<Error> FileJournal::failed() const {
  if (!has_failed_.load(std::memory_order_acquire)) return std::nullopt;
  const base::Lock lock(mutex_);
  return failed_;
}

// ---- The writer.

bool FileJournal::run_once() {
  Group* const group = begin_round();
  if (group == nullptr) return false;
  group->await_copies();
  if (const Status written = write(*group); !written) {
    give_up(written.error());
    return false;
  }
  end_round(*group);
  prepare_spare();
  return true;
}

bool FileJournal::rests() {
  const base::Lock lock(mutex_);
  idle_ = failed_.has_value() ||
          (!active_->to_sync && !active_->closing && buffered_ < kUnawaitedBytesMax);
  return idle_;
}

Group* FileJournal::begin_round() {
  const base::Lock lock(mutex_);
  idle_ = failed_.has_value() || active_->empty();
  if (idle_) return nullptr;
  Group* const group = active_;
  active_ = group == &groups_[0] ? &groups_[1] : &groups_[0];
  // Of the frames that come now: they are written when this group is done with.
  all_before_synced_ = (options_.sync && group->to_sync) || group->closing;
  return group;
}

Status FileJournal::write(const Group& group) {
  for (std::size_t i = 0; i < group.chunks(); ++i) AIMETER_CHECK_OK(write(group.chunk(i)));
  const bool sync = (options_.sync && group.to_sync) || group.closing;
  if (!sync) return {};
  AIMETER_FAULT_POINT("journal.before_sync");
  AIMETER_CHECK_OK(writing_file_->sync());
  AIMETER_FAULT_POINT("journal.after_sync");
  return {};
}

Status FileJournal::write(const Chunk& chunk) {
  if (chunk.segment != writing_segment_) {
    AIMETER_CHECK_OK(writing_file_->sync());
    AIMETER_FAULT_POINT("journal.segment_switch");
    const base::Lock lock(mutex_);
    segments_[writing_segment_ - segments_.front().number].file.reset();
    writing_segment_ = chunk.segment;
    writing_file_ = segments_[writing_segment_ - segments_.front().number].file;
  }
  AIMETER_FAULT_POINT("journal.before_write");
  AIMETER_CHECK_OK(writing_file_->write_at(chunk.offset, chunk.bytes()));
  AIMETER_FAULT_POINT("journal.after_write");
  return {};
}

void FileJournal::end_round(Group& group) {
  const std::uint64_t last_frame = group.last_frame;
  {
    const base::Lock lock(mutex_);
    buffered_ -= group.bytes();
    group.clear();
  }
  last_written_.store(last_frame);
  written_.advance(last_frame);
}

void FileJournal::give_up(const Error& error) {
  {
    const base::Lock lock(mutex_);
    failed_ = Error{Code::in_doubt, error.message};
    has_failed_.store(true, std::memory_order_release);
  }
  written_.advance(~std::uint64_t{0});
}

void FileJournal::prepare_spare() {
  std::uint64_t made = 0;
  {
    const base::Lock lock(mutex_);
    if (room_.spares() > 0 || room_.left() > options_.segment_bytes / 2 || closed_) return;
    made = made_;
  }
  // Without success the next reservation tries again, and tells.
  static_cast<void>(grow(made));
}

// ---- Files.

Result<std::vector<FileJournal::Stretch>> FileJournal::stretches(std::uint64_t from_frame,
                                                                 std::uint64_t until) {
  const base::Lock lock(mutex_);
  std::vector<Stretch> found;
  if (segments_.empty() || from_frame < segments_.front().first_frame) {
    return fail(Code::not_found,
                fmt::format("journal: frame {} is no longer in {}", from_frame, options_.folder));
  }
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
    if (segment->first_frame == 0 || segment->first_frame > until) continue;
    found.push_back({segment->number, segment->offset_before(from_frame)});
    if (segment->first_frame <= from_frame) break;
  }
  std::ranges::reverse(found);
  return found;
}

Status FileJournal::read(std::uint64_t from_frame, const std::function<bool(const Frame&)>& visit) {
  const std::uint64_t until = last_written();
  if (from_frame > until) return {};
  AIMETER_TRY(const std::vector<Stretch> parts, stretches(from_frame, until));
  for (const Stretch& part : parts) {
    AIMETER_TRY(SegmentReader reader, SegmentReader::open(files_, options_.folder, part.segment));
    reader.seek(part.offset);
    while (true) {
      const std::uint64_t offset = reader.offset();
      AIMETER_TRY(const std::optional<ParsedFrame> parsed, reader.next());
      if (!parsed) break;
      if (parsed->frame.number < from_frame) continue;
      if (parsed->frame.number != from_frame) {
        return fail(Code::corrupt,
                    fmt::format("{}: offset {}: frame {} where {} belongs", reader.path(), offset,
                                parsed->frame.number, from_frame));
      }
      if (!visit(parsed->frame) || from_frame == until) return {};
      ++from_frame;
    }
  }
  return fail(Code::corrupt,
              fmt::format("{}: frame {} cannot be read, but was written",
                          segment_path(options_.folder, parts.back().segment), from_frame));
}

std::vector<std::uint64_t> FileJournal::droppable(std::uint64_t applied_seq) {
  const base::Lock lock(mutex_);
  std::vector<std::uint64_t> numbers;
  for (std::size_t i = 0; i + 1 < segments_.size(); ++i) {
    const std::uint64_t next = segments_[i + 1].first_frame;
    const bool complete = next != 0 && next <= last_written();
    if (!complete || segments_[i].last_seq > applied_seq || segments_[i].running > 0) break;
    numbers.push_back(segments_[i].number);
  }
  return numbers;
}

Result<int> FileJournal::drop_segments(std::uint64_t applied_seq) {
  const std::vector<std::uint64_t> numbers = droppable(applied_seq);
  if (numbers.empty()) return 0;
  // What stays must say whose leases the engine had, also when the power goes: its header may have
  // been written with frames that nobody awaits.
  AIMETER_TRY(
      const std::unique_ptr<base::File> stays,
      files_.open(segment_path(options_.folder, numbers.back() + 1), base::OpenMode::read_write));
  AIMETER_CHECK_OK(stays->sync());
  int dropped = 0;
  for (const std::uint64_t number : numbers) {
    AIMETER_CHECK_OK(remove_segment(number));
    ++dropped;
    const base::Lock lock(mutex_);
    segments_.pop_front();
  }
  return dropped;
}

Status FileJournal::close() {
  if (!writing_file_) return {};
  // Without room for it the journal ends without its close frame.
  static_cast<void>(append(FrameType::close, "", {}, {}));
  while (run_once()) continue;
  {
    const base::Lock lock(mutex_);
    closed_ = true;
  }
  Status ended = end_files();
  lock_.reset();
  if (const std::optional<Error> error = failed()) return std::unexpected(*error);
  return ended;
}

Status FileJournal::end_files() {
  AIMETER_CHECK_OK(writing_file_->sync());
  std::vector<std::uint64_t> spares;
  std::uint64_t end = 0;
  {
    const base::Lock lock(mutex_);
    if (failed_) return {};  // the bytes stay as they are, for who looks into it
    end = offset_;
    for (Segment& segment : segments_) {
      if (segment.first_frame == 0) spares.push_back(segment.number);
      segment.file.reset();
    }
  }
  AIMETER_CHECK_OK(writing_file_->truncate(end));
  writing_file_.reset();
  std::ranges::reverse(spares);  // a crash in between leaves no gap
  for (const std::uint64_t number : spares) AIMETER_CHECK_OK(remove_segment(number));
  return {};
}

// Names that go together may survive a loss of power in any mixture; a gap would be damage.
Status FileJournal::remove_segment(std::uint64_t number) {
  AIMETER_CHECK_OK(files_.remove(segment_path(options_.folder, number)));
  return files_.sync_folder(options_.folder);
}

Result<std::unique_ptr<Journal>> create(base::Files& files, Options options) {
  options.segment_bytes -= options.segment_bytes % kFrameAlignment;
  if (options.segment_bytes < kSegmentBytesMin) {
    return bad_input("segment_bytes", std::to_string(options.segment_bytes),
                     fmt::format("at least {}", kSegmentBytesMin));
  }
  AIMETER_CHECK_OK(files.make_folder(options.folder));
  AIMETER_TRY(std::unique_ptr<base::FileLock> lock, try_lock_folder(files, options.folder));
  if (!lock) {
    return fail(Code::unavailable,
                fmt::format("journal: another process has the lock of {}", options.folder));
  }
  AIMETER_TRY(const std::vector<std::string> names, files.list(options.folder));
  for (const std::string& name : names) {
    if (!segment_number(name)) continue;
    return fail(Code::failed_precondition,
                fmt::format("journal: {} holds {} already", options.folder, name));
  }
  auto journal = std::make_unique<FileJournal>(files, std::move(options), std::move(lock));
  AIMETER_CHECK_OK(journal->begin());
  return journal;
}

}  // namespace aimeter::journal
