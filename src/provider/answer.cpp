#include "provider/answer.h"

#include <array>
#include <utility>

#include "provider/base64.h"
#include "provider/event_stream.h"
#include "provider/failure.h"
#include "provider/scan.h"
#include "provider/sse.h"

namespace aimeter::provider {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kSpaces = " \t\r\n";
constexpr std::array<std::string_view, 2> kUsageKeys = {"usage", "error"};
constexpr std::array<std::string_view, 3> kModelKeys = {"usage", "error", "model"};

enum class Format { unknown, json, lines, sse, messages };

class Reader final : public AnswerReader, EventSink, MessageSink {
 public:
  Reader(const ProviderCard& card, const AnswerHints& hints)
      : card_(card), failed_status_(hints.http_status >= 400 ? hints.http_status : 0) {}

  void feed(std::string_view piece) override {
    if (format_ == Format::unknown && !tell_format(piece)) return;
    switch (format_) {
      case Format::unknown:
        return;
      case Format::json:
        return feed_json(piece);
      case Format::lines:
        return feed_lines(piece);
      case Format::sse:
        return sse_.feed(piece, *this);
      case Format::messages:
        return messages_.feed(piece, *this);
    }
  }

  Extracted finish() override;

 private:
  bool tell_format(std::string_view& piece);
  void feed_json(std::string_view piece);
  bool first_line_is_document();
  void feed_lines(std::string_view piece);
  void end_line(std::string& line);
  void on_event(std::string_view name, std::string& data) override;
  void on_message(const StreamMessage& message) override;
  void take_text(std::string& json);
  void take_document(const Json& root);
  void take_failure(const Document& document);
  void end_input();
  Extracted conclude();

  const ProviderCard& card_;
  int failed_status_;
  Format format_ = Format::unknown;
  std::string body_ = {};  // json: all of it; lines: the line that has not ended; else the head
  bool first_line_seen_ = false;  // json: its first line is not a document of its own
  bool line_too_long_ = false;    // lines: what has come of the line is above the limit
  bool too_large_ = false;
  bool unreadable_ = false;   // a document could not be parsed, and no usage came after it
  bool error_event_ = false;  // the SSE event at hand is named "error"
  std::size_t documents_ = 0;
  SseReader sse_ = {};
  EventStreamReader messages_ = {};
  Collected collected_ = {};
  std::optional<Failure> failure_ = {};
};

// Leaves in `piece` what follows the head, the first significant byte included.
bool Reader::tell_format(std::string_view& piece) {
  while (!piece.empty()) {
    const char c = piece.front();
    if (body_.size() < kByteOrderMark.size() && c == kByteOrderMark[body_.size()]) {
      body_.push_back(c);  // holds the byte order mark only
      piece.remove_prefix(1);
      continue;
    }
    const bool marked = body_.empty() || body_ == kByteOrderMark;
    if (marked && kSpaces.find(c) != std::string_view::npos) {
      piece.remove_prefix(1);
      continue;
    }
    if (c == '{' || c == '[')
      format_ = Format::json;
    else
      format_ = c == '\0' || c == '\1' ? Format::messages : Format::sse;
    body_.clear();
    return true;
  }
  return false;
}

void Reader::feed_json(std::string_view piece) {
  const std::size_t end = first_line_seen_ ? std::string_view::npos : piece.find('\n');
  const std::string_view part = piece.substr(0, end == std::string_view::npos ? end : end + 1);
  if (body_.size() + part.size() > kAnswerBytesMax) too_large_ = true;
  if (too_large_)
    body_ = std::string();
  else if (body_.empty())
    body_ = with_room_to_parse(part);  // most come in one piece
  else
    body_.append(part);
  if (end == std::string_view::npos) return;
  first_line_seen_ = true;
  if (first_line_is_document()) {
    format_ = Format::lines;
    end_line(body_);
    return feed_lines(piece.substr(part.size()));
  }
  feed_json(piece.substr(part.size()));
}

// NDJSON if the first line is a whole document. Most pretty-printed bodies show otherwise at once.
bool Reader::first_line_is_document() {
  const std::size_t last = body_.find_last_not_of(kSpaces);
  if (last == std::string::npos || (body_[last] != '}' && body_[last] != ']')) return false;
  return parse_json(body_).has_value();
}

void Reader::feed_lines(std::string_view piece) {
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    const std::string_view part = piece.substr(0, end);
    // However the line is cut, it is taken whole or not at all.
    line_too_long_ = line_too_long_ || body_.size() + part.size() > kEventBytesMax;
    if (!line_too_long_) body_.append(part);
    if (end == std::string_view::npos) return;
    end_line(body_);
    piece.remove_prefix(end + 1);
  }
}

void Reader::end_line(std::string& line) {
  too_large_ = too_large_ || line_too_long_;
  if (!line_too_long_ && line.find_first_not_of(kSpaces) != std::string::npos) take_text(line);
  line_too_long_ = false;
  line.clear();
}

void Reader::on_event(std::string_view name, std::string& data) {
  static const KeyFilter with_model{kModelKeys};
  static const KeyFilter without_model{kUsageKeys};
  error_event_ = name == "error";
  ++documents_;
  const KeyFilter& filter = collected_.model.empty() ? with_model : without_model;
  if (error_event_ || filter.hit(data)) take_text(data);
  if (error_event_ && !failure_) failure_ = Failure{};
  error_event_ = false;
}

void Reader::on_message(const StreamMessage& message) {
  if (message.message_type == "exception" || message.message_type == "error") {
    if (!failure_) failure_ = Failure{.type = safe_word(message.exception_type)};
    return;
  }
  std::string payload(message.payload);
  const std::optional<Json> root = payload.empty() ? std::nullopt : parse_json(payload);
  if (!root) {
    if (!payload.empty()) unreadable_ = true;
    return;
  }
  const std::string_view wrapped = root->find("bytes").text();
  if (wrapped.empty()) return take_document(*root);
  std::optional<std::string> inner = from_base64(wrapped);
  if (!inner)
    unreadable_ = true;
  else
    take_text(*inner);
}

void Reader::take_text(std::string& json) {
  const std::optional<Json> root = parse_json(json);
  if (!root)
    unreadable_ = true;
  else
    take_document(*root);
}

// An array at the root is a stream in one body (Gemini without alt=sse), or a list of errors.
void Reader::take_document(const Json& root) {
  if (root.is(Json::Kind::array)) {
    for (Items at = root.items(); at.next();)
      if (at.value().is(Json::Kind::object)) take_document(at.value());
    return;
  }
  if (!root.is(Json::Kind::object)) return;
  if (format_ != Format::sse) ++documents_;
  const Document document(root);
  take_failure(document);
  if (failed_status_ != 0) return;
  if (!document.twice.empty())
    collected_.refuse(bad_input(document.twice, "twice", "each key once").error());
  if (collected_.model.empty()) collected_.model = model_of(document);
  for (const Dialect dialect : card_.dialects) {
    if (!dialect(document, card_, collected_)) continue;
    collected_.has_usage = true;
    unreadable_ = false;
    break;
  }
}

void Reader::take_failure(const Document& document) {
  if (failure_ && !failure_->type.empty()) return;
  std::optional<Failure> failure =
      failure_of(document, error_event_ || failed_status_ != 0 ? Certain::yes : Certain::no);
  if (failure) failure_ = std::move(failure);
}

void Reader::end_input() {
  switch (format_) {
    case Format::unknown:
      return;
    case Format::json:
      if (!too_large_) take_text(body_);
      return;
    case Format::lines:
      return end_line(body_);
    case Format::sse:
      sse_.finish(*this);
      too_large_ = sse_.too_large();
      if (documents_ == 0) unreadable_ = true;  // text, but no event in it
      return;
    case Format::messages:
      return messages_.finish();
  }
}

Extracted Reader::finish() {
  end_input();
  body_ = std::string();
  return conclude();
}

Extracted Reader::conclude() {
  Extracted found = {};
  if (failed_status_ != 0) {
    found.error = error_of(card_.name, failed_status_, failure_.value_or(Failure{}));
    return found;
  }
  if (card_.model_name == ModelName::of_answer) found.model = std::move(collected_.model);
  if (failure_) found.error = error_of(card_.name, 0, *failure_);
  const bool one_document = format_ == Format::json || format_ == Format::lines;
  if (failure_ && one_document && documents_ <= 1) return found;
  if (!collected_.bad && !messages_.failure().empty())
    collected_.bad = unreadable(card_.name, messages_.failure());
  if (!collected_.bad && collected_.has_usage) {
    Result<Usage> usage = normalise(collected_.figures, collected_.meaning);
    if (!usage)
      collected_.bad = usage.error();
    else
      found.usage = *std::move(usage);
  }
  if (collected_.bad) {
    found.usage = std::nullopt;
    if (!found.error) found.error = std::move(collected_.bad);
    return found;
  }
  const bool cut = unreadable_ || too_large_ || (found.usage && !collected_.is_final);
  if (cut && !found.error)
    found.error = unreadable(card_.name, too_large_    ? "it is larger than what is accepted"
                                         : unreadable_ ? "it is no whole JSON, SSE or event stream"
                                                       : "it ended before its last figures");
  if (!found.usage) return found;
  if (cut || collected_.lower_bound) found.usage->source = UsageSource::estimated;
  found.usage->service_tier = std::move(collected_.service_tier);
  found.reported_cost = std::move(collected_.cost);
  if (collected_.figures.has(Slot::total))
    found.reported_total = collected_.figures.get(Slot::total);
  found.further = further_counts(collected_.figures, collected_.meaning);
  found.by_model = std::move(collected_.by_model);
  return found;
}

class CardExtractor final : public Extractor {
 public:
  explicit CardExtractor(const ProviderCard& card) : card_(card) {}
  [[nodiscard]] std::string_view name() const override { return card_.name; }
  [[nodiscard]] std::unique_ptr<AnswerReader> reader(const AnswerHints& hints) const override {
    return std::make_unique<Reader>(card_, hints);
  }

 private:
  const ProviderCard& card_;
};

}  // namespace

std::unique_ptr<Extractor> make_extractor(const ProviderCard& card) {
  return std::make_unique<CardExtractor>(card);
}

}  // namespace aimeter::provider
