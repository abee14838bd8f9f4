// xAI: chat, where completion_tokens leaves reasoning out; responses.
#include "drivers/builtin.h"
#include "provider/answer.h"

namespace aimeter::drivers {
namespace {

constexpr provider::Dialect kDialects[] = {provider::read_anthropic, provider::read_openai};
constexpr provider::ProviderCard kCard = {
    .name = "xai",
    .dialects = kDialects,
    .reasoning = provider::Reasoning::beside_output,
};

}  // namespace

std::unique_ptr<Extractor> make_provider_xai() { return provider::make_extractor(kCard); }

}  // namespace aimeter::drivers
