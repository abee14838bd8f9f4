// Azure OpenAI and Azure AI Foundry, with Claude behind it.
#include "drivers/builtin.h"
#include "provider/answer.h"

namespace aimeter::drivers {
namespace {

constexpr provider::Dialect kDialects[] = {provider::read_anthropic, provider::read_openai};
constexpr provider::ProviderCard kCard = {
    .name = "azure",
    .dialects = kDialects,
};

}  // namespace

std::unique_ptr<Extractor> make_provider_azure() { return provider::make_extractor(kCard); }

}  // namespace aimeter::drivers
