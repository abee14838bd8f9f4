#include "ledger/frames.h"

#include <algorithm>

namespace aimeter::ledger {

std::string encode_release(const Release& release) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) {
    bytes += static_cast<char>((release.hold >> shift) & 0xff);
  }
  bytes += release.reason.substr(0, kReasonBytesMax);
  return bytes;
}

Result<Release> decode_release(std::string_view bytes) {
  constexpr std::size_t kHoldBytes = 8;
  if (bytes.size() < kHoldBytes) return fail(Code::corrupt, "a release frame without its hold");
  Release release;
  for (std::size_t i = 0; i < kHoldBytes; ++i) {
    release.hold |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  release.reason = std::string(bytes.substr(kHoldBytes));
  return release;
}

}  // namespace aimeter::ledger
