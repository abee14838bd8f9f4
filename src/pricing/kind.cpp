#include "pricing/kind.h"

#include <algorithm>

#include "aimeter/result.h"

namespace aimeter::pricing {
namespace {

using enum Kind;
constexpr auto kInput = Direction::input;
constexpr auto kOutput = Direction::output;
constexpr auto kNone = Direction::none;

constexpr std::array<KindCard, kKinds> kCards = {{
    {Kind::input, "input", "", kInput, {}, {}, true},
    {cached_input, "cached_input", "", kInput, Kind::input, {}, true},
    {cache_write, "cache_write", "", kInput, Kind::input, {}, true},
    {cache_write_5m, "cache_write_5m", "", kInput, cache_write, {}, true},
    {cache_write_1h, "cache_write_1h", "", kInput, cache_write, {}, true},
    {cache_write_audio, "cache_write_audio", "cache_write_audio_tokens", kInput, cache_write,
     input_audio, true},
    {input_audio, "input_audio", "", kInput, Kind::input, {}, true},
    {cached_input_audio, "cached_input_audio", "", kInput, input_audio, cached_input, true},
    {input_image, "input_image", "input_image_tokens", kInput, Kind::input, {}, true},
    {cached_input_image, "cached_input_image", "cached_input_image_tokens", kInput, input_image,
     cached_input, true},
    {input_video, "input_video", "input_video_tokens", kInput, Kind::input, {}, true},
    {Kind::output, "output", "", kOutput, {}, {}, true},
    {reasoning, "reasoning", "", kOutput, Kind::output, {}, true},
    {output_audio, "output_audio", "", kOutput, Kind::output, {}, true},
    {output_image, "output_image", "output_image_tokens", kOutput, Kind::output, {}, true},
    {output_video, "output_video", "output_video_tokens", kOutput, Kind::output, {}, true},
    {citation, "citation", "citation_tokens", kOutput, Kind::output, {}, true},
    {images, "images", "images", kOutput},
    {input_images, "input_images", "input_images", kInput},
    {seconds, "seconds", "seconds", kNone},
    {input_seconds, "input_seconds", "input_seconds", kInput, seconds},
    {output_seconds, "output_seconds", "output_seconds", kOutput, seconds},
    {input_audio_seconds, "input_audio_seconds", "input_audio_seconds", kInput, input_seconds},
    {input_video_seconds, "input_video_seconds", "input_video_seconds", kInput, input_seconds},
    {output_video_seconds, "output_video_seconds", "output_video_seconds", kOutput, output_seconds},
    {characters, "characters", "characters", kNone},
    {input_characters, "input_characters", "input_characters", kInput, characters},
    {output_characters, "output_characters", "output_characters", kOutput, characters},
    {pixels, "pixels", "pixels", kOutput},
    {input_pixels, "input_pixels", "input_pixels", kInput},
    {pages, "pages", "pages", kNone},
    {annotated_pages, "annotated_pages", "annotated_pages", kNone, pages},
    {credits, "credits", "credits", kNone},
    {searches, "searches", "searches", kNone},
    {searches_low, "searches_low", "searches_low", kNone, searches},
    {searches_high, "searches_high", "searches_high", kNone, searches},
    {social_searches, "social_searches", "social_searches", kNone},
    {storage_searches, "storage_searches", "storage_searches", kNone},
    {code_sessions, "code_sessions", "code_sessions", kNone},
    {requests, "requests", "requests", kNone},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kCards.size(); ++i) {
    if (static_cast<std::size_t>(kCards[i].kind) != i) return false;
  }
  return true;
}
static_assert(in_order(), "the table is indexed by Kind");

}  // namespace

const KindCard& card_of(Kind kind) { return kCards.at(static_cast<std::size_t>(kind)); }
const std::array<KindCard, kKinds>& kind_cards() { return kCards; }

std::optional<Kind> kind_named(std::string_view name) {
  const auto found = std::find_if(kCards.begin(), kCards.end(),
                                  [&](const KindCard& card) { return card.name == name; });
  if (found == kCards.end()) return std::nullopt;
  return found->kind;
}

std::optional<Kind> kind_of_unit(std::string_view unit) {
  const auto found = std::find_if(kCards.begin(), kCards.end(), [&](const KindCard& card) {
    return !card.unit.empty() && card.unit == unit;
  });
  if (found == kCards.end()) return std::nullopt;
  return found->kind;
}

std::uint64_t all_parts() {
  std::uint64_t bits = 0;
  for (const KindCard& card : kCards) {
    if (card.parent) bits |= bit_of(card.kind);
  }
  return bits;
}

}  // namespace aimeter::pricing
