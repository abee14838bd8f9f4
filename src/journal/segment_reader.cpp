#include "journal/segment_reader.h"

#include <algorithm>
#include <utility>

namespace aimeter::journal {

Result<SegmentReader> SegmentReader::open(base::Files& files, const std::string& folder,
                                          std::uint64_t number) {
  std::string path = segment_path(folder, number);
  AIMETER_TRY(auto file, files.open(path, base::OpenMode::read));
  AIMETER_TRY(const std::uint64_t size, file->size());
  SegmentReader reader(std::move(path), number, std::move(file));
  reader.size_ = size;
  return reader;
}

Result<std::string> SegmentReader::header() { return file_->read_at(0, kSegmentHeaderBytes); }

Result<std::string> SegmentReader::rest(std::uint64_t from) {
  return file_->read_at(from, size_ - std::min(from, size_));
}

Result<std::string_view> SegmentReader::look(std::size_t count) {
  const bool there = window_at_ <= offset_ && offset_ + count <= window_at_ + window_.size();
  if (!there) {
    AIMETER_TRY(window_, file_->read_at(offset_, std::max(count, kWindowBytes)));
    window_at_ = offset_;
  }
  return std::string_view(window_).substr(offset_ - window_at_, count);
}

Result<std::optional<ParsedFrame>> SegmentReader::next() {
  constexpr std::optional<ParsedFrame> kNone;
  if (offset_ + frame_bytes(0) > size_) return kNone;
  AIMETER_TRY(const std::string_view length, look(frame_bytes(0)));
  const std::size_t claimed = claimed_bytes(length);
  if (claimed > size_ - offset_) return kNone;
  AIMETER_TRY(const std::string_view bytes, look(claimed));
  std::optional<ParsedFrame> parsed = parse_frame(bytes);
  if (parsed) {
    parsed->frame.segment = number_;
    offset_ += parsed->bytes;
  }
  return parsed;
}

}  // namespace aimeter::journal
