#include "provider/event_stream.h"

#include <array>

#include "base/hash.h"

namespace aimeter::provider {
namespace {

constexpr std::size_t kPrelude = 12;  // total length, length of the headers, CRC of both
constexpr std::size_t kCrc = 4;
constexpr std::size_t kSmallest = kPrelude + kCrc;

std::uint32_t big_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::string_view take(std::string_view& bytes, std::size_t size) {
  const std::string_view taken = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return taken;
}

// Length of a header's value of `type`; npos: bytes or text with a length of its own; npos - 1:
// unknown.
constexpr std::size_t kOwnLength = std::string_view::npos;
constexpr std::size_t kUnknownType = kOwnLength - 1;
std::size_t value_size(unsigned char type) {
  constexpr std::array<std::size_t, 10> kSizes = {0, 0, 1, 2, 4, 8, kOwnLength, kOwnLength, 8, 16};
  return type < kSizes.size() ? kSizes[type] : kUnknownType;
}

void note_header(std::string_view name, std::string_view value, StreamMessage& message) {
  if (name == ":message-type") message.message_type = value;
  if (name == ":event-type") message.event_type = value;
  if (name == ":exception-type" || name == ":error-code") message.exception_type = value;
}

bool read_headers(std::string_view bytes, StreamMessage& message) {
  while (!bytes.empty()) {
    const std::size_t name_size = static_cast<unsigned char>(take(bytes, 1).front());
    if (bytes.size() < name_size + 1) return false;
    const std::string_view name = take(bytes, name_size);
    const auto type = static_cast<unsigned char>(take(bytes, 1).front());
    std::size_t size = value_size(type);
    if (size == kUnknownType) return false;
    if (size == kOwnLength) {
      if (bytes.size() < 2) return false;
      size = big_endian(take(bytes, 2), 0, 2);
    }
    if (bytes.size() < size) return false;
    note_header(name, take(bytes, size), message);
  }
  return true;
}

}  // namespace

void EventStreamReader::feed(std::string_view piece, MessageSink& sink) {
  if (!failure_.empty()) return;
  buffer_.append(piece);
  std::string_view rest = buffer_;
  while (failure_.empty()) {
    if (wanted_ == 0) {
      if (rest.size() < kPrelude) break;
      if (!check_prelude(rest.substr(0, kPrelude))) break;
      wanted_ = big_endian(rest, 0, 4);
    }
    if (rest.size() < wanted_) break;
    const std::string_view message = take(rest, wanted_);
    wanted_ = 0;
    if (!take_message(message, sink)) break;
  }
  if (!failure_.empty()) {
    buffer_ = std::string();
    return;
  }
  buffer_.erase(0, buffer_.size() - rest.size());
}

void EventStreamReader::finish() {
  if (failure_.empty() && !buffer_.empty()) failure_ = "the event stream ends inside a message";
}

bool EventStreamReader::check_prelude(std::string_view prelude) {
  const std::size_t total = big_endian(prelude, 0, 4);
  const std::size_t headers = big_endian(prelude, 4, 4);
  if (base::crc32(prelude.substr(0, 8)) != big_endian(prelude, 8, 4))
    failure_ = "the checksum of an event stream's prelude does not hold";
  else if (total < kSmallest || total > kMessageBytesMax)
    failure_ = "a message of the event stream has a length that is not accepted";
  else if (headers > total - kSmallest || headers > kMessageHeaderBytesMax)
    failure_ = "a message of the event stream has headers longer than itself";
  return failure_.empty();
}

bool EventStreamReader::take_message(std::string_view message, MessageSink& sink) {
  const std::size_t end = message.size() - kCrc;
  if (base::crc32(message.substr(0, end)) != big_endian(message, end, kCrc)) {
    failure_ = "the checksum of an event stream's message does not hold";
    return false;
  }
  const std::size_t headers = big_endian(message, 4, 4);
  StreamMessage found = {};
  if (!read_headers(message.substr(kPrelude, headers), found)) {
    failure_ = "the headers of an event stream's message cannot be read";
    return false;
  }
  found.payload = message.substr(kPrelude + headers, end - kPrelude - headers);
  sink.on_message(found);
  return true;
}

}  // namespace aimeter::provider
