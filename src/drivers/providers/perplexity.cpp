// Perplexity: chat, where deep research reports reasoning and citations apart.
#include "drivers/builtin.h"
#include "provider/answer.h"

namespace aimeter::drivers {
namespace {

constexpr provider::Dialect kDialects[] = {provider::read_openai};
constexpr provider::ProviderCard kCard = {
    .name = "perplexity",
    .dialects = kDialects,
    .reasoning = provider::Reasoning::beside_output,
};

}  // namespace

std::unique_ptr<Extractor> make_provider_perplexity() { return provider::make_extractor(kCard); }

}  // namespace aimeter::drivers
