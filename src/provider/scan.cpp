#include "provider/scan.h"

#include <algorithm>
#include <bit>

#include "aimeter/result.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace aimeter::provider {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::size_t skip_spaces(std::string_view json, std::size_t at) {
  while (at < json.size() && is_space(json[at])) ++at;
  return at;
}

#if defined(__SSE2__)
constexpr std::size_t kBlock = 16;
__m128i block_at(std::string_view text, std::size_t at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
}
__m128i equal(__m128i block, char c) { return _mm_cmpeq_epi8(block, _mm_set1_epi8(c)); }
#endif

}  // namespace

std::size_t find_line_end(std::string_view text) {
  std::size_t at = 0;
#if defined(__SSE2__)
  for (; at + kBlock <= text.size(); at += kBlock) {
    const __m128i block = block_at(text, at);
    const int mask = _mm_movemask_epi8(_mm_or_si128(equal(block, '\n'), equal(block, '\r')));
    if (mask != 0) return at + static_cast<std::size_t>(std::countr_zero(unsigned(mask)));
  }
#endif
  for (; at < text.size(); ++at)
    if (text[at] == '\n' || text[at] == '\r') return at;
  return std::string_view::npos;
}

KeyFilter::KeyFilter(std::span<const std::string_view> keys) : keys_(keys) {
  AIMETER_ASSERT(!keys.empty());
  letters_.fill(keys.front().front());
  std::size_t used = 1;
  for (const std::string_view key : keys) {
    if (std::find(letters_.begin(), letters_.begin() + used, key.front()) !=
        letters_.begin() + used)
      continue;
    AIMETER_ASSERT(used < kFirstLettersMax);
    letters_[used++] = key.front();
  }
}

bool KeyFilter::hit(std::string_view json) const {
  std::size_t at = 0;
#if defined(__SSE2__)
  for (; at + kBlock + 1 <= json.size(); at += kBlock) {
    const __m128i first = block_at(json, at);
    const __m128i second = block_at(json, at + 1);
    __m128i letter = equal(second, letters_[0]);
    letter = _mm_or_si128(letter, equal(second, letters_[1]));
    letter = _mm_or_si128(letter, equal(second, letters_[2]));
    const __m128i key = _mm_and_si128(equal(first, '"'), letter);
    const __m128i escape = _mm_and_si128(equal(first, '\\'), equal(second, 'u'));
    unsigned mask = unsigned(_mm_movemask_epi8(_mm_or_si128(key, escape)));
    for (; mask != 0; mask &= mask - 1)
      if (hit_at(json, at + static_cast<std::size_t>(std::countr_zero(mask)))) return true;
  }
#endif
  for (; at + 1 < json.size(); ++at) {
    const bool starts = json[at] == '"' || (json[at] == '\\' && json[at + 1] == 'u');
    if (starts && hit_at(json, at)) return true;
  }
  return false;
}

bool KeyFilter::hit_at(std::string_view json, std::size_t quote) const {
  if (json[quote] == '\\') return true;
  const std::string_view rest = json.substr(quote + 1);
  for (const std::string_view key : keys_) {
    if (!rest.starts_with(key)) continue;
    std::size_t at = rest.find('"', key.size());
    if (at == std::string_view::npos) return true;
    at = skip_spaces(rest, at + 1);
    if (at >= rest.size() || rest[at] != ':') return true;
    at = skip_spaces(rest, at + 1);
    if (!rest.substr(at).starts_with("null")) return true;
  }
  return false;
}

}  // namespace aimeter::provider
