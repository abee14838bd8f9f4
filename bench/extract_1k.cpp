// Usage from a chat completion of 1 KB.
#include <cstring>

#include "aimeter/provider.h"
#include "bench/scenario.h"

namespace aimeter::bench {
namespace {

constexpr std::int64_t kOperations = 200'000;
constexpr std::int64_t kTotalTokens = 940;

// The least that a reader of JSON does: it finds every quote.
std::int64_t quotes_in(const std::string& text) {
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

}  // namespace

Result<Figure> extract_1k() {
  const std::string& body = answer_of_1k();
  const CallInfo call{"openai", "gpt-4o-mini"};
  const std::int64_t quotes = quotes_in(body);
  const Stopwatch walk;
  for (std::int64_t i = 0; i < kOperations; ++i) {
    if (quotes_in(body) != quotes) return fail(Code::corrupt, "the answer changed");
  }
  const double baseline = walk.seconds();
  const Stopwatch watch;
  for (std::int64_t i = 0; i < kOperations; ++i) {
    AIMETER_TRY(const Usage usage, extract_usage(call, body));
    if (usage.total_tokens.count != kTotalTokens) return fail(Code::corrupt, "a wrong total");
  }
  const double ours = watch.seconds();
  return Figure{.ours = ours * 1e6 / kOperations,
                .baseline_value = baseline * 1e6 / kOperations,
                .unit = "us per answer of 1 KB",
                .baseline = "memchr from quote to quote over the same bytes"};
}

}  // namespace aimeter::bench
