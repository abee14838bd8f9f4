// Package:       pricing
// Units:         none
// Errors:        none: nothing found is a null pointer.
// Thread safety: find() may be called from any thread.
// Ownership:     borrows the BookData; PriceBook owns both.
//
// From (provider, model) as a caller names them to the model of the book, remembered. Names longer
// than kNameBytesMax match nothing, and the memory of names is bounded, so hostile names cost no
// memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pricing/book.h"

namespace aimeter::pricing {

struct Found {
  const Provider* provider = nullptr;  // as asked for, also when a fallback's model is found
  const Model* model = nullptr;
};

class Index {
 public:
  explicit Index(const BookData& data);
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  [[nodiscard]] Found find(std::string_view provider, std::string_view model) const;
  // By id, alias or rule, of a name in any case. The model plays no part.
  [[nodiscard]] const Provider* find_provider(std::string_view name) const;
  [[nodiscard]] std::vector<const Provider*> fallbacks_of(const Provider& provider) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const;
  };
  struct Models {  // of one provider
    std::unordered_map<std::string_view, std::size_t, Hash, std::equal_to<>> exact;  // first index
    std::vector<std::size_t> ruled;  // models with any rule but equals, rising
  };
  static constexpr std::size_t kShards = 16;
  static constexpr std::size_t kNamesPerShardMax = 512;
  struct Shard {
    mutable std::shared_mutex mutex;
    std::unordered_map<std::string, Found, Hash, std::equal_to<>> names;
  };

  [[nodiscard]] Found search(std::string_view provider, std::string_view model) const;
  [[nodiscard]] const Model* search_in(const Provider& provider, std::string_view model) const;

  const BookData& data_;
  std::vector<Models> models_;  // by provider
  std::unordered_map<std::string_view, std::size_t, Hash, std::equal_to<>> provider_names_;
  mutable std::array<Shard, kShards> shards_;
};

}  // namespace aimeter::pricing
