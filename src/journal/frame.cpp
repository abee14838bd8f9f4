#include "journal/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace aimeter::journal {
namespace {

constexpr std::string_view kMagic = "AIMJRNL1";
constexpr std::string_view kSuffix = ".seg";
constexpr std::size_t kCheckedFrom = 8;  // what follows the checksum
constexpr std::size_t kHeaderCheckAt = kSegmentHeaderBytes - 4;

template <class Number>
void store(char* to, Number value) {
  for (std::size_t i = 0; i < sizeof(Number); ++i) to[i] = static_cast<char>(value >> (8 * i));
}

template <class Number>
Number load(const char* from) {
  Number value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    value = static_cast<Number>(value | static_cast<Number>(static_cast<std::uint8_t>(from[i]))
                                            << (8 * i));
  }
  return value;
}

// Of the length and of all that follows the checksum: else a length that changed within the padding
// would give another payload of the same bytes.
std::uint32_t checksum_of(std::string_view frame) {
  return base::crc32c(frame.substr(kCheckedFrom), base::crc32c(frame.substr(0, 4)));
}

}  // namespace

void write_frame(char* to, const FrameHead& head, std::string_view payload) {
  const std::size_t bytes = frame_bytes(payload.size());
  store(to, static_cast<std::uint32_t>(payload.size()));
  to[8] = static_cast<char>(head.type);
  to[9] = static_cast<char>(kFrameVersion);
  store(to + 10, head.flags);
  store(to + 12, head.number);
  std::memcpy(to + kFrameHeaderBytes, payload.data(), payload.size());
  if (head.seq != 0) store(to + kFrameHeaderBytes, head.seq);
  const std::size_t end = kFrameHeaderBytes + payload.size();
  std::memset(to + end, 0, bytes - end);
  store(to + 4, checksum_of({to, bytes}));
}

std::size_t claimed_bytes(std::string_view bytes) {
  return bytes.size() < 4 ? 0 : frame_bytes(load<std::uint32_t>(bytes.data()));
}

std::uint64_t claimed_number(std::string_view bytes) {
  return load<std::uint64_t>(bytes.data() + 12);
}

std::optional<ParsedFrame> parse_frame(std::string_view bytes) {
  if (bytes.size() < frame_bytes(0)) return std::nullopt;
  ParsedFrame parsed;
  parsed.bytes = claimed_bytes(bytes);
  if (parsed.bytes > bytes.size()) return std::nullopt;
  const std::uint32_t checksum = load<std::uint32_t>(bytes.data() + 4);
  if (checksum_of(bytes.substr(0, parsed.bytes)) != checksum) return std::nullopt;
  parsed.frame.type = static_cast<FrameType>(bytes[8]);
  parsed.version = static_cast<std::uint8_t>(bytes[9]);
  parsed.frame.flags = load<std::uint16_t>(bytes.data() + 10);
  parsed.frame.number = load<std::uint64_t>(bytes.data() + 12);
  parsed.frame.payload = bytes.substr(kFrameHeaderBytes, load<std::uint32_t>(bytes.data()));
  return parsed;
}

std::string write_header(const SegmentHeader& header) {
  std::string bytes(kSegmentHeaderBytes, '\0');
  std::ranges::copy(kMagic, bytes.begin());
  store(bytes.data() + 8, kSegmentVersion);
  store(bytes.data() + 12, header.engine);
  store(bytes.data() + 20, header.segment);
  store(bytes.data() + 28, header.first_frame);
  std::memcpy(bytes.data() + 36, header.store_id.data(), header.store_id.size());
  store(bytes.data() + kHeaderCheckAt,
        base::crc32c(std::string_view(bytes).substr(0, kHeaderCheckAt)));
  return bytes;
}

std::string header_problem(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return "is shorter than a segment's header";
  if (!bytes.starts_with(kMagic)) return "is no segment of a journal";
  const auto version = load<std::uint32_t>(bytes.data() + 8);
  if (version != kSegmentVersion) {
    return fmt::format("has version {}, this program knows version {}", version, kSegmentVersion);
  }
  const auto check = load<std::uint32_t>(bytes.data() + kHeaderCheckAt);
  if (base::crc32c(bytes.substr(0, kHeaderCheckAt)) != check) return "has a damaged header";
  return "";
}

SegmentHeader read_header(std::string_view bytes) {
  SegmentHeader header;
  header.engine = load<std::uint64_t>(bytes.data() + 12);
  header.segment = load<std::uint64_t>(bytes.data() + 20);
  header.first_frame = load<std::uint64_t>(bytes.data() + 28);
  std::memcpy(header.store_id.data(), bytes.data() + 36, header.store_id.size());
  return header;
}

bool is_unfinished_header(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return true;
  // A write may end at any byte, also inside the check: zeros follow what arrived.
  const std::string_view check = bytes.substr(kHeaderCheckAt, sizeof(std::uint32_t));
  std::string whole(check.size(), '\0');
  store(whole.data(), base::crc32c(bytes.substr(0, kHeaderCheckAt)));
  const std::size_t arrived = check.find_last_not_of('\0') + 1;  // npos + 1 is 0
  return arrived < check.size() && whole.starts_with(check.substr(0, arrived)) && check != whole;
}

std::string segment_path(const std::string& folder, std::uint64_t number) {
  return fmt::format("{}/{:06}{}", folder, number, kSuffix);
}

std::optional<std::uint64_t> segment_number(std::string_view file_name) {
  if (!file_name.ends_with(kSuffix)) return std::nullopt;
  file_name.remove_suffix(kSuffix.size());
  std::uint64_t number = 0;
  const char* end = file_name.data() + file_name.size();
  const auto parsed = std::from_chars(file_name.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end || number == 0) return std::nullopt;
  return number;
}

}  // namespace aimeter::journal
