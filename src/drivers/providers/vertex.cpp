// Google Vertex AI: Gemini, Claude, predict, OpenAI-compatible chat.
#include "drivers/builtin.h"
#include "provider/answer.h"

namespace aimeter::drivers {
namespace {

constexpr provider::Dialect kDialects[] = {provider::read_gemini, provider::read_anthropic,
                                           provider::read_openai};
constexpr provider::ProviderCard kCard = {
    .name = "vertex",
    .dialects = kDialects,
};

}  // namespace

std::unique_ptr<Extractor> make_provider_vertex() { return provider::make_extractor(kCard); }

}  // namespace aimeter::drivers
