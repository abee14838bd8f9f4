// Package:       pricing
// Units:         what a price counts: tokens, or a named count of Usage::units.
// Errors:        none: an unknown name is an empty optional.
// Thread safety: constants.
// Ownership:     none.
//
// The kinds of things that have a price. A part lies inside its parent's count and may be
// charged at the parent's price where the book says so. The order is that of the parts in a cost.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace aimeter::pricing {

enum class Kind : std::uint8_t {
  input,
  cached_input,
  cache_write,
  cache_write_5m,
  cache_write_1h,
  cache_write_audio,
  input_audio,
  cached_input_audio,
  input_image,
  cached_input_image,
  input_video,
  output,
  reasoning,
  output_audio,
  output_image,
  output_video,
  citation,
  images,
  input_images,
  seconds,
  input_seconds,
  output_seconds,
  input_audio_seconds,
  input_video_seconds,
  output_video_seconds,
  characters,
  input_characters,
  output_characters,
  pixels,
  input_pixels,
  pages,
  annotated_pages,
  credits,
  searches,
  searches_low,
  searches_high,
  social_searches,
  storage_searches,
  code_sessions,
  requests
};
constexpr std::size_t kKinds = static_cast<std::size_t>(Kind::requests) + 1;
static_assert(kKinds <= 64, "a PriceSet keeps one bit per kind");

enum class Direction : std::uint8_t { input, output, none };

struct KindCard {
  Kind kind;
  std::string_view name;  // in books and costs
  std::string_view unit;  // key in Usage::units; empty: a field of Usage of its own
  Direction direction;
  std::optional<Kind> parent = {}, other_parent = {};  // the second when the first has no price
  bool tokens = false;
};

[[nodiscard]] const KindCard& card_of(Kind kind);
[[nodiscard]] const std::array<KindCard, kKinds>& kind_cards();
[[nodiscard]] inline std::string_view name_of(Kind kind) { return card_of(kind).name; }
[[nodiscard]] std::optional<Kind> kind_named(std::string_view name);
[[nodiscard]] std::optional<Kind> kind_of_unit(std::string_view unit);
[[nodiscard]] constexpr std::uint64_t bit_of(Kind kind) {
  return std::uint64_t{1} << static_cast<unsigned>(kind);
}
// Every kind that has a parent.
[[nodiscard]] std::uint64_t all_parts();

}  // namespace aimeter::pricing
