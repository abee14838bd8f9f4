// Package:       sim
// Units:         none
// Errors:        none
// Thread safety: none: one thread does everything.
// Ownership:     none.
//
// What happened, in order: always as a hash (the same seed gives the same trace), as text when
// somebody wants to read it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace aimeter::sim {

class Trace {
 public:
  enum class Text : std::uint8_t { none, kept };
  explicit Trace(Text text) : keep_(text == Text::kept) {}

  using Field = std::pair<std::string_view, std::int64_t>;
  void line(std::string_view what, std::initializer_list<Field> fields = {});
  // Of the step that follows; lines are indented by `depth`.
  void begin_step(std::size_t number) { step_ = number; }
  void enter() { ++depth_; }
  void leave() { --depth_; }

  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void mix(std::uint64_t word);

  bool keep_;
  std::size_t step_ = 0;
  int depth_ = 0;
  std::uint64_t hash_ = 14'695'981'039'346'656'037ULL;
  std::string text_ = {};
};

}  // namespace aimeter::sim
