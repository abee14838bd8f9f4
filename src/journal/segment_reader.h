// Package:       journal
// Units:         bytes; offsets in the segment's file.
// Errors:        what Files answer; a frame that does not check is told as such, not as an error.
// Thread safety: one thread.
// Ownership:     owns the open file; a frame's payload is valid until the next call.
//
// Reads one segment's frames in order, in windows, beside a writer that appends to it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/files.h"
#include "journal/frame.h"

namespace aimeter::journal {

class SegmentReader {
 public:
  [[nodiscard]] static Result<SegmentReader> open(base::Files& files, const std::string& folder,
                                                  std::uint64_t number);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] std::uint64_t offset() const { return offset_; }  // of the next frame
  [[nodiscard]] std::uint64_t size() const { return size_; }
  void seek(std::uint64_t offset) { offset_ = offset; }

  [[nodiscard]] Result<std::string> header();  // its bytes; fewer when the file ends in it
  // The frame at offset(), which then moves behind it. Empty: there is none that checks.
  [[nodiscard]] Result<std::optional<ParsedFrame>> next();
  // Everything from `from` to the end of the file.
  [[nodiscard]] Result<std::string> rest(std::uint64_t from);

 private:
  static constexpr std::size_t kWindowBytes = 1U << 20;

  SegmentReader(std::string path, std::uint64_t number, std::unique_ptr<base::File> file)
      : path_(std::move(path)), number_(number), file_(std::move(file)) {}
  [[nodiscard]] Result<std::string_view> look(std::size_t count);

  std::string path_;
  std::uint64_t number_ = 0;
  std::unique_ptr<base::File> file_;
  std::uint64_t size_ = 0, offset_ = kSegmentHeaderBytes;
  std::string window_;
  std::uint64_t window_at_ = 0;
};

}  // namespace aimeter::journal
