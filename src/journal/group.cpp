#include "journal/group.h"

#include <algorithm>
#include <thread>

namespace aimeter::journal {

char* Group::place(Place place, std::size_t bytes) {
  Chunk& chunk = chunk_for(place, bytes);
  char* const slot = chunk.data.get() + chunk.size;
  chunk.size += bytes;
  bytes_ += bytes;
  copying_.fetch_add(1, std::memory_order_relaxed);
  return slot;
}

Chunk& Group::chunk_for(Place place, std::size_t bytes) {
  if (used_ > 0) {
    Chunk& last = chunks_[used_ - 1];
    const bool follows = last.segment == place.segment && last.offset + last.size == place.offset;
    if (follows && last.capacity - last.size >= bytes) return last;
  }
  if (used_ == chunks_.size()) chunks_.emplace_back();
  Chunk& next = chunks_[used_++];
  if (next.capacity < bytes) {
    next.capacity = std::max(bytes, kChunkBytes);
    next.data = std::make_unique_for_overwrite<char[]>(next.capacity);
  }
  next.segment = place.segment;
  next.offset = place.offset;
  next.size = 0;
  return next;
}

void Group::await_copies() const {
  // A copy takes less than a microsecond, unless its thread was put to sleep in the middle.
  while (copying_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
}

void Group::clear() {
  if (chunks_.size() > kChunksKept) chunks_.resize(kChunksKept);
  used_ = 0;
  bytes_ = 0;
  to_sync = closing = false;
}

}  // namespace aimeter::journal
