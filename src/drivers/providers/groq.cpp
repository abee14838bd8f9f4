// Groq, whose streams carry usage in x_groq: OpenAI-compatible.
#include "drivers/builtin.h"
#include "provider/answer.h"

namespace aimeter::drivers {
namespace {

constexpr provider::Dialect kDialects[] = {provider::read_openai};
constexpr provider::ProviderCard kCard = {
    .name = "groq",
    .dialects = kDialects,
};

}  // namespace

std::unique_ptr<Extractor> make_provider_groq() { return provider::make_extractor(kCard); }

}  // namespace aimeter::drivers
