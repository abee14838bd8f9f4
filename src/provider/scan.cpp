#include "provider/scan.h"

#include <algorithm>
#include <bit>

#include "aimeter/result.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace aimeter::provider {
namespace {

// So far is looked for '\n' while lines end in '\r': short lines must not each see all of the rest.
constexpr std::size_t kWindow = 512;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::size_t skip_spaces(std::string_view json, std::size_t at) {
  while (at < json.size() && is_space(json[at])) ++at;
  return at;
}

bool starts(char first, char second, const KeyFilter::Letters& letters) {
  if (first != '"' && first != '\\') return false;
  return second == letters[0] || second == letters[1] || second == letters[2];
}

std::size_t next_start(std::string_view json, std::size_t at, const KeyFilter::Letters& letters) {
  for (; at + 1 < json.size(); ++at) {
    if (starts(json[at], json[at + 1], letters)) return at;
  }
  return std::string_view::npos;
}

#if defined(__x86_64__)
constexpr std::size_t kBlock = 32;

// The last block overlaps the one before it, so that no byte is looked at alone.
[[gnu::target("avx2")]] std::size_t next_start_avx2(std::string_view json, std::size_t from,
                                                    const KeyFilter::Letters& letters) {
  if (json.size() < from + kBlock + 1) return next_start(json, from, letters);
  const __m256i quote = _mm256_set1_epi8('"'), escape = _mm256_set1_epi8('\\');
  const __m256i one = _mm256_set1_epi8(letters[0]), two = _mm256_set1_epi8(letters[1]),
                three = _mm256_set1_epi8(letters[2]);
  const std::size_t last = json.size() - kBlock - 1;
  for (std::size_t at = from;; at = std::min(at + kBlock, last)) {
    const auto* const block = reinterpret_cast<const __m256i*>(json.data() + at);
    const auto* const next = reinterpret_cast<const __m256i*>(json.data() + at + 1);
    const __m256i first = _mm256_loadu_si256(block), second = _mm256_loadu_si256(next);
    const __m256i opens =
        _mm256_or_si256(_mm256_cmpeq_epi8(first, quote), _mm256_cmpeq_epi8(first, escape));
    const __m256i letter = _mm256_or_si256(
        _mm256_or_si256(_mm256_cmpeq_epi8(second, one), _mm256_cmpeq_epi8(second, two)),
        _mm256_cmpeq_epi8(second, three));
    const auto mask = static_cast<unsigned>(_mm256_movemask_epi8(_mm256_and_si256(opens, letter)));
    if (mask != 0) return at + static_cast<std::size_t>(std::countr_zero(mask));
    if (at == last) return std::string_view::npos;
  }
}

const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;
#endif

std::size_t find_start(std::string_view json, std::size_t at, const KeyFilter::Letters& letters) {
#if defined(__x86_64__)
  if (kHasAvx2) return next_start_avx2(json, at, letters);
#endif
  return next_start(json, at, letters);
}

}  // namespace

std::size_t find_line_end(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); at += kWindow) {
    const std::string_view window = text.substr(at, kWindow);
    const std::size_t end = window.find('\n');
    const std::size_t cr = window.substr(0, end).find('\r');
    if (cr != std::string_view::npos) return at + cr;
    if (end != std::string_view::npos) return at + end;
  }
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
  AIMETER_ASSERT(std::ranges::find(letters_, 'u') != letters_.end());
}

bool KeyFilter::hit(std::string_view json) const {
  std::size_t at = find_start(json, 0, letters_);
  while (at != std::string_view::npos) {
    if (hit_at(json, at)) return true;
    at = find_start(json, at + 1, letters_);
  }
  return false;
}

bool KeyFilter::hit_at(std::string_view json, std::size_t quote) const {
  if (json[quote] == '\\') return json[quote + 1] == 'u';
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
