// Server-sent events: against a reader that is written as the standard reads, and as the stream of
// a provider that the first byte chooses.
// Package: drivers
// Parser: src/provider/sse.cpp src/provider/scan.cpp
#include <string>
#include <vector>

#include "drivers/builtin.h"
#include "provider/sse.h"
#include "tests/fuzz/answers.h"
#include "tests/fuzz/input.h"

namespace aimeter::fuzz {
namespace {

struct Event {
  std::string name, data;
  friend bool operator==(const Event&, const Event&) = default;
};
class Events final : public provider::EventSink {
 public:
  void on_event(std::string_view name, std::string& data) override {
    all.push_back({std::string(name), data});
    data += "what a sink leaves behind";  // it may
  }
  std::vector<Event> all;
};

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (text[i] == '\r' || text[i] == '\n')
      lines.emplace_back();
    else
      lines.back() += text[i];
  }
  lines.emplace_back();  // the end of the stream ends the event
  return lines;
}

std::vector<Event> as_in_the_standard(std::string_view text) {
  std::vector<Event> events;
  std::vector<std::string> data;
  std::string name;
  for (const std::string& line : lines_of(text)) {
    const std::size_t colon = line.find(':');
    const std::string field = line.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) value.erase(0, 1);
    if (field == "data") data.push_back(value);
    if (field == "event") name = value.substr(0, 64);
    if (!line.empty()) continue;
    if (!data.empty()) {
      std::string joined = data.front();
      for (std::size_t i = 1; i < data.size(); ++i) joined += "\n" + data[i];
      events.push_back({name, joined});
    }
    data.clear();
    name.clear();
  }
  return events;
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  fuzz::Input input(data, size);
  static const std::vector<std::string_view> kProviders = drivers::extractor_names();
  const std::string_view provider = kProviders[input.byte() % kProviders.size()];
  const std::string_view text = input.rest();
  for (const std::size_t cut : fuzz::kCuts) {
    fuzz::Events events;
    provider::SseReader reader;
    fuzz::feed_cut(text, cut, [&](std::string_view piece) { reader.feed(piece, events); });
    reader.finish(events);
    AIMETER_ASSERT(events.all == fuzz::as_in_the_standard(text));
    AIMETER_ASSERT(!reader.too_large());
  }
  fuzz::read_answer(provider, {.stream = true}, text);
  return 0;
}
