// Package:       provider
// Units:         Tokens; further units as named counts; costs as Money.
// Errors:        invalid_argument (an answer that contradicts itself), provider_failed (status >=
//                400 or an error body: nothing is to be charged). Never throws on hostile input.
// Thread safety: extractors are stateless and shared; an AnswerReader belongs to one answer.
// Ownership:     none.
//
// Normalised usage of one provider call: input is everything sent and output everything generated,
// their parts are parts of them. Missing usage is *missing*, not zero.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

struct NamedCount {
  std::string name = {};
  std::int64_t count = 0;
  friend bool operator==(const NamedCount&, const NamedCount&) = default;
};

// What one model did for an answer, where the answer tells it by model (Anthropic's iterations).
struct ModelWork {
  std::string model = {};  // empty: the answer's own
  Usage usage = {};
};

// What an extractor found in an answer. `error` and `usage` are both set only for a stream that
// told figures before it failed or broke off: the figures are then a lower bound unless they were
// final.
struct Extracted {
  std::string model = {};  // as the answer names it; empty when it does not
  // Empty: the answer carries no usage. Source provider: final. Source estimated: a lower bound
  // (the stream ended before its last figures, or the provider left a figure out).
  std::optional<Usage> usage = {};
  // provider_failed: status >= 400, an error body or an error inside a stream; the message never
  // holds text of the answer but its error type and code. invalid_argument: the answer cannot be
  // read or contradicts itself; its usage is missing, and the call is not free.
  std::optional<Error> error = {};
  std::optional<Money> reported_cost = {};          // the provider's own figure, to the nano-unit
  std::optional<std::int64_t> reported_total = {};  // the total as the answer says it
  std::vector<NamedCount> further = {};             // told beyond the normal form, never priced
  std::vector<ModelWork> by_model = {};             // may be more than `usage`: all work, by model
};

struct AnswerHints {
  std::string api = {};  // "chat", "responses", "messages" ...; a hint: told by content
  int http_status = 200;
  bool stream = false;  // a hint only: the format is told by content
};

// A plain JSON body above this is not read: its usage is missing.
inline constexpr std::size_t kAnswerBytesMax = std::size_t{64} << 20;

// Reads one answer, fed in pieces of any size; the result does not depend on how it was cut.
// Memory is bounded (kAnswerBytesMax for a plain body, one event for a stream). Never throws on
// any input. finish() is called once, after the last piece.
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
// Errors: provider_failed (an error body; in a stream only when it told no usage), invalid_argument
// (provider unknown). An answer without usage, and one that cannot be read or contradicts itself,
// gives Usage with source missing: it was answered, so it is never an error.
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
