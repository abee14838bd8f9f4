#include <fmt/format.h>

#include <charconv>

#include <toml++/toml.h>
#include <cstdlib>
#include <sstream>

#include "config/keys.h"
#include "currency/rates.h"

namespace aimeter::config {
namespace {

struct Given {
  Value value = {};
  std::string source = {};
};

// What a TOML node holds, or nothing for what no key takes (numbers with a fraction, dates,
// tables).
std::optional<Value> value_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return Value(text->get());
  if (const auto* number = node.as_integer()) return Value(number->get());
  if (const auto* flag = node.as_boolean()) return Value(flag->get());
  const auto* array = node.as_array();
  if (array == nullptr) return std::nullopt;
  std::vector<std::string> items;
  for (const toml::node& item : *array) {
    const auto* text = item.as_string();
    if (text == nullptr) return std::nullopt;
    items.push_back(text->get());
  }
  return Value(std::move(items));
}

std::string text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  std::ostringstream out;
  node.visit([&out](const auto& held) { out << held; });
  return out.str();
}

std::string text_of(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  std::string all;
  for (const std::string& item : std::get<std::vector<std::string>>(value)) all += item + ",";
  return all;
}

// Text may stand for a number or a flag in the environment, where everything is text. In a file
// "80" is a mistake: what would be accepted, or nothing when the key takes text.
std::optional<std::string> meant_without_quotes(const Key& key, const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  Settings probe;
  if (text == nullptr || !key.set(probe, Value(std::string("0.5")))) return std::nullopt;
  std::int64_t number = 0;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), number);
  const bool whole = read.ec == std::errc{} && read.ptr == text->data() + text->size();
  const bool flag = *text == "true" || *text == "false";
  if (!(whole && !key.set(probe, Value(number))) && !(flag && !key.set(probe, Value(true)))) {
    return std::nullopt;
  }
  return key.set(probe, Value(std::string("0.5"))).value_or("") + ", without quotes";
}

// Keys whose part comes with a later version: accepted, so that a file need not change then, and
// said as soon as they ask for anything but the default.
struct NotYet {
  std::string_view path, why;
};
constexpr NotYet kNotYet[] = {
    {"stripe.publishable_key", "it is for web pages; nothing here needs it"},
    {"logging.log_failures", "failed calls are events; the server that logs them comes later"},
    {"features.soft_deletes", "what is referenced is never deleted"}};

// Reads file and environment into one Settings and keeps every complaint.
class Loader {
 public:
  Loader(std::string_view file, const Environment& environment)
      : file_(file), environment_(environment) {}

  void read_file(std::string_view toml) {
    if (toml.starts_with("\xEF\xBB\xBF")) toml.remove_prefix(3);
    try {
      const toml::table table = toml::parse(toml, file_);
      walk(table, "");
    } catch (const toml::parse_error& error) {
      complain(fmt::format("{}:{}: {}", file_, error.source().begin.line, error.description()));
    }
  }
  void read_environment() {
    for (const Key& key : all_keys()) {
      for (const std::string& variable : key.variables) {
        std::optional<std::string> value = environment_(variable);
        if (!value) continue;
        if (*value == "null" || *value == "(null)") continue;  // as in Laravel: not set
        if (*value == "empty" || *value == "(empty)") value = "";
        if (*value == "(true)") value = "true";
        if (*value == "(false)") value = "false";
        take(key, variable, {*value, "environment " + variable});
        break;
      }
    }
  }
  void finish() {
    const auto at = connections_.find(settings_.storage.url);
    if (at != connections_.end()) settings_.storage.url = at->second;
    if (!settings_.security.prevent_race_conditions) {
      settings_.warnings.emplace_back(
          "security.prevent_race_conditions = false has no effect: limits are always exact");
    }
    warn_of_later_ones();
    for (auto& [names, price] : prices_) {
      const std::string place = fmt::format("providers.{}.models.{}", names.first, names.second);
      if (price.input_price_per_1k.empty()) complain(place + ".input_price_per_1k: it is missing");
      if (price.output_price_per_1k.empty())
        complain(place + ".output_price_per_1k: it is missing");
      settings_.prices.push_back(price);
    }
    if (settings_.unknown_model == "default_price" &&
        (!settings_.default_price || settings_.default_price->input_price_per_1k.empty() ||
         settings_.default_price->output_price_per_1k.empty())) {
      complain(
          "pricing.unknown_model: \"default_price\" is not accepted without "
          "pricing.default_price.input_price_per_1k and output_price_per_1k");
    }
    if (settings_.waits.lease_ttl_s * 1'000 < 2 * settings_.waits.heartbeat_ms) {
      complain("leases.ttl_s: it must be at least two heartbeats (leases.heartbeat_ms)");
    }
  }
  [[nodiscard]] const std::map<std::string, std::string>& sources() const { return sources_; }
  [[nodiscard]] Result<Settings> result() {
    if (complaints_.empty()) return std::move(settings_);
    std::string all;
    for (const std::string& complaint : complaints_) all += (all.empty() ? "" : "\n") + complaint;
    return fail(Code::invalid_argument, all);
  }

 private:
  void complain(std::string text) { complaints_.push_back(std::move(text)); }

  void warn_of_later_ones() {
    const Settings defaults;
    for (const NotYet& row : kNotYet) {
      for (const Key& key : all_keys()) {
        if (key.path != row.path || key.get(settings_) == key.get(defaults)) continue;
        settings_.warnings.push_back(fmt::format("{} has no effect yet: {}", row.path, row.why));
      }
    }
  }

  void walk(const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
      const std::string path =
          prefix.empty() ? std::string(name.str()) : prefix + "." + std::string(name.str());
      if (path == "providers") {
        walk_providers(node);
      } else if (path == "connections") {
        walk_texts(node, path, connections_);
      } else if (path == "billing.currency_rates") {
        walk_rates(node, path);
      } else if (const toml::table* inner = node.as_table()) {
        walk(*inner, path);
      } else {
        take_node(path, node);
      }
    }
  }

  void take_node(const std::string& path, const toml::node& node) {
    for (const Key& key : all_keys()) {
      if (key.path != path) continue;
      const std::optional<Value> value = value_of(node);
      if (const auto plain = value ? meant_without_quotes(key, *value) : std::nullopt) {
        complain(bad_input(path, text_of(node), *plain).error().message);
      } else if (value) {
        take(key, path, {*value, "file"});
      } else {
        Settings ignored;
        const auto expected = key.set(ignored, Value(std::string("\x01")));
        const std::string wanted = expected.value_or("text in quotes");
        complain(key.secret
                     ? fmt::format("{}: its value is not accepted; expected {}", path, wanted)
                     : bad_input(path, text_of(node), wanted).error().message);
      }
      return;
    }
    complain(fmt::format("{}: there is no such key{}", path, nearest(path)));
  }

  void take(const Key& key, const std::string& place, const Given& given) {
    if (const auto expected = key.set(settings_, given.value)) {
      complain(key.secret
                   ? fmt::format("{}: its value is not accepted; expected {}", place, *expected)
                   : bad_input(place, text_of(given.value), *expected).error().message);
      return;
    }
    sources_[key.path] = given.source;
  }

  // " (did you mean ...?)" of the key that shares the longest end with `path`.
  [[nodiscard]] static std::string nearest(const std::string& path) {
    const std::string last = path.substr(path.find_last_of('.') + 1);
    for (const Key& key : all_keys()) {
      const std::string own = key.path.substr(key.path.find_last_of('.') + 1);
      const bool beside = key.path == path.substr(0, path.size() - last.size()) + own;
      const bool close = own == last || (last.size() > 4 && own.starts_with(last.substr(0, 5))) ||
                         (beside && (own.starts_with(last) || last.starts_with(own)));
      if (close) return fmt::format("; did you mean {}?", key.path);
    }
    return "; `aimeter config init` prints all of them";
  }

  void walk_texts(const toml::node& node, const std::string& path,
                  std::map<std::string, std::string>& into) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return complain(path + ": it must be a table of texts");
    for (const auto& [name, value] : *table) {
      const auto* text = value.as_string();
      if (text == nullptr) {
        complain(fmt::format("{}.{}: \"{}\" is not accepted; expected text", path, name.str(),
                             text_of(value)));
        continue;
      }
      into[std::string(name.str())] = text->get();
    }
  }

  void walk_rates(const toml::node& node, const std::string& path) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return complain(path + ": it must be a table of rates");
    for (const auto& [name, value] : *table) {
      const std::string pair(name.str());
      if (const toml::table* days = value.as_table()) {  // a rate from each day on
        for (const auto& [day, rate] : *days) take_rate({pair, std::string(day.str())}, rate);
      } else {
        take_rate({pair, ""}, value);
      }
    }
  }

  struct RateName {
    std::string pair = {}, since = {};
    [[nodiscard]] std::string text() const { return since.empty() ? pair : pair + "@" + since; }
  };
  void take_rate(const RateName& name, const toml::node& node) {
    const auto* text = node.as_string();
    if (text == nullptr) {
      return complain(bad_input("billing.currency_rates." + name.text(), text_of(node),
                                "a rate above 0 as decimal text, in quotes")
                          .error()
                          .message);
    }
    const auto rate = currency::parse_rate(name.pair, text->get(), name.since);
    if (!rate) return complain(rate.error().message);
    settings_.billing.currency_rates[name.text()] = text->get();
  }

  void walk_providers(const toml::node& node) {
    const toml::table* providers = node.as_table();
    if (providers == nullptr) return complain("providers: it must be a table");
    for (const auto& [name, settings] : *providers) {
      const std::string provider(name.str());
      const toml::table* table = settings.as_table();
      if (table == nullptr) {
        complain(fmt::format("providers.{}: it must be a table", provider));
        continue;
      }
      for (const auto& [field, value] : *table) walk_provider(provider, field.str(), value);
    }
  }

  void walk_provider(const std::string& provider, std::string_view field, const toml::node& node) {
    const std::string path = fmt::format("providers.{}.{}", provider, field);
    const auto* text = node.as_string();
    if (field == "extractor" || field == "class") {
      if (text == nullptr) return complain(path + ": it must be an extractor's name");
      settings_.extractors[provider] = extractor_of(text->get());
      return;
    }
    const toml::table* models = node.as_table();
    if (field != "models" || models == nullptr) {
      return complain(path + ": there is no such key; expected extractor or models");
    }
    for (const auto& [name, prices] : *models) {
      const std::string model(name.str());
      const toml::table* table = prices.as_table();
      if (table == nullptr) {
        complain(fmt::format("{}.{}: it must be a table", path, model));
        continue;
      }
      ModelPrice& price = prices_[{provider, model}];
      price.provider = provider;
      price.model = model;
      for (const auto& [key, value] : *table) {
        take_price(price, fmt::format("{}.{}.{}", path, model, key.str()), key.str(), value);
      }
    }
  }

  void take_price(ModelPrice& price, const std::string& path, std::string_view field,
                  const toml::node& node) {
    if (field != "input_price_per_1k" && field != "output_price_per_1k") {
      return complain(path +
                      ": there is no such key; expected input_price_per_1k, output_price_per_1k");
    }
    const std::optional<Value> value = value_of(node);
    const std::optional<std::string> text = value ? price_text(*value) : std::nullopt;
    if (!text) {
      return complain(
          bad_input(path, text_of(node), "a price as decimal text in quotes, such as \"0.0025\"")
              .error()
              .message);
    }
    (field == "input_price_per_1k" ? price.input_price_per_1k : price.output_price_per_1k) = *text;
  }

  // "App\\Services\\OpenAiProvider" -> "openai"; a plain name stays.
  [[nodiscard]] static std::string extractor_of(const std::string& given) {
    const std::size_t slash = given.find_last_of('\\');
    std::string name = slash == std::string::npos ? given : given.substr(slash + 1);
    for (const std::string_view suffix : {"ProviderClient", "Provider", "Client"}) {
      if (name.size() > suffix.size() && name.ends_with(suffix)) {
        name.resize(name.size() - suffix.size());
        break;
      }
    }
    for (char& c : name) {
      if ('A' <= c && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return name;
  }

  std::string file_;
  const Environment& environment_;
  Settings settings_;
  std::map<std::string, std::string> connections_;
  std::map<std::pair<std::string, std::string>, ModelPrice> prices_;
  std::map<std::string, std::string> sources_;
  std::vector<std::string> complaints_;
};

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

Result<Settings> load(std::string_view toml, std::string_view file,
                      const Environment& environment) {
  Loader loader(file, environment);
  loader.read_file(toml);
  loader.read_environment();
  loader.finish();
  return loader.result();
}

Result<std::vector<Shown>> show(std::string_view toml, std::string_view file,
                                const Environment& environment) {
  Loader loader(file, environment);
  loader.read_file(toml);
  loader.read_environment();
  loader.finish();
  const std::map<std::string, std::string> sources = loader.sources();
  AIMETER_TRY(const Settings settings, loader.result());
  std::vector<Shown> all;
  for (const Key& key : all_keys()) {
    if (key.alias) continue;
    const auto source = sources.find(key.path);
    std::string value = key.get(settings);
    if (key.secret && !value.empty()) value = "[redacted]";
    all.push_back({key.path, value, source == sources.end() ? "default" : source->second});
  }
  for (const ModelPrice& price : settings.prices) {
    all.push_back(
        {fmt::format("providers.{}.models.{}", price.provider, price.model),
         fmt::format("{} / {} per 1k", price.input_price_per_1k, price.output_price_per_1k),
         "file"});
  }
  return all;
}

namespace {

std::string quoted(const std::string& value) {
  const bool bare = value == "true" || value == "false" || value.starts_with("[") ||
                    (!value.empty() && value.find_first_not_of("0123456789") == std::string::npos);
  return bare ? value : "\"" + value + "\"";
}

}  // namespace

std::string starter_file() {
  std::string file =
      "# aimeter.toml: every key at its default. Variables of the environment win over this "
      "file.\n";
  const Settings defaults;
  std::map<std::string, std::string> sections;  // "" first: a key without one comes before any
  for (const Key& key : all_keys()) {
    if (key.alias || key.get(defaults) == kNoEffect) continue;
    const std::size_t dot = key.path.find_last_of('.');
    const std::string section = dot == std::string::npos ? "" : key.path.substr(0, dot);
    sections[section] += fmt::format("# {} ({})\n# {} = {}\n", key.about, key.variables.front(),
                                     key.path.substr(dot + 1), quoted(key.get(defaults)));
  }
  for (const auto& [section, keys] : sections) {
    file += section.empty() ? "\n" + keys : fmt::format("\n[{}]\n{}", section, keys);
  }
  file +=
      "\n# Prices of your own, per 1,000 tokens, as decimal text; they win over the price book.\n"
      "# [providers.openai.models.\"gpt-4o-mini\"]\n"
      "# input_price_per_1k = \"0.00015\"\n# output_price_per_1k = \"0.0006\"\n";
  return file;
}

}  // namespace aimeter::config
