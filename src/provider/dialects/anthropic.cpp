// The Messages API, whole and streamed, also behind Bedrock, Vertex and others. input_tokens
// leaves the cache out; message_start is overridden field by field by message_delta, whose figures
// are cumulative. Source: docs.anthropic.com/en/api/messages, /streaming, /prompt-caching,
// /compaction (2026-07).
#include "provider/document.h"

namespace aimeter::provider {
namespace {

constexpr FieldRule kRulesTable[] = {
    {"", "input_tokens", Slot::input},
    {"", "output_tokens", Slot::output},
    {"", "cache_read_input_tokens", Slot::cached},
    {"", "cache_creation_input_tokens", Slot::cache_write},
    {"cache_creation", "ephemeral_5m_input_tokens", Slot::cache_write_5m},
    {"cache_creation", "ephemeral_1h_input_tokens", Slot::cache_write_1h},
    {"output_tokens_details", "thinking_tokens", Slot::reasoning},
    {"server_tool_use", "web_search_requests", Slot::searches},
    {"server_tool_use", "web_fetch_requests", Slot::web_fetches},
};
constexpr RuleSet kRules{kRulesTable};
constexpr Meaning kMeaning = {.input = InputMeans::without_cache};

enum class Event { none, start, delta, whole };

Event event_of(const Document& document, const Json& usage) {
  const std::string_view type = document[Key::type].text();
  if (type == "message_start") return Event::start;
  if (type == "message_delta") return Event::delta;
  if (type == "message") return Event::whole;
  if (!usage.find("input_tokens").has_value()) return Event::none;
  for (const std::string_view key :
       {"cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation", "iterations"})
    if (!usage.find(key).is(Json::Kind::absent)) return Event::whole;
  return Event::none;
}

// Cache writes by term belong to the figure that they were told with.
void override_figures(const Figures& newer, Figures& figures) {
  const bool no_terms = !newer.has(Slot::cache_write_5m) && !newer.has(Slot::cache_write_1h);
  if (newer.has(Slot::cache_write) && no_terms &&
      newer.get(Slot::cache_write) != figures.get(Slot::cache_write)) {
    figures.clear(Slot::cache_write_5m);
    figures.clear(Slot::cache_write_1h);
  }
  figures.override_with(newer);
}

// Work that a call did beside its last message (compaction, advisor), by model, in order of
// appearance.
Status collect_iterations(const Json& iterations, Collected& into) {
  std::vector<std::pair<std::string, Figures>> sums;
  for (Items at = iterations.items(); at.next();) {
    Figures figures = {};
    AIMETER_CHECK_OK(collect(at.value(), kRules, figures));
    const std::string model(at.value().find("model").text().substr(0, 191));
    std::size_t i = 0;
    while (i < sums.size() && sums[i].first != model) ++i;
    if (i == sums.size()) sums.emplace_back(model, Figures{});
    for (std::size_t slot = 0; slot < Figures::kSlots; ++slot)
      if (const auto s = static_cast<Slot>(slot); figures.has(s))
        if (!sums[i].second.add(s, figures.get(s)))
          return bad_input("usage.iterations", "a sum above int64",
                           "sums up to 9223372036854775807");
  }
  into.by_model.clear();
  for (const auto& [model, figures] : sums) {
    AIMETER_TRY(Usage usage, normalise(figures, kMeaning));
    into.by_model.push_back({model.empty() ? into.model : model, std::move(usage)});
  }
  return {};
}

}  // namespace

bool read_anthropic(const Document& document, const ProviderCard&, Collected& into) {
  const bool start = document[Key::type].text() == "message_start";
  const Json usage = start ? sole(document[Key::message], "usage", into) : document[Key::usage];
  if (!usage.is(Json::Kind::object)) return false;
  const Event event = event_of(document, usage);
  if (event == Event::none) return false;
  Figures figures = {};
  Status read = collect(usage, kRules, figures);
  if (read && usage.find("iterations").is(Json::Kind::array))
    read = collect_iterations(usage.find("iterations"), into);
  if (!read) {
    into.refuse(read.error());
    return true;
  }
  if (figures.empty()) return false;
  if (event == Event::delta)
    override_figures(figures, into.figures);
  else
    into.figures = figures;
  into.meaning = kMeaning;
  into.is_final = event != Event::start;
  if (const std::string tier = tier_of(usage.find("service_tier").text()); !tier.empty())
    into.service_tier = tier;
  if (usage.find("speed").text() == "fast") into.service_tier = "fast";
  return true;
}

}  // namespace aimeter::provider
