#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "journal/frame.h"
#include "journal/segment_reader.h"

namespace aimeter::journal {
namespace {

// The least that a disk writes as a whole; a write that never arrived leaves whole ones untouched.
constexpr std::uint64_t kSectorBytes = 512;
constexpr std::string_view kLock = "lock";

std::unexpected<Error> damaged(const std::string& path, std::uint64_t offset, std::string problem) {
  return fail(Code::corrupt, fmt::format("{}: offset {}: {}", path, offset, problem));
}

bool is_zero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

// What stands from `at` on, where no frame checks.
struct Tail {
  std::uint64_t at = 0;  // offset in the file
  std::string bytes = {};

  [[nodiscard]] std::uint64_t written_bytes() const {
    const std::size_t last = bytes.find_last_not_of('\0');
    return last == std::string::npos ? 0 : last + 1;
  }
  // Between the beginning and the valid frame at `next` there is a sector that was never written.
  [[nodiscard]] bool has_hole_before(std::size_t next) const {
    std::size_t from = 0;
    while (from < next) {
      const std::size_t to = from + kSectorBytes - (at + from) % kSectorBytes;
      if (to <= next && is_zero(std::string_view(bytes).substr(from, to - from))) return true;
      from = to;
    }
    return false;
  }
};

class Recovery {
 public:
  using Visit = std::function<Status(const Frame&)>;
  Recovery(base::Files& files, const std::string& folder, const Visit& visit)
      : files_(files), folder_(folder), visit_(visit) {}

  Result<Recovered> run() {
    AIMETER_TRY(const std::vector<std::uint64_t> numbers, segment_numbers());
    for (const std::uint64_t number : numbers) {
      AIMETER_TRY(SegmentReader segment, SegmentReader::open(files_, folder_, number));
      AIMETER_CHECK_OK(ended_ ? expect_unused(segment) : read_segment(segment));
    }
    return recovered_;
  }

 private:
  Result<std::vector<std::uint64_t>> segment_numbers() {
    AIMETER_TRY(const std::vector<std::string> names, files_.list(folder_));
    std::vector<std::uint64_t> numbers;
    for (const std::string& name : names) {
      if (const auto number = segment_number(name)) numbers.push_back(*number);
    }
    std::ranges::sort(numbers);
    for (std::size_t i = 1; i < numbers.size(); ++i) {
      if (numbers[i] == numbers[i - 1] + 1) continue;
      return damaged(segment_path(folder_, numbers[i - 1] + 1), 0,
                     "is missing between its neighbours");
    }
    return numbers;
  }

  // After the end nothing may follow but segments that were never begun.
  Status expect_unused(SegmentReader& segment) {
    AIMETER_TRY(const std::string header, segment.header());
    const bool used = header_problem(header).empty();
    if (!used) return expect_nothing_valid(segment, {kSegmentHeaderBytes, {}});
    return damaged(
        ended_at_, ended_offset_,
        fmt::format("frame {} does not check, but {} follows", next_frame_, segment.path()));
  }

  Status read_segment(SegmentReader& segment) {
    AIMETER_TRY(const std::string bytes, segment.header());
    if (const std::string problem = header_problem(bytes); !problem.empty()) {
      if (!is_unfinished_header(bytes)) return damaged(segment.path(), 0, problem);
      end_at(segment, 0);
      recovered_.cut_bytes += Tail{0, bytes}.written_bytes();
      return expect_nothing_valid(segment, {kSegmentHeaderBytes, {}});
    }
    AIMETER_CHECK_OK(check_header(segment, read_header(bytes)));
    return read_frames(segment);
  }

  Status check_header(const SegmentReader& segment, const SegmentHeader& header) {
    if (header.segment != segment.number()) {
      return damaged(segment.path(), 0, fmt::format("is segment {} by its header", header.segment));
    }
    const bool first = !begun_;
    const std::uint64_t expected = !first                ? next_frame_
                                   : header.segment == 1 ? 1
                                                         : header.first_frame;
    if (header.first_frame != expected) {
      return damaged(
          segment.path(), 0,
          fmt::format("begins with frame {} where {} belongs", header.first_frame, expected));
    }
    if (!first && header.engine != recovered_.engine) {
      return damaged(
          segment.path(), 0,
          fmt::format("is of engine {}, the others of {}", header.engine, recovered_.engine));
    }
    if (!first && header.store_id != recovered_.store_id) {
      return damaged(segment.path(), 0, "is of another store than the others");
    }
    begun_ = true;
    recovered_.engine = header.engine;
    recovered_.store_id = header.store_id;
    next_frame_ = expected;
    return {};
  }

  Status read_frames(SegmentReader& segment) {
    while (true) {
      const std::uint64_t offset = segment.offset();
      AIMETER_TRY(const std::optional<ParsedFrame> parsed, segment.next());
      if (!parsed) return read_tail(segment, offset);
      AIMETER_CHECK_OK(check_frame(segment, offset, *parsed));
      AIMETER_CHECK_OK(visit_(parsed->frame));
      ++next_frame_;
      ++recovered_.frames;
      recovered_.closed = parsed->frame.type == FrameType::close;
    }
  }

  Status check_frame(const SegmentReader& segment, std::uint64_t offset,
                     const ParsedFrame& parsed) const {
    if (parsed.version != kFrameVersion) {
      return damaged(segment.path(), offset,
                     fmt::format("a frame has version {}, this program knows version {}",
                                 parsed.version, kFrameVersion));
    }
    const Frame& frame = parsed.frame;
    if (frame.type < FrameType::begin || frame.type > FrameType::close) {
      return damaged(segment.path(), offset,
                     fmt::format("frame type {} is not known", static_cast<int>(frame.type)));
    }
    if (is_numbered(frame.type) && frame.payload.size() < sizeof(std::uint64_t)) {
      return damaged(segment.path(), offset, "a numbered frame is too short for its seq");
    }
    if (frame.number == next_frame_) return {};
    return damaged(segment.path(), offset,
                   fmt::format("frame {} where {} belongs", frame.number, next_frame_));
  }

  // The last segment ends the journal; an earlier one ends where less than a frame was left.
  Status read_tail(SegmentReader& segment, std::uint64_t offset) {
    AIMETER_TRY(std::string bytes, segment.rest(offset));
    const Tail tail{offset, std::move(bytes)};
    const std::uint64_t written = tail.written_bytes();
    if (written == 0) {
      AIMETER_TRY(const bool goes_on, next_is_used(segment.number()));
      if (goes_on) return {};
    }
    recovered_.cut_bytes += written;
    end_at(segment, offset);
    ended_clean_ = written == 0;
    return expect_nothing_valid(segment, tail);
  }

  Result<bool> next_is_used(std::uint64_t number) {
    auto next = SegmentReader::open(files_, folder_, number + 1);
    if (!next && next.error().code == Code::not_found) return false;
    if (!next) return std::unexpected(next.error());
    AIMETER_TRY(const std::string header, next->header());
    return !is_unfinished_header(header);
  }

  // No frame may stand behind the end, but those of the group whose write did not arrive whole.
  Status expect_nothing_valid(SegmentReader& segment, Tail tail) {
    if (tail.bytes.empty()) {
      AIMETER_TRY(tail.bytes, segment.rest(tail.at));
    }
    // A segment is synced before the next one is begun.
    const bool here = ended_at_ == segment.path();
    bool torn = here ? ended_offset_ == 0 : ended_clean_;
    std::size_t at = 0;
    while (at + frame_bytes(0) <= tail.bytes.size()) {
      const std::string_view bytes = std::string_view(tail.bytes).substr(at);
      const bool looks_right = is_expected(claimed_number(bytes), at);
      const auto parsed = looks_right ? parse_frame(bytes) : std::nullopt;
      at += parsed ? parsed->bytes : kFrameAlignment;
      if (!parsed) continue;
      torn = torn || (here && tail.has_hole_before(at - parsed->bytes));
      if (torn && (parsed->frame.flags & kAllBeforeIsSynced) == 0) continue;
      return damaged(
          ended_at_, ended_offset_,
          fmt::format("frame {} does not check, but frame {} at offset {} of {} does", next_frame_,
                      parsed->frame.number, tail.at + at - parsed->bytes, segment.path()));
    }
    return {};
  }

  // Numbers that can stand so many bytes behind the end.
  [[nodiscard]] bool is_expected(std::uint64_t number, std::size_t distance) const {
    return number >= next_frame_ && number - next_frame_ <= 1 + distance / frame_bytes(0);
  }

  void end_at(const SegmentReader& segment, std::uint64_t offset) {
    ended_ = true;
    ended_at_ = segment.path();
    ended_offset_ = offset;
  }

  base::Files& files_;
  const std::string& folder_;
  const Visit& visit_;
  Recovered recovered_;
  std::uint64_t next_frame_ = 1;
  bool begun_ = false;        // a segment's header was read
  bool ended_ = false;        // the last frame was read
  bool ended_clean_ = false;  // and nothing was written behind it in its segment
  std::string ended_at_;
  std::uint64_t ended_offset_ = 0;
};

}  // namespace

Result<Recovered> recover(base::Files& files, const std::string& folder,
                          const std::function<Status(const Frame&)>& visit) {
  return Recovery(files, folder, visit).run();
}

Result<bool> is_begun(base::Files& files, const std::string& folder) {
  AIMETER_TRY(const std::vector<std::string> names, files.list(folder));
  return std::ranges::any_of(names, [](const std::string& name) { return name != kLock; });
}

Result<std::unique_ptr<base::FileLock>> try_lock_folder(base::Files& files,
                                                        const std::string& folder) {
  return files.try_lock(fmt::format("{}/{}", folder, kLock));
}

}  // namespace aimeter::journal
