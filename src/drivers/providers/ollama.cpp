// Ollama: its own API and the compatible ones.
#include "drivers/builtin.h"
#include "provider/answer.h"

namespace aimeter::drivers {
namespace {

constexpr provider::Dialect kDialects[] = {provider::read_ollama, provider::read_anthropic,
                                           provider::read_openai};
constexpr provider::ProviderCard kCard = {
    .name = "ollama",
    .dialects = kDialects,
};

}  // namespace

std::unique_ptr<Extractor> make_provider_ollama() { return provider::make_extractor(kCard); }

}  // namespace aimeter::drivers
