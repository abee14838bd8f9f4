// Package:       provider
// Units:         bytes
// Errors:        none: an event above kEventBytesMax is dropped and reported as too_large().
// Thread safety: belongs to one answer.
// Ownership:     owns its buffers; the sink is borrowed for the call.
//
// Server-sent events as in the WHATWG standard (section 9.2.6), fed in pieces of any size. Lines
// end with LF, CRLF or CR; the data lines of an event are joined with LF; comments and other
// fields are skipped. Unlike a browser it gives out an event that the end of the stream cut off:
// its data may be whole.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace aimeter::provider {

// One Responses event carries the whole answer, with images as base64.
constexpr std::size_t kEventBytesMax = std::size_t{16} << 20;

class EventSink {
 public:
  virtual ~EventSink() = default;
  // `data` may be changed; it is cleared afterwards.
  virtual void on_event(std::string_view name, std::string& data) = 0;
};

class SseReader {
 public:
  void feed(std::string_view piece, EventSink& sink);
  void finish(EventSink& sink);
  [[nodiscard]] bool too_large() const { return too_large_; }

 private:
  void take_line(std::string_view line, EventSink& sink);
  void dispatch(EventSink& sink);
  bool fits(std::size_t held, std::size_t more);

  std::string line_ = {};  // the beginning of a line whose end has not come yet
  std::string data_ = {};
  std::string name_ = {};
  bool has_data_ = false;
  bool line_too_long_ = false;  // what has come of the line is above the limit
  bool after_cr_ = false;       // an LF that comes next belongs to the line before
  bool dropping_ = false;       // the event is too large: nothing of it is kept
  bool too_large_ = false;
};

}  // namespace aimeter::provider
