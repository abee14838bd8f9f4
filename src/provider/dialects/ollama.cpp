// api/chat, api/generate and api/embed of Ollama. Only the last line of a stream (done: true)
// counts. prompt_eval_count is left out when the prompt came from Ollama's cache: the input is
// then unknown. Source: github.com/ollama/ollama/blob/main/docs/api.md (2026-07).
#include "provider/document.h"

namespace aimeter::provider {

bool read_ollama(const Document& document, const ProviderCard&, Collected& into) {
  if (document[Key::done].has_value() && !document[Key::done].truth()) return false;
  Figures figures = {};
  Status read =
      collect_count("prompt_eval_count", document[Key::prompt_eval_count], Slot::input, figures);
  if (read) read = collect_count("eval_count", document[Key::eval_count], Slot::output, figures);
  if (!read) {
    into.refuse(read.error());
    return true;
  }
  if (figures.empty()) return false;
  into.lower_bound = !figures.has(Slot::input);
  into.figures = figures;
  into.meaning = {};
  return true;
}

}  // namespace aimeter::provider
