// Segments of a journal. The first byte says what becomes of the frames that the rest describes:
// left as they are, cut off, one bit turned, or replaced by bytes that nobody wrote.
// Package: journal
// Parser: src/journal/recover.cpp src/journal/frame.cpp src/journal/segment_reader.cpp
#include <string>
#include <vector>

#include "base/memory_files.h"
#include "journal/frame.h"
#include "tests/fuzz/input.h"

namespace aimeter::fuzz {
namespace {

using journal::FrameType;

constexpr std::size_t kSegmentBytes = 1'024;
const std::string kFolder = "journal";

struct Written {
  FrameType type = FrameType::begin;
  std::uint16_t flags = 0;
  std::uint64_t number = 0;
  std::string payload;
};

// The journal that a script of bytes writes: a frame is its type, flags and length, then payload.
struct Journal {
  std::vector<std::string> segments;
  std::vector<Written> frames;
  bool known_types = true;

  void begin_segment() {
    segments.push_back(journal::write_header(
        {.engine = 7, .segment = segments.size() + 1, .first_frame = frames.size() + 1}));
  }
  void append(std::uint8_t kind, std::string_view payload) {
    Written frame{.type = static_cast<FrameType>(kind % 6),
                  .flags = (kind & 64) != 0 ? journal::kAllBeforeIsSynced : std::uint16_t{0},
                  .number = frames.size() + 1,
                  .payload = std::string(payload)};
    if (journal::is_numbered(frame.type)) frame.payload.resize(8 + payload.size() % 8);
    const std::size_t bytes = journal::frame_bytes(frame.payload.size());
    if (segments.back().size() + bytes > kSegmentBytes) begin_segment();
    std::string& segment = segments.back();
    const std::size_t at = segment.size();
    segment.resize(at + bytes);
    journal::write_frame(segment.data() + at,
                         {.type = frame.type, .flags = frame.flags, .number = frame.number},
                         frame.payload);
    known_types = known_types && kind % 6 != 0;
    frames.push_back(frame);
    if ((kind & 128) != 0) begin_segment();
  }
};

Journal written(Input& input) {
  Journal made;
  made.begin_segment();
  while (!input.empty()) {
    const std::uint8_t kind = input.byte();
    made.append(kind, input.take(input.byte() % 64));
  }
  return made;
}

// Recovers the segments. What is visited is a beginning of what was written, whatever happened.
Result<journal::Recovered> recover(const Journal& made, std::size_t& visited) {
  base::MemoryFiles files;
  AIMETER_ASSERT(files.make_folder(kFolder).has_value());
  for (std::size_t i = 0; i < made.segments.size(); ++i) {
    std::string bytes = made.segments[i];
    bytes.resize(std::max(bytes.size(), kSegmentBytes), '\0');  // preallocated
    files.set_bytes(journal::segment_path(kFolder, i + 1), std::move(bytes));
  }
  return journal::recover(files, kFolder, [&](const journal::Frame& frame) -> Status {
    if (visited < made.frames.size()) {
      const Written& expected = made.frames[visited];
      AIMETER_ASSERT(frame.number == expected.number);
      AIMETER_ASSERT(frame.type == expected.type);
      AIMETER_ASSERT(frame.flags == expected.flags);
      AIMETER_ASSERT(frame.payload == expected.payload);
    }
    ++visited;
    return {};
  });
}

void expect_recovery(const Journal& made, bool damaged) {
  std::size_t visited = 0;
  const Result<journal::Recovered> recovered = recover(made, visited);
  AIMETER_ASSERT(visited <= made.frames.size());
  if (!recovered) {
    AIMETER_ASSERT(recovered.error().code == Code::corrupt);
    AIMETER_ASSERT(damaged || !made.known_types);
    return;
  }
  AIMETER_ASSERT(recovered->frames == visited);
  if (damaged) return;
  AIMETER_ASSERT(made.known_types);
  AIMETER_ASSERT(visited == made.frames.size());
  AIMETER_ASSERT(recovered->cut_bytes == 0);
  AIMETER_ASSERT(recovered->engine == 7);
  AIMETER_ASSERT(recovered->closed ==
                 (!made.frames.empty() && made.frames.back().type == FrameType::close));
}

// Bytes that nobody wrote: read or refused, and what is a frame is written the same again.
void read_bytes(std::string_view bytes) {
  if (const auto parsed = journal::parse_frame(bytes)) {
    AIMETER_ASSERT(parsed->bytes <= bytes.size());
    AIMETER_ASSERT(parsed->bytes == journal::claimed_bytes(bytes));
    AIMETER_ASSERT(parsed->frame.number == journal::claimed_number(bytes));
  }
  if (journal::header_problem(bytes).empty()) {
    const std::string again = journal::write_header(journal::read_header(bytes));
    AIMETER_ASSERT(again == bytes.substr(0, again.size()));
  }
  Journal alone;
  alone.segments.emplace_back(bytes);
  Journal behind;
  behind.begin_segment();
  behind.segments.back() += bytes;
  for (const Journal& made : {alone, behind}) {
    std::size_t visited = 0;
    const Result<journal::Recovered> recovered = recover(made, visited);
    if (recovered) AIMETER_ASSERT(recovered->frames == visited);
  }
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  fuzz::Input input(data, size);
  const std::uint8_t fate = input.byte() % 4;
  if (fate == 3) {
    fuzz::read_bytes(input.rest());
    return 0;
  }
  const std::uint8_t where = input.byte(), segment = input.byte();
  fuzz::Journal made = fuzz::written(input);
  std::string& bytes = made.segments[segment % made.segments.size()];
  const std::size_t at = (where * 5U + size) % bytes.size();
  if (fate == 1) bytes.resize(at);
  if (fate == 2) bytes[at] = static_cast<char>(bytes[at] ^ (1 << (where % 8)));
  fuzz::expect_recovery(made, fate != 0);
  return 0;
}
