// OpenAI: chat, completions, responses, embeddings, images, audio.
#include "drivers/builtin.h"
#include "provider/answer.h"

namespace aimeter::drivers {
namespace {

constexpr provider::Dialect kDialects[] = {provider::read_anthropic, provider::read_openai};
constexpr provider::ProviderCard kCard = {
    .name = "openai",
    .dialects = kDialects,
};

}  // namespace

std::unique_ptr<Extractor> make_provider_openai() { return provider::make_extractor(kCard); }

}  // namespace aimeter::drivers
