#include "store/bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace aimeter::store {
namespace {

constexpr std::size_t kFixedBytesMax = 16;
constexpr char kZeros[kFixedBytesMax] = {};

}  // namespace

void ByteReader::fail(std::string_view field, std::string_view problem) {
  if (failed()) return;
  problem_ = fmt::format("{} at byte {}: {}", field, whole_.size() - rest_.size(), problem);
  rest_ = {};
}

std::string_view ByteReader::take(std::size_t count, std::string_view field) {
  if (rest_.size() < count) {
    fail(field, "the bytes end here");
    return {kZeros, std::min(count, kFixedBytesMax)};
  }
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

std::uint64_t ByteReader::number(std::string_view field) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) {
      fail(field, "the bytes end here");
      return 0;
    }
    const auto byte = static_cast<std::uint8_t>(rest_[0]);
    const std::uint64_t part = byte & 0x7f;
    const bool shortest = byte != 0 || shift == 0;
    if (!shortest || (part << shift) >> shift != part) break;
    rest_.remove_prefix(1);
    value |= part << shift;
    if (byte < 0x80) return value;
  }
  fail(field, "is no number");
  return 0;
}

std::uint32_t ByteReader::number32(std::string_view field) {
  const std::uint64_t value = number(field);
  if (value > std::numeric_limits<std::uint32_t>::max()) fail(field, "is above 32 bits");
  return failed() ? 0 : static_cast<std::uint32_t>(value);
}

std::string ByteReader::text(std::string_view field) {
  const std::uint64_t length = number(field);
  if (length > rest_.size()) {
    fail(field, fmt::format("says {} bytes, {} are left", length, rest_.size()));
    return {};
  }
  return std::string(take(length, field));
}

std::uint8_t ByteReader::choice(std::uint8_t last, std::string_view field) {
  const std::uint8_t value = byte(field);
  if (value > last) fail(field, fmt::format("is {}, at most {} is known", value, last));
  return failed() ? 0 : value;
}

void ByteReader::end() {
  if (!rest_.empty()) fail("end", fmt::format("{} bytes too many", rest_.size()));
}

}  // namespace aimeter::store
