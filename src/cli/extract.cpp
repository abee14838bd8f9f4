// aimeter extract: the usage that recorded answers of a provider carry, one line of JSON per file.
#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <fstream>
#include <memory>
#include <ostream>

#include "aimeter/provider.h"
#include "base/ids.h"
#include "cli/session.h"
#include "drivers/builtin.h"

namespace aimeter::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kPieceBytes = std::size_t{64} << 10;

struct Options {
  std::string provider, api;
  bool stream = false;
  int http_status = 200;
  std::vector<std::string> files;
};

std::string names_expected() {
  std::string names;
  for (const std::string_view name : drivers::extractor_names())
    names.append(names.empty() ? "one of " : ", ").append(name);
  return names;
}

// A path need not be UTF-8; a line of JSON must be.
std::string as_utf8(std::string path) {
  if (base::is_utf8(path)) return path;
  for (char& c : path)
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  return path;
}

Result<Extracted> extract_file(Console& console, const std::string& path, AnswerReader& reader) {
  std::ifstream file;
  if (path != "-") {
    file.open(path, std::ios::binary);
    if (!file) return fail(Code::not_found, as_utf8(path) + ": cannot be opened");
  }
  std::istream& in = path == "-" ? console.in() : file;
  std::array<char, kPieceBytes> piece;
  do {
    in.read(piece.data(), piece.size());
    reader.feed({piece.data(), static_cast<std::size_t>(in.gcount())});
  } while (in);
  if (in.bad() || !in.eof())
    return fail(Code::unavailable, as_utf8(path) + ": cannot be read to its end");
  return reader.finish();
}

json::object usage_json(const Usage& usage) { return json::parse(usage.to_json()).as_object(); }

// What the answer says beyond the normal form; empty when that is nothing.
json::object reported_json(const Extracted& found) {
  json::object reported;
  if (found.reported_total) reported["total_tokens"] = *found.reported_total;
  if (found.reported_cost) {
    reported["cost"] = found.reported_cost->text();
    reported["currency"] = found.reported_cost->currency;
  }
  for (const NamedCount& further : found.further) reported[further.name] = further.count;
  if (found.by_model.empty()) return reported;
  json::object by_model;
  for (const ModelWork& work : found.by_model) by_model[work.model] = usage_json(work.usage);
  reported["by_model"] = by_model;
  return reported;
}

json::value error_json(const std::optional<Error>& error) {
  if (!error) return nullptr;
  return json::object{{"code", name_of(error->code)}, {"message", error->message}};
}

std::string line_of(const std::string& path, const Extracted& found) {
  json::object line{{"file", as_utf8(path)}, {"model", nullptr}, {"usage", nullptr}};
  if (!found.model.empty()) line["model"] = found.model;
  if (found.usage) line["usage"] = usage_json(*found.usage);
  line["error"] = error_json(found.error);
  if (found.usage && found.usage->source == UsageSource::estimated) line["lower_bound"] = true;
  if (json::object reported = reported_json(found); !reported.empty()) line["reported"] = reported;
  return json::serialize(line);
}

// By its own name, or as providers.P.extractor of the configuration says.
const Extractor* extractor_of(const std::string& provider, const config::Settings& settings) {
  const auto configured = settings.extractors.find(provider);
  return drivers::find_extractor(configured == settings.extractors.end() ? provider
                                                                         : configured->second);
}

Result<Exit> run_extract(Frame& frame, const Options& options, const config::Settings& settings) {
  const Extractor* extractor = extractor_of(options.provider, settings);
  if (extractor == nullptr) return bad_input("--provider", options.provider, names_expected());
  Console& console = frame.console();
  Exit exit = Exit::done;
  for (const std::string& path : options.files) {
    if (console.interrupted()) return Exit::partly;
    const auto reader = extractor->reader(
        {.api = options.api, .http_status = options.http_status, .stream = options.stream});
    Result<Extracted> found = extract_file(console, path, *reader);
    if (!found) {
      console.warn(found.error().message);
      exit = Exit::partly;
      found = Extracted{.error = found.error()};
    }
    console.out() << line_of(path, *found) << '\n';
  }
  return exit;
}

}  // namespace

void add_extract(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add({"extract",
                             "Reads the usage that recorded answers carry, as JSON Lines",
                             {"aimeter extract --provider openai answer.json",
                              "aimeter extract --provider anthropic --stream *.sse",
                              "aimeter extract --provider openai --http-status 429 error.json"}},
                            [&frame, options] {
                              return with_settings(frame, [&](const config::Settings& settings) {
                                return run_extract(frame, *options, settings);
                              });
                            });
  app.add_option("--provider", options->provider, "Name of the provider that answered")->required();
  app.add_option("--api", options->api, "Which API it was: a hint, told by content");
  app.add_flag("--stream", options->stream, "The answers are streams: a hint, told by content");
  app.add_option("--http-status", options->http_status, "Status of the answers (default: 200)")
      ->check(CLI::Range(100, 599));
  app.add_option("FILE", options->files, "Bodies as the provider sent them; - is standard input")
      ->required();
}

}  // namespace aimeter::cli
