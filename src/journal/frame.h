// Package:       journal
// Units:         bytes
// Errors:        none: what does not check is no frame.
// Thread safety: pure functions.
// Ownership:     a parsed frame borrows its bytes.
//
// Frames and segment headers as bytes. journal.h has the layout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "journal/journal.h"

namespace aimeter::journal {

constexpr std::size_t kFrameHeaderBytes = 20;
constexpr std::size_t kFrameAlignment = 8;
constexpr std::uint8_t kFrameVersion = 1;
// Flag of a frame: everything before it was synced before it was written. Recovery tells by it a
// write that never arrived (torn) from one that was lost later (corrupt).
constexpr std::uint16_t kAllBeforeIsSynced = 1;

constexpr std::size_t kSegmentHeaderBytes = 64;
constexpr std::uint32_t kSegmentVersion = 1;
static_assert(kSegmentHeaderBytes % kFrameAlignment == 0);

[[nodiscard]] constexpr std::size_t frame_bytes(std::size_t payload_bytes) {
  return (kFrameHeaderBytes + payload_bytes + kFrameAlignment - 1) / kFrameAlignment *
         kFrameAlignment;
}

struct FrameHead {
  FrameType type = FrameType::begin;
  std::uint16_t flags = 0;
  std::uint64_t number = 0;
  std::uint64_t seq = 0;  // written over the first 8 bytes of the payload unless 0
};
// Fills frame_bytes(payload.size()) bytes.
void write_frame(char* to, const FrameHead& head, std::string_view payload);

struct ParsedFrame {
  Frame frame = {};  // its segment is 0
  std::uint8_t version = 0;
  std::size_t bytes = 0;  // of the whole frame
};
// The frame at the beginning of `bytes`, if its checksum holds.
[[nodiscard]] std::optional<ParsedFrame> parse_frame(std::string_view bytes);
// What the length field at the beginning of `bytes` says that the whole frame takes.
[[nodiscard]] std::size_t claimed_bytes(std::string_view bytes);
// And which number it says it has. Requires: frame_bytes(0) bytes.
[[nodiscard]] std::uint64_t claimed_number(std::string_view bytes);

struct SegmentHeader {
  std::uint64_t engine = 0, segment = 0, first_frame = 0;
  base::Key16 store_id = {};
};
[[nodiscard]] std::string write_header(const SegmentHeader& header);
// Why `bytes` are no header of this version; "" when they are one.
[[nodiscard]] std::string header_problem(std::string_view bytes);
[[nodiscard]] SegmentHeader read_header(std::string_view bytes);  // Requires: no problem
// All zeros, or written only in its beginning: of its checksum a part is there, then zeros.
[[nodiscard]] bool is_unfinished_header(std::string_view bytes);

[[nodiscard]] std::string segment_path(const std::string& folder, std::uint64_t number);
[[nodiscard]] std::optional<std::uint64_t> segment_number(std::string_view file_name);

}  // namespace aimeter::journal
