// JSON bodies. The first byte chooses the provider, the second whether the status is an error.
// Package: drivers
// Parser: src/provider/answer.cpp src/provider/document.cpp src/provider/failure.cpp
// Parser: src/provider/figures.cpp src/provider/json.cpp src/provider/usage.cpp
// Parser: src/provider/dialects/anthropic.cpp src/provider/dialects/bedrock.cpp
// Parser: src/provider/dialects/cohere.cpp src/provider/dialects/gemini.cpp
// Parser: src/provider/dialects/ollama.cpp src/provider/dialects/openai.cpp
#include "drivers/builtin.h"
#include "tests/fuzz/answers.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  fuzz::Input input(data, size);
  static const std::vector<std::string_view> kProviders = drivers::extractor_names();
  const std::string_view provider = kProviders[input.byte() % kProviders.size()];
  const int status = input.byte() % 8 == 1 ? 429 : 200;  // '1'
  const Extracted found = fuzz::read_answer(provider, {.http_status = status}, input.rest());
  if (status == 429) {  // an error's body is never charged
    AIMETER_ASSERT(!found.usage);
    AIMETER_ASSERT(found.error && found.error->code == Code::provider_failed);
  }
  // Spaces around a JSON body mean nothing.
  if (input.rest().starts_with('{')) {
    const std::string spaced = "\r\n " + std::string(input.rest());
    fuzz::expect_same(found, fuzz::read_answer(provider, {.http_status = status}, spaced));
  }
  return 0;
}
