#include <boost/json.hpp>
#include <fstream>
#include <istream>
#include <limits>
#include <memory>
#include <ostream>

#include "base/json.h"
#include "cli/price_file.h"
#include "cli/session.h"
#include "cli/table.h"

namespace aimeter::cli {
namespace {

using base::Json;
using base::JsonFields;

struct Options {
  PriceFileOptions prices;
  std::string provider, model, at, service_tier;
  std::string batch;  // "-" is standard input
  bool is_batch = false;
  std::int64_t input = 0, output = 0, cached = 0, cache_write = 0, cache_write_5m = 0;
  std::int64_t cache_write_1h = 0, input_audio = 0, cached_input_audio = 0, reasoning = 0;
  std::int64_t output_audio = 0;
  std::vector<std::string> units;
};

struct Question {
  Json id = {};
  std::string provider = {}, model = {}, service_tier = {};
  Instant at = {};
  Usage usage = {};
};

Instant now(Frame& frame) {
  const Clock* clock = frame.console().options().clock;
  return (clock == nullptr ? system_clock() : *clock).now();
}

boost::json::value plain(const Json& id) {
  if (id.kind() == Json::Kind::string) return boost::json::string(id.string());
  if (id.kind() == Json::Kind::number) return boost::json::parse(id.literal());
  return nullptr;
}

// A count under its name here, or under the name that recorded data use.
Result<std::int64_t> count_of(JsonFields& fields, std::string_view name, std::string_view other) {
  AIMETER_TRY(std::optional<std::int64_t> count, fields.optional_count(name));
  if (!count && !other.empty()) {
    AIMETER_TRY(count, fields.optional_count(other));
  }
  return count.value_or(0);
}

Status read_units(const JsonFields& units, const Json& json, Usage& usage) {
  for (const auto& [name, value] : json.members()) {
    AIMETER_TRY(usage.units[name], value.count(units.name_of(name)));
  }
  return {};
}

Status read_totals(JsonFields& fields, Usage& usage) {
  AIMETER_TRY(const auto input, fields.optional_count("input_tokens"));
  AIMETER_TRY(const auto output, fields.optional_count("output_tokens"));
  AIMETER_TRY(const auto total, fields.optional_count("total_tokens"));
  usage.input_tokens.count = input.value_or(0);
  usage.output_tokens.count = output.value_or(0);
  usage.total_only = total && !input && !output;
  usage.total_tokens.count = total.value_or(usage.input_tokens.count + usage.output_tokens.count);
  if (total && !usage.total_only &&
      *total - usage.input_tokens.count != usage.output_tokens.count) {
    return bad_input(fields.name_of("total_tokens"), std::to_string(*total),
                     "the sum of input_tokens and output_tokens");
  }
  return {};
}

Result<Usage> read_usage(JsonFields fields) {
  struct Field {
    std::string_view name, other;
    Tokens Usage::* count;
  };
  constexpr Field kFields[] = {
      {"cached_input_tokens", "cache_read_tokens", &Usage::cached_input_tokens},
      {"cache_write_tokens", "", &Usage::cache_write_tokens},
      {"cache_write_5m_tokens", "", &Usage::cache_write_5m_tokens},
      {"cache_write_1h_tokens", "", &Usage::cache_write_1h_tokens},
      {"input_audio_tokens", "", &Usage::input_audio_tokens},
      {"cached_input_audio_tokens", "cache_audio_read_tokens", &Usage::cached_input_audio_tokens},
      {"reasoning_tokens", "", &Usage::reasoning_tokens},
      {"output_audio_tokens", "", &Usage::output_audio_tokens},
  };
  Usage usage;
  AIMETER_CHECK_OK(read_totals(fields, usage));
  for (const Field& field : kFields) {
    AIMETER_TRY((usage.*field.count).count, count_of(fields, field.name, field.other));
  }
  if (const Json* units = fields.take("units")) {
    AIMETER_TRY(const JsonFields inner, JsonFields::of(*units, fields.name_of("units")));
    AIMETER_CHECK_OK(read_units(inner, *units, usage));
  }
  AIMETER_TRY(const auto tier, fields.optional_string("service_tier"));
  usage.service_tier = tier.value_or("");
  AIMETER_CHECK_OK(fields.refuse_others());
  return usage;
}

Status read_question(const Json& json, Question& question) {
  AIMETER_TRY(JsonFields fields, JsonFields::of(json, ""));
  if (const Json* id = fields.take("id")) question.id = *id;
  AIMETER_TRY(question.provider, fields.string("provider"));
  AIMETER_TRY(question.model, fields.string("model"));
  AIMETER_TRY(const auto at, fields.optional_string("at"));
  if (at) {
    AIMETER_TRY(question.at, parse_instant("at", *at));
  }
  AIMETER_TRY(const auto tier, fields.optional_string("service_tier"));
  question.service_tier = tier.value_or("");
  AIMETER_TRY(const JsonFields usage, fields.object("usage"));
  AIMETER_TRY(question.usage, read_usage(usage));
  return fields.refuse_others();
}

boost::json::object answer_json(const CostResult& cost) {
  boost::json::array parts;
  for (const CostPart& part : cost.parts) {
    boost::json::object row{{"kind", std::string(part.kind)},
                            {"quantity", part.quantity},
                            {"unit_price", part.unit_price.text()},
                            {"per", part.per},
                            {"cost", part.cost.text()}};
    if (part.priced_as != part.kind) row["priced_as"] = std::string(part.priced_as);
    parts.push_back(std::move(row));
  }
  boost::json::object answer{
      {"model", std::string(cost.model)},  {"price_version", std::string(cost.price_version)},
      {"currency", cost.currency},         {"input_cost", cost.input.text()},
      {"output_cost", cost.output.text()}, {"total_cost", cost.total.text()},
      {"provisional", cost.provisional()}, {"parts", std::move(parts)}};
  if (!cost.provisional()) return answer;
  boost::json::array unpriced;
  for (const UnpricedPart& part : cost.unpriced) {
    unpriced.push_back(boost::json::object{{"kind", part.kind}, {"quantity", part.quantity}});
  }
  answer["unpriced"] = std::move(unpriced);
  if (cost.default_tier) answer["default_tier"] = true;
  return answer;
}

boost::json::object error_json(const Error& error) {
  return {{"error", boost::json::object{{"code", std::string(name_of(error.code))},
                                        {"message", error.message}}}};
}

// An unknown model is an error here: there is no hold that could stand in.
Result<CostResult> answer_to(const Prices& prices, const Question& question) {
  AIMETER_TRY(CostResult cost, prices.cost({.provider = question.provider,
                                            .model = question.model,
                                            .at = question.at,
                                            .service_tier = question.service_tier},
                                           question.usage));
  if (cost.outcome != CostOutcome::unknown_model) return cost;
  return fail(Code::not_found, "no price for model \"" + question.model + "\" of provider \"" +
                                   question.provider + "\" at " + text_of(question.at));
}

boost::json::object answer_line(const Prices& prices, const std::string& line, Instant at) {
  Question question;
  question.at = at;
  const auto answered = [&]() -> Result<CostResult> {
    AIMETER_TRY(const Json json, Json::parse("line", line));
    AIMETER_CHECK_OK(read_question(json, question));
    return answer_to(prices, question);
  };
  const Result<CostResult> cost = answered();
  boost::json::object answer{{"id", plain(question.id)}};
  for (auto& member : cost ? answer_json(*cost) : error_json(cost.error())) {
    answer[member.key()] = std::move(member.value());
  }
  return answer;
}

Result<Exit> run_batch(Frame& frame, const Options& options, const Prices& prices) {
  Console& console = frame.console();
  std::ifstream file;
  std::istream* in = &console.in();
  if (!options.batch.empty() && options.batch != "-") {
    file.open(options.batch, std::ios::binary);
    if (!file) return fail(Code::not_found, "file \"" + options.batch + "\" cannot be read");
    in = &file;
  }
  const Instant at = now(frame);
  std::int64_t good = 0;
  std::int64_t bad = 0;
  for (std::string line; !console.interrupted() && std::getline(*in, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const boost::json::object answer = answer_line(prices, line, at);
    ++(answer.contains("error") ? bad : good);
    console.out() << boost::json::serialize(answer) << '\n';
  }
  if (bad == 0) return Exit::done;
  return good == 0 ? Exit::refused : Exit::partly;
}

Status add_units(const std::vector<std::string>& units, Usage& usage) {
  constexpr std::string_view kExpected = "NAME=COUNT, like images=2";
  for (const std::string& unit : units) {
    const std::size_t equals = unit.find('=');
    if (equals == std::string::npos || equals == 0) return bad_input("--unit", unit, kExpected);
    const auto count = Decimal::parse("--unit", unit.substr(equals + 1));
    const Decimal most = Decimal::of(std::numeric_limits<std::int64_t>::max());
    if (!count || count->scale() != 0 || count->is_negative() || *count > most) {
      return bad_input("--unit", unit, kExpected);
    }
    usage.units[unit.substr(0, equals)] = static_cast<std::int64_t>(count->mantissa());
  }
  return {};
}

Result<Question> single_question(Frame& frame, const Options& options) {
  Question question{.provider = options.provider,
                    .model = options.model,
                    .service_tier = options.service_tier,
                    .at = now(frame)};
  if (options.provider.empty()) return bad_input("PROVIDER", "", "a provider, or --batch");
  if (options.model.empty()) return bad_input("MODEL", "", "a model");
  if (!options.at.empty()) {
    AIMETER_TRY(question.at, parse_instant("--at", options.at));
  }
  Usage& usage = question.usage;
  usage.input_tokens.count = options.input;
  usage.output_tokens.count = options.output;
  usage.cached_input_tokens.count = options.cached;
  usage.cache_write_tokens.count = options.cache_write;
  usage.cache_write_5m_tokens.count = options.cache_write_5m;
  usage.cache_write_1h_tokens.count = options.cache_write_1h;
  usage.input_audio_tokens.count = options.input_audio;
  usage.cached_input_audio_tokens.count = options.cached_input_audio;
  usage.reasoning_tokens.count = options.reasoning;
  usage.output_audio_tokens.count = options.output_audio;
  AIMETER_CHECK_OK(add_units(options.units, usage));
  return question;
}

void print_table(Console& console, const CostResult& cost) {
  using Align = Table::Align;
  Table table({{"part"},
               {"quantity", Align::right},
               {"price", Align::right},
               {"per", Align::right},
               {"cost", Align::right}});
  for (const CostPart& part : cost.parts) {
    std::string kind(part.kind);
    if (part.priced_as != part.kind) kind += " (as " + std::string(part.priced_as) + ")";
    table.add({kind, std::to_string(part.quantity), part.unit_price.text(),
               std::to_string(part.per), part.cost.text()});
  }
  for (const UnpricedPart& part : cost.unpriced) {
    table.add({part.kind, std::to_string(part.quantity), "unknown", "", ""});
  }
  table.add({"total", "", "", "", cost.total.text()});
  console.out() << table.text(console.options().columns);
  console.out() << cost.total.text() << ' ' << cost.currency << " for " << cost.provider << '/'
                << cost.model << ", prices " << cost.price_version
                << (cost.provisional() ? " (provisional: not every part has a price)" : "") << '\n';
}

Result<Exit> show_cost(Frame& frame, const Options& options, const config::Settings& settings) {
  AIMETER_TRY(const auto prices, prices_of(settings, options.prices));
  if (options.is_batch) return run_batch(frame, options, *prices);
  AIMETER_TRY(const Question question, single_question(frame, options));
  AIMETER_TRY(const CostResult cost, answer_to(*prices, question));
  if (frame.json()) {
    frame.console().out() << boost::json::serialize(answer_json(cost)) << '\n';
  } else {
    print_table(frame.console(), cost);
  }
  return Exit::done;
}

}  // namespace

void add_cost(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add(
      {"cost",
       "Prices a usage, exactly",
       {"aimeter cost openai gpt-4o-mini --input 1200 --output 300",
        "aimeter cost anthropic claude-sonnet-4-5 --input 250000 --cached 200000 --output 900",
        "aimeter cost --batch usages.jsonl --prices genai-prices.json"}},
      [&frame, options] {
        options->is_batch = !options->batch.empty();
        return with_settings(frame, [&](const config::Settings& settings) {
          return show_cost(frame, *options, settings);
        });
      });
  app.add_option("PROVIDER", options->provider, "Provider, as in the price book");
  app.add_option("MODEL", options->model, "Model, as the provider calls it");
  app.add_option("--batch", options->batch, "JSON Lines of usages; - or nothing: standard input")
      ->expected(0, 1)
      ->default_str("-");
  add_price_options(app, options->prices);
  app.add_option("--at", options->at, "When the call was made (default: now)");
  app.add_option("--service-tier", options->service_tier, "batch, flex, priority");
  app.add_option("--unit", options->units, "Further counts: images=2, seconds=30, searches=1");
  const std::pair<const char*, std::int64_t*> counts[] = {
      {"--input", &options->input},
      {"--output", &options->output},
      {"--cached", &options->cached},
      {"--cache-write", &options->cache_write},
      {"--cache-write-5m", &options->cache_write_5m},
      {"--cache-write-1h", &options->cache_write_1h},
      {"--input-audio", &options->input_audio},
      {"--cached-input-audio", &options->cached_input_audio},
      {"--reasoning", &options->reasoning},
      {"--output-audio", &options->output_audio}};
  for (const auto& [name, count] : counts) app.add_option(name, *count, "Tokens");
}

}  // namespace aimeter::cli
