#include "provider/sse.h"

#include "provider/scan.h"

namespace aimeter::provider {

void SseReader::feed(std::string_view piece, EventSink& sink) {
  if (after_cr_ && !piece.empty()) {
    if (piece.front() == '\n') piece.remove_prefix(1);
    after_cr_ = false;
  }
  while (!piece.empty()) {
    const std::size_t end = find_line_end(piece);
    const std::string_view part = piece.substr(0, end);
    // However the line is cut, it is taken whole or not at all.
    line_too_long_ = line_too_long_ || !fits(line_.size(), part.size());
    if (end == std::string_view::npos) {
      if (!line_too_long_) line_.append(part);
      return;
    }
    if (line_too_long_) {
      line_too_long_ = false;
    } else if (line_.empty()) {
      take_line(part, sink);
    } else {
      take_line(line_.append(part), sink);
    }
    line_.clear();
    const bool cr = piece[end] == '\r';
    piece.remove_prefix(end + 1);
    if (cr && piece.empty()) after_cr_ = true;
    if (cr && piece.starts_with('\n')) piece.remove_prefix(1);
  }
}

void SseReader::finish(EventSink& sink) {
  if (!line_.empty() && !line_too_long_) take_line(line_, sink);
  line_.clear();
  dispatch(sink);
}

bool SseReader::fits(std::size_t held, std::size_t more) {
  if (held + more <= kEventBytesMax) return true;
  too_large_ = dropping_ = true;
  return false;
}

void SseReader::take_line(std::string_view line, EventSink& sink) {
  if (line.empty()) return dispatch(sink);
  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (dropping_ || !fits(data_.size(), value.size() + 1)) return data_.clear();
    if (has_data_) data_.push_back('\n');
    data_.append(value);
    has_data_ = true;
  } else if (field == "event") {
    name_.assign(value.substr(0, 64));
  }
}

void SseReader::dispatch(EventSink& sink) {
  if (has_data_ && !dropping_) sink.on_event(name_, data_);
  data_.clear();
  name_.clear();
  has_data_ = dropping_ = false;
}

}  // namespace aimeter::provider
