#include "ledger/frames.h"

#include <fmt/format.h>

namespace aimeter::ledger {
namespace {

// At most kReasonBytesMax of it, whole characters.
std::string_view beginning_of(std::string_view reason) {
  if (reason.size() <= kReasonBytesMax) return reason;
  std::size_t end = kReasonBytesMax;
  while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xc0) == 0x80) --end;
  return reason.substr(0, end);
}

}  // namespace

std::string encode_release(const Release& release) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) {
    bytes += static_cast<char>((release.hold >> shift) & 0xff);
  }
  bytes += beginning_of(release.reason);
  return bytes;
}

Result<Release> decode_release(std::string_view bytes) {
  constexpr std::size_t kHoldBytes = 8;
  if (bytes.size() < kHoldBytes) return fail(Code::corrupt, "a release frame without its hold");
  if (bytes.size() > kHoldBytes + kReasonBytesMax) {
    return fail(Code::corrupt, fmt::format("a release frame with a reason of {} bytes; at most {}",
                                           bytes.size() - kHoldBytes, kReasonBytesMax));
  }
  Release release;
  for (std::size_t i = 0; i < kHoldBytes; ++i) {
    release.hold |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  release.reason = std::string(bytes.substr(kHoldBytes));
  return release;
}

}  // namespace aimeter::ledger
