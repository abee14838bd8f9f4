// Package:       meter
// Units:         tokens; nano-units of the price's currency.
// Errors:        invalid_argument (usage that contradicts itself); a missing price is no error.
// Thread safety: a PriceShelf may be read and changed by any thread; the rest are pure functions.
// Ownership:     a call keeps the Prices that it pinned.
//
// What a call may take before it runs, and what it cost after it. Where quantity or price is not
// known after an answer, the hold stands in: never a silent 0.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "aimeter/call.h"
#include "aimeter/pricing.h"
#include "budget/book.h"
#include "meter/estimates.h"
#include "meter/options.h"
#include "store/settlement.h"

namespace aimeter::meter {

class PriceShelf {
 public:
  using Ref = std::shared_ptr<const Prices>;
  // `read_again` puts the newest when the books in the store changed.
  PriceShelf(Ref first, std::function<void()> read_again)
      : now_(std::move(first)), read_again_(std::move(read_again)) {}
  [[nodiscard]] Ref now() const { return now_.load(); }
  void put(Ref newest) { now_.store(std::move(newest)); }
  void books_changed() const { read_again_(); }

 private:
  std::atomic<Ref> now_;
  std::function<void()> read_again_;
};

// What the price of a call is looked up by; fixed at the hold.
struct PricePin {
  PriceShelf::Ref prices = {};
  std::string version = {};
  Instant at = {};
};
[[nodiscard]] PricePin pin_prices(PriceShelf::Ref prices, Instant at);

struct Guess {
  budget::Need need = {};
  std::string_view source = {};  // "given", "learned", "first"
  bool priceable = true;         // something prices the model, or the cost is given
};
struct GuessFrom {
  const Options& options;
  const Estimates& estimates;
  const PricePin& pin;
};
// What the hold of a call takes. Errors: invalid_argument.
[[nodiscard]] Result<Guess> guess(const GuessFrom& from, const Call& call, const CallInfo& info,
                                  const TenantId& tenant);

// Total from its parts, total_only when there is nothing but a total, a source when there are
// figures.
[[nodiscard]] Usage normalised(Usage usage);
[[nodiscard]] bool is_missing(const Usage& usage);

struct HeldAmounts {
  std::int64_t tokens = 0, cost_nanos = 0;
  std::string currency = "usd";
};
struct Priced {
  Money input = {}, output = {}, total = {};
  std::uint32_t flags = 0;  // of store::Flag
  std::string model = {};   // the price row
  std::string version = {};
};
// Never fails: what cannot be priced is provisional.
[[nodiscard]] Priced priced(const PricePin& pin, const CallInfo& info, const Usage& usage,
                            const HeldAmounts& held);
// As it is stored: of a mere total half is input, half output, the odd one output.
[[nodiscard]] Usage halved(Usage usage);
[[nodiscard]] Usage estimated_usage(std::int64_t tokens);

}  // namespace aimeter::meter
