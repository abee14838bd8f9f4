// Package:       provider
// Units:         Tokens; further units as named counts; costs as Money.
// Errors:        invalid_argument (an answer that contradicts itself), provider_failed (status >=
// 400 or an
//                error body: nothing is to be charged). Never throws on hostile input.
// Thread safety: extractors are stateless and shared; an AnswerReader belongs to one answer.
// Ownership:     none.
//
// Normalised usage of one provider call: input is everything sent and output everything generated,
// their parts are parts of them. Missing usage is *missing*, not zero.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "aimeter/money.h"
#include "aimeter/result.h"

namespace aimeter {

enum class UsageSource { missing, provider, manual, estimated };

struct Usage {
  Tokens input_tokens = {};
  Tokens cached_input_tokens = {};
  Tokens cache_write_tokens = {};  // all cache writes, also those of unknown term
  Tokens cache_write_5m_tokens = {}, cache_write_1h_tokens = {};
  Tokens input_audio_tokens = {}, cached_input_audio_tokens = {};
  Tokens output_tokens = {};
  Tokens reasoning_tokens = {}, output_audio_tokens = {};
  Tokens total_tokens = {};  // = input + output; alone: total_only
  std::map<std::string, std::int64_t> units =
      {};                   // "images", "seconds", "characters", "pages", "searches", "requests"
  bool total_only = false;  // only a total is known: priced half / half, odd one to output
  std::optional<Money> input_cost = {}, output_cost = {}, total_cost = {};  // given: not repriced
  UsageSource source = UsageSource::missing;
  std::string service_tier = {};  // as the answer says: "default", "batch", "flex", "priority"

  // The usage object of INTERFACES.md. from_json refuses unknown fields, negative, fractional or
  // out-of-range counts, duplicate keys, and parts above their whole.
  [[nodiscard]] std::string to_json() const;
  [[nodiscard]] static Result<Usage> from_json(std::string_view text);
  // Every rule of the normal form: counts >= 0, parts <= whole, total = input + output unless
  // total_only.
  [[nodiscard]] Status check() const;
  friend bool operator==(const Usage&, const Usage&) = default;
};

struct CallInfo {
  std::string provider = {}, model = {};
};

// What an extractor found in an answer.
struct Extracted {
  std::string model = {};                   // as the answer names it; empty when it does not
  std::optional<Usage> usage = {};          // empty: the answer carries no usage
  std::optional<Error> error = {};          // provider_failed: an error body or a mid-stream error
  std::optional<Money> reported_cost = {};  // the provider's own figure, for comparison
};

struct AnswerHints {
  std::string api = {};  // "chat", "responses", "messages" ...; empty: told by content
  int http_status = 200;
  bool stream = false;  // a hint only: the format is told by content
};

// Reads one answer, fed in pieces of any size. Memory is bounded (kAnswerBytesMax for a plain body,
// one event for a stream). Never throws. finish() is called once, after the last piece.
class AnswerReader {
 public:
  virtual ~AnswerReader() = default;
  virtual void feed(std::string_view piece) = 0;
  [[nodiscard]] virtual Extracted finish() = 0;
};

// The port of a provider: one file and one line in drivers/builtin.inc. Stateless, shared by all
// threads.
class Extractor {
 public:
  virtual ~Extractor() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;  // "openai"
  [[nodiscard]] virtual std::unique_ptr<AnswerReader> reader(const AnswerHints& hints) const = 0;
};

// A custom provider of the host, registered by name; the simple form of an Extractor.
class ProviderClient {
 public:
  virtual ~ProviderClient() = default;
  [[nodiscard]] virtual Result<Usage> usage(std::string_view model,
                                            std::string_view body) const = 0;
};

// The built-in extractor of call.provider reads `body` (JSON, SSE, NDJSON or AWS event stream).
// Errors: provider_failed (an error body), invalid_argument (provider unknown). An answer without
// usage gives Usage with source missing.
[[nodiscard]] Result<Usage> extract_usage(const CallInfo& call, std::string_view body);

struct HttpAnswer {
  int status = 200;
  std::string body = {};
};
[[nodiscard]] Result<Usage> usage_of(const std::string& body, const CallInfo& call);
[[nodiscard]] Result<Usage> usage_of(const HttpAnswer& answer, const CallInfo& call);
[[nodiscard]] inline Result<Usage> usage_of(const Usage& usage, const CallInfo&) { return usage; }

template <class T>
concept Metered = requires(const T& answer, const CallInfo& call) {
  { usage_of(answer, call) } -> std::convertible_to<Result<Usage>>;
};

}  // namespace aimeter
