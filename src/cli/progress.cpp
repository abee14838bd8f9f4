#include "cli/progress.h"

#include <fmt/format.h>

#include <ostream>

#include "cli/table.h"

namespace aimeter::cli {
namespace {

constexpr Duration kPrintEvery = std::chrono::milliseconds(200);
constexpr std::string_view kWipe = "\r\x1b[K";

std::string clock_text(std::int64_t seconds) {
  if (seconds < 3600) return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

}  // namespace

Progress::Progress(Console& console, std::string label, std::optional<std::int64_t> total)
    : console_(console), label_(std::move(label)), total_(total) {
  if (console_.shows_progress()) began_ = console_.options().clock->boot();
}

Progress::~Progress() {
  if (printed_) console_.err() << kWipe << std::flush;
}

void Progress::at(std::int64_t done) {
  if (!console_.shows_progress()) return;
  const Duration now = console_.options().clock->boot();
  if (printed_ ? now - *printed_ < kPrintEvery : now - began_ < kPrintEvery) return;
  printed_ = now;
  const int columns = console_.options().columns;
  const std::string text = line(done, now - began_);
  console_.err() << kWipe << (columns > 0 ? cut_to(text, columns - 1) : text) << std::flush;
}

std::string Progress::line(std::int64_t done, Duration passed) const {
  const std::int64_t passed_us = std::max<std::int64_t>(passed.count(), 1);
  const auto per_second = static_cast<std::int64_t>(__int128{done} * 1'000'000 / passed_us);
  std::string text = fmt::format("{} {}", done, label_);
  if (total_ && *total_ > 0) {
    text = fmt::format("{} of {} {} ({} %)", done, *total_, label_,
                       static_cast<std::int64_t>(__int128{done} * 100 / *total_));
  }
  text += fmt::format(", {}/s", per_second);
  if (total_ && per_second > 0 && done <= *total_) {
    text += fmt::format(", {} left", clock_text((*total_ - done) / per_second));
  }
  return text;
}

}  // namespace aimeter::cli
