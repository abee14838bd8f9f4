// Package:       journal
// Units:         bytes
// Errors:        none
// Thread safety: place() under the journal's buffer lock; the copy into a slot outside of it, ended
//                by copied(); the rest by the writer once all copies ended.
// Ownership:     owns its chunks and keeps some for the next use.
//
// One half of the append buffer: the frames that the writer takes together. A chunk is a run of
// bytes for one place of one segment; it never moves, so that frames are copied without the lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace aimeter::journal {

struct Chunk {
  std::uint64_t segment = 0, offset = 0;
  std::unique_ptr<char[]> data;
  std::size_t size = 0, capacity = 0;
  [[nodiscard]] std::string_view bytes() const { return {data.get(), size}; }
};

class Group {
 public:
  struct Place {
    std::uint64_t segment = 0, offset = 0;
  };
  // Room for `bytes` that belong at `place`; the copy into it is awaited until copied().
  [[nodiscard]] char* place(Place place, std::size_t bytes);
  void copied() { copying_.fetch_sub(1, std::memory_order_release); }
  void await_copies() const;

  [[nodiscard]] bool empty() const { return used_ == 0; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] const Chunk& chunk(std::size_t i) const { return chunks_[i]; }
  [[nodiscard]] std::size_t chunks() const { return used_; }
  void clear();

  std::uint64_t last_frame = 0;
  bool to_sync = false;  // holds a frame that somebody may wait for
  bool closing = false;  // holds the close frame

 private:
  static constexpr std::size_t kChunkBytes = 1U << 20;
  static constexpr std::size_t kChunksKept = 4;

  Chunk& chunk_for(Place place, std::size_t bytes);

  std::vector<Chunk> chunks_;
  std::size_t used_ = 0;
  std::size_t bytes_ = 0;
  std::atomic<int> copying_{0};
};

}  // namespace aimeter::journal
