// One JSON document a line, as streams of Ollama, Cohere and Gemini; and JSON Lines of an import.
// Package: drivers
// Parser: src/provider/answer.cpp src/provider/dialects/ollama.cpp
// Parser: src/provider/dialects/cohere.cpp
#include <string>

#include "tests/fuzz/answers.h"
#include "tests/fuzz/input.h"

namespace aimeter::fuzz {
namespace {

std::string with_crlf(std::string_view text) {
  std::string changed;
  for (const char c : text) {
    if (c == '\n') changed += '\r';
    changed += c;
  }
  return changed;
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  fuzz::Input input(data, size);
  constexpr std::string_view kProviders[] = {"ollama", "cohere", "gemini"};
  const std::string_view provider = kProviders[input.byte() % 3];
  const std::string_view text = input.rest();
  const Extracted found = fuzz::read_answer(provider, {.stream = true}, text);
  if (!text.starts_with('{') && !text.starts_with('[')) return 0;
  // Whatever ends a line, and however many empty ones there are.
  fuzz::expect_same(found, fuzz::read_answer(provider, {.stream = true}, fuzz::with_crlf(text)));
  const std::string longer = std::string(text) + "\n\n\r\n";
  fuzz::expect_same(found, fuzz::read_answer(provider, {.stream = true}, longer));
  return 0;
}
