// Package:       provider
// Units:         bytes
// Errors:        failure() tells the first one; nothing is read after it.
// Thread safety: belongs to one answer.
// Ownership:     owns its buffer; the sink is borrowed for the call.
//
// AWS event stream (application/vnd.amazon.eventstream), fed in pieces of any size. Both CRCs of a
// message are checked, the prelude's before its lengths are believed, so that a lying length never
// costs memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace aimeter::provider {

// AWS allows 24 MB of payload; Bedrock's answers stay far below. 128 KiB of headers is AWS's limit.
constexpr std::size_t kMessageBytesMax = std::size_t{16} << 20;
constexpr std::size_t kMessageHeaderBytesMax = std::size_t{128} << 10;

struct StreamMessage {
  std::string_view message_type = {};    // "event", "exception", "error"
  std::string_view event_type = {};      // "chunk", "metadata" ...
  std::string_view exception_type = {};  // "throttlingException" ..., or the code of an "error"
  std::string_view payload = {};
};

class MessageSink {
 public:
  virtual ~MessageSink() = default;
  virtual void on_message(const StreamMessage& message) = 0;
};

class EventStreamReader {
 public:
  void feed(std::string_view piece, MessageSink& sink);
  void finish();  // an unfinished message is a failure
  // "" while all is well, else what is wrong, in words of ours.
  [[nodiscard]] std::string_view failure() const { return failure_; }

 private:
  [[nodiscard]] bool take_message(std::string_view message, MessageSink& sink);
  [[nodiscard]] bool check_prelude(std::string_view prelude);
  std::string buffer_ = {};
  std::size_t wanted_ =
      0;  // length of the message that the buffer begins with; 0: prelude not read
  std::string_view failure_ = {};
};

}  // namespace aimeter::provider
