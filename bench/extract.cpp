// Usage from a chat completion of 1 KB, and from a stream.
#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "aimeter/provider.h"
#include "bench/process.h"
#include "bench/scenario.h"
#include "drivers/builtin.h"

namespace aimeter::bench {
namespace {

constexpr std::int64_t kAnswers = 200'000, kStreams = 10'000;
constexpr std::int64_t kTotalTokens = 940;
constexpr std::size_t kFrames = 300, kFrameBytes = 340;

// The least that a reader of JSON does: it finds every quote.
std::int64_t quotes_in(std::string_view text) {
  std::int64_t quotes = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  while ((at = static_cast<const char*>(
              std::memchr(at, '"', static_cast<std::size_t>(end - at)))) != nullptr) {
    ++quotes;
    ++at;
  }
  asm volatile("" ::: "memory");  // or the compiler walks once for all
  return quotes;
}

Result<double> us_of_walk(std::string_view text, std::int64_t times) {
  const std::int64_t quotes = quotes_in(text);
  const CpuWatch watch;
  for (std::int64_t i = 0; i < times; ++i) {
    if (quotes_in(text) != quotes) return fail(Code::corrupt, "the answer changed");
  }
  return watch.seconds() * 1e6 / static_cast<double>(times);
}

std::string frame(std::string_view delta, std::string_view usage) {
  const std::string head =
      R"(data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk",)"
      R"("created":1741569952,"model":"gpt-4o-mini-2024-07-18","service_tier":"default",)"
      R"("system_fingerprint":"fp_b8bc95a0ac","choices":[)";
  const std::string tail = fmt::format(R"(],"usage":{}}})"
                                       "\n\n",
                                       usage);
  if (delta.empty()) return head + tail;
  const std::string open = R"({"index":0,"delta":{"content":")";
  const std::string close = R"("},"logprobs":null,"finish_reason":null})";
  std::string content(delta);
  const std::size_t fixed = head.size() + open.size() + close.size() + tail.size();
  while (fixed + content.size() < kFrameBytes) content += delta;
  content.resize(kFrameBytes - fixed);
  return head + open + content + close + tail;
}

// 300 frames of 340 bytes as OpenAI streams them, then the one with the usage, then the end.
std::vector<std::string> stream_of_300() {
  std::vector<std::string> frames(kFrames, frame(" word", "null"));
  frames.push_back(
      frame("", R"({"prompt_tokens":640,"completion_tokens":300,"total_tokens":940})"));
  frames.emplace_back("data: [DONE]\n\n");
  return frames;
}

}  // namespace

Result<Figure> extract_1k() {
  const std::string& body = answer_of_1k();
  const CallInfo call{"openai", "gpt-4o-mini"};
  AIMETER_TRY(const double baseline, us_of_walk(body, kAnswers));
  const CpuWatch watch;
  for (std::int64_t i = 0; i < kAnswers; ++i) {
    AIMETER_TRY(const Usage usage, extract_usage(call, body));
    if (usage.total_tokens.count != kTotalTokens) return fail(Code::corrupt, "a wrong total");
  }
  return Figure{.ours = watch.seconds() * 1e6 / kAnswers,
                .baseline_value = baseline,
                .unit = "us per answer of 1 KB",
                .baseline = "memchr from quote to quote over the same bytes"};
}

Result<Figure> extract_stream() {
  const std::vector<std::string> frames = stream_of_300();
  std::string whole;
  for (const std::string& one : frames) whole += one;
  AIMETER_TRY(const double baseline, us_of_walk(whole, kStreams));
  const Extractor* openai = drivers::find_extractor("openai");
  if (openai == nullptr) return fail(Code::not_found, "no extractor of that name: openai");
  const CpuWatch watch;
  for (std::int64_t i = 0; i < kStreams; ++i) {
    const std::unique_ptr<AnswerReader> reader = openai->reader({.stream = true});
    for (const std::string& one : frames) reader->feed(one);
    const Extracted found = reader->finish();
    if (!found.usage || found.usage->total_tokens.count != kTotalTokens) {
      return fail(Code::corrupt, "a wrong total of the stream");
    }
  }
  return Figure{.ours = watch.seconds() * 1e6 / kStreams,
                .baseline_value = baseline,
                .unit = "us per stream of 300 frames of 340 bytes, fed frame by frame",
                .baseline = "memchr from quote to quote over the same bytes"};
}

}  // namespace aimeter::bench
