// OpenRouter, which reports its own cost: OpenAI-compatible.
#include "drivers/builtin.h"
#include "provider/answer.h"

namespace aimeter::drivers {
namespace {

constexpr provider::Dialect kDialects[] = {provider::read_anthropic, provider::read_openai};
constexpr provider::ProviderCard kCard = {
    .name = "openrouter",
    .dialects = kDialects,
};

}  // namespace

std::unique_ptr<Extractor> make_provider_openrouter() { return provider::make_extractor(kCard); }

}  // namespace aimeter::drivers
