// The AWS event stream. An even first byte: the bytes as they are. An odd one: lengths and
// checksums are put right first, so that what stands behind them is reached.
// Package: drivers
// Parser: src/provider/event_stream.cpp src/provider/base64.cpp
#include <string>
#include <vector>

#include "base/hash.h"
#include "provider/event_stream.h"
#include "tests/fuzz/answers.h"
#include "tests/fuzz/input.h"

namespace aimeter::fuzz {
namespace {

constexpr std::size_t kAround = 16;  // prelude and both checksums

std::string big_endian(std::size_t value) {
  std::string bytes(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(value >> (24 - 8 * i));
  return bytes;
}

// Header bytes end with '|', a message with '\n': "\x0d:message-type\x07\x00\x05event|{...}\n".
std::string stream_of(std::string_view text) {
  Input input(text.data() == nullptr ? nullptr : reinterpret_cast<const std::uint8_t*>(text.data()),
              text.size());
  std::string stream;
  while (!input.empty()) {
    Input parts = input;
    const std::string_view all = input.until('\n');
    const std::string_view headers = parts.until('|').substr(0, all.size());
    const std::string_view payload = all.substr(std::min(all.size(), headers.size() + 1));
    std::string message = big_endian(kAround + headers.size() + payload.size());
    message += big_endian(headers.size());
    message += big_endian(base::crc32(message));
    message.append(headers).append(payload);
    stream += message + big_endian(base::crc32(message));
  }
  return stream;
}

class Messages final : public provider::MessageSink {
 public:
  void on_message(const provider::StreamMessage& message) override {
    for (const std::string_view part :
         {message.message_type, message.event_type, message.exception_type, message.payload}) {
      seen += part;
      seen += '\0';
    }
    payload_bytes += message.payload.size();
  }
  std::string seen;
  std::size_t payload_bytes = 0;
};

struct Read {
  std::string seen = {}, failure = {};
  friend bool operator==(const Read&, const Read&) = default;
};

Read read_cut(std::string_view stream, std::size_t cut) {
  Messages messages;
  provider::EventStreamReader reader;
  feed_cut(stream, cut, [&](std::string_view piece) { reader.feed(piece, messages); });
  reader.finish();
  AIMETER_ASSERT(messages.payload_bytes <= stream.size());
  return {messages.seen, std::string(reader.failure())};
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  fuzz::Input input(data, size);
  const bool repaired = input.byte() % 2 == 1;
  const std::string stream = repaired ? fuzz::stream_of(input.rest()) : std::string(input.rest());
  const fuzz::Read whole = fuzz::read_cut(stream, 0);
  for (const std::size_t cut : fuzz::kCuts) AIMETER_ASSERT(fuzz::read_cut(stream, cut) == whole);
  if (repaired) {  // the frame was right: only its headers can be wrong
    AIMETER_ASSERT(whole.failure.find("checksum") == std::string::npos);
    if (!stream.empty() && whole.failure.empty()) {  // and a byte that is changed is found
      std::string damaged = stream;
      damaged[size % damaged.size()] ^= 1;
      AIMETER_ASSERT(fuzz::read_cut(damaged, 0) != whole);
    }
  }
  fuzz::read_answer("bedrock", {.stream = true}, stream);
  return 0;
}
