// Package:       base
// Units:         bytes
// Errors:        none (libcrypto failures end the process: there is no safe way on).
// Thread safety: pure functions.
// Ownership:     none.
//
// SHA-256, HMAC-SHA-256, random bytes, hex and base64url (OpenSSL), CRC32C (own, table driven,
// SSE4.2 where the machine has it), and a fast 64-bit mix for hash tables (never written to disk).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aimeter::base {

using Digest = std::array<std::uint8_t, 32>;
using Key16 = std::array<std::uint8_t, 16>;

[[nodiscard]] Digest sha256(std::string_view bytes);
class Sha256 {  // in pieces
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void add(std::string_view bytes);
  [[nodiscard]] Digest digest();  // once, at the end

 private:
  void* context_;
};
[[nodiscard]] Digest hmac_sha256(std::string_view key, std::string_view bytes);
[[nodiscard]] std::string random_bytes(std::size_t count);
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);
[[nodiscard]] std::string hex(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_hex(std::string_view text);
[[nodiscard]] std::string base64url(
    std::string_view bytes);  // without padding (RFC 4648 section 5)
[[nodiscard]] std::optional<std::string> from_base64url(std::string_view text);
// CRC-32C (Castagnoli), RFC 3720 B.4: of "123456789" it is 0xe3069283. `seed` continues an earlier
// one.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);
// The zlib CRC-32 (polynomial 0xedb88320), used by AWS event streams: of "123456789" 0xcbf43926.
[[nodiscard]] std::uint32_t crc32(std::string_view bytes, std::uint32_t seed = 0);
[[nodiscard]] std::uint64_t mix64(std::string_view bytes);
[[nodiscard]] inline std::string_view view_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}
// First 16 bytes of a digest: the form of idempotency keys in frames and tables.
[[nodiscard]] Key16 first16(const Digest& digest);

}  // namespace aimeter::base
