#include "journal/segments.h"

#include <algorithm>

namespace aimeter::journal {
namespace {

Status allocate(base::Files& files, base::File& file, const std::string& path,
                std::uint64_t bytes) {
  AIMETER_CHECK_OK(file.allocate(bytes));
  AIMETER_CHECK_OK(file.sync());
  return files.sync_folder(path.substr(0, path.rfind('/')));
}

}  // namespace

std::uint64_t Segment::offset_before(std::uint64_t frame) const {
  const auto after =
      std::ranges::upper_bound(marks, frame, {}, [](const auto& m) { return m.first; });
  return after == marks.begin() ? kSegmentHeaderBytes : std::prev(after)->second;
}

Result<std::shared_ptr<base::File>> make_segment(base::Files& files, const std::string& path,
                                                 std::uint64_t bytes) {
  AIMETER_TRY(std::unique_ptr<base::File> file, files.open(path, base::OpenMode::create));
  const Status allocated = allocate(files, *file, path, bytes);
  if (allocated) return std::shared_ptr<base::File>(std::move(file));
  file.reset();
  // The error that is told is the first one; an unused file that stays is harmless.
  if (const Status removed = files.remove(path); !removed) return std::unexpected(removed.error());
  return std::unexpected(allocated.error());
}

}  // namespace aimeter::journal
