// Package:       tests
// Units:         bytes
// Errors:        a property that does not hold ends the process (AIMETER_ASSERT).
// Thread safety: none
// Ownership:     views of the bytes that the fuzzer gave.
//
// What the fuzz targets share: bytes taken apart, and text cut into pieces of every kind.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "aimeter/result.h"

namespace aimeter::fuzz {

// A target sees its input as text; the first bytes may choose what is done with the rest.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(size == 0 ? std::string_view()
                        : std::string_view(reinterpret_cast<const char*>(data), size)) {}

  // 0 when there is none left.
  std::uint8_t byte() {
    return rest_.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(take(1).front());
  }
  std::string_view take(std::size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // What stands before `end`, which is taken too; all when `end` does not occur.
  std::string_view until(char end) {
    const std::string_view taken = take(rest_.find(end));
    take(1);
    return taken;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// How a text is cut: 0 whole, else into pieces of that size.
inline constexpr std::size_t kCuts[] = {0, 1, 7};

template <class Feed>
void feed_cut(std::string_view text, std::size_t cut, const Feed& feed) {
  if (cut == 0) return feed(text);
  for (; !text.empty(); text.remove_prefix(std::min(cut, text.size()))) feed(text.substr(0, cut));
}

}  // namespace aimeter::fuzz
