// Package:       store
// Units:         bytes, little-endian, varints (LEB128, zigzag for signed).
// Errors:        a ByteReader keeps the first thing that was wrong; after it all values are empty.
// Thread safety: a writer or reader is used by one thread.
// Ownership:     a ByteReader borrows its bytes.
//
// Values to bytes and back. Reading trusts nothing: no length is believed beyond the bytes that are
// there, and a varint must be the shortest of its value.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace aimeter::store {

class ByteWriter {
 public:
  explicit ByteWriter(std::size_t expected) : bytes_(expected, '\0') {}
  void put_byte(std::uint8_t value) { *room(1) = static_cast<char>(value); }
  void put_fixed64(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) put_byte(static_cast<std::uint8_t>(value >> shift));
  }
  void put_unsigned(std::uint64_t value) {
    constexpr std::size_t kBytesMax = 10;
    char* const first = room(kBytesMax);
    char* next = first;
    for (; value >= 0x80; value >>= 7) *next++ = static_cast<char>(value | 0x80);
    *next++ = static_cast<char>(value);
    used_ -= kBytesMax - static_cast<std::size_t>(next - first);
  }
  void put_signed(std::int64_t value) {
    put_unsigned((static_cast<std::uint64_t>(value) << 1) ^
                 static_cast<std::uint64_t>(value >> 63));
  }
  void put_text(std::string_view text) {
    put_unsigned(text.size());
    put_raw(text);
  }
  void put_raw(std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
  }
  [[nodiscard]] std::string take() && {
    bytes_.resize(used_);
    return std::move(bytes_);
  }

 private:
  char* room(std::size_t count) {
    if (bytes_.size() - used_ < count) bytes_.resize(2 * bytes_.size() + count);
    used_ += count;
    return bytes_.data() + used_ - count;
  }

  std::string bytes_;  // the first used_ are written
  std::size_t used_ = 0;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : whole_(bytes), rest_(bytes) {}

  std::uint8_t byte(std::string_view field) { return static_cast<std::uint8_t>(take(1, field)[0]); }
  std::uint64_t fixed64(std::string_view field) {
    const std::string_view bytes = take(8, field);
    std::uint64_t value = 0;
    for (int i = 7; i >= 0; --i) value = (value << 8) | static_cast<std::uint8_t>(bytes[i]);
    return value;
  }
  std::uint64_t number(std::string_view field);
  std::int64_t signed_number(std::string_view field) {
    const std::uint64_t value = number(field);
    return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
  }
  std::uint32_t number32(std::string_view field);
  std::string text(std::string_view field);
  // A small number that must be <= `last`.
  std::uint8_t choice(std::uint8_t last, std::string_view field);
  // Raw bytes; zeros when they are not there.
  std::string_view take(std::size_t count, std::string_view field);
  // Nothing may be left.
  void end();

  void fail(std::string_view field, std::string_view problem);
  [[nodiscard]] bool failed() const { return !problem_.empty(); }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  std::string_view whole_, rest_;
  std::string problem_;
};

}  // namespace aimeter::store
