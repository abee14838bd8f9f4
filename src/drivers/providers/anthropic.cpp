// Anthropic: messages; its OpenAI-compatible chat.
#include "drivers/builtin.h"
#include "provider/answer.h"

namespace aimeter::drivers {
namespace {

constexpr provider::Dialect kDialects[] = {provider::read_anthropic, provider::read_openai};
constexpr provider::ProviderCard kCard = {
    .name = "anthropic",
    .dialects = kDialects,
};

}  // namespace

std::unique_ptr<Extractor> make_provider_anthropic() { return provider::make_extractor(kCard); }

}  // namespace aimeter::drivers
