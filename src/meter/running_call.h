// Package:       meter
// Units:         as in aimeter/call.h.
// Errors:        as in aimeter/call.h.
// Thread safety: any thread; the first end wins, later ones get its result.
// Ownership:     keeps the engine; owns its hold and its key until it ends.
//
// A call from its preparation to its end. A repeated key (repeat_of set) holds nothing and is
// stored as an unbilled duplicate.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "meter/core.h"

namespace aimeter::meter {

class RunningCall final : public OpenCall, public std::enable_shared_from_this<RunningCall> {
 public:
  struct Prepared {
    Call call = {};
    CallInfo info = {};
    PricePin pin = {};
    Guess guess = {};
    ledger::HoldAsk ask = {};
    Meta meta = {};  // as it is stored
    std::optional<store::KeyRef> key = {};
  };
  explicit RunningCall(std::shared_ptr<MeterCore> engine);
  ~RunningCall() override;

  // ---- OpenCall
  [[nodiscard]] const Call& call() const override { return prepared_.call; }
  [[nodiscard]] CallInfo info() const override { return prepared_.info; }
  [[nodiscard]] Result<Settled> settle(Answered answered) override;
  void settle(Answered answered, SettleDone done) override;
  void release(std::string_view reason) override;
  void fail(std::string_view reason, std::exception_ptr thrown) override;
  [[nodiscard]] Result<HoldToken> detach() override;
  void detach(DetachDone done) override;
  [[nodiscard]] Result<Answered> read(int http_status, std::string_view body) const override;

  // ---- for the sentence
  [[nodiscard]] Prepared& to_prepare() { return prepared_; }  // before anybody else has the call
  [[nodiscard]] const Prepared& prepared() const { return prepared_; }
  // After the look-up of its key. Errors: conflict (the caller wants no repeat).
  [[nodiscard]] Status boards(const ledger::KeyEntry& entry);
  [[nodiscard]] bool is_repeat() const { return repeat_of_ != 0; }
  // Takes the hold, and gives it back if this version cannot bill the account.
  [[nodiscard]] Status holds(Result<budget::Held> held);

 private:
  enum class State : unsigned char { open, settling, settled, released, detached };
  // Usage and price of an answer: fills the settlement, its record, and why its usage is missing.
  void take(Answered answered);
  [[nodiscard]] Usage usage_of_answer(Answered& answered);
  [[nodiscard]] HeldAmounts held_amounts() const;
  // Key, estimates and events of a settlement that was written, or could not be.
  [[nodiscard]] Settled conclude(Result<ledger::SettleOutcome> written);
  [[nodiscard]] Settled store_repeat();
  // What is left for the account of a repeat, which holds and counts nothing.
  [[nodiscard]] LimitCheck limit_now() const;
  void limit_now(std::move_only_function<void(LimitCheck)> done);  // never blocks
  // Nothing when this caller may settle, else the result of whoever ended the call; waits for it.
  [[nodiscard]] std::optional<Result<Settled>> begin_settling();
  // True when this caller may settle; else `done` gets the result when it is there.
  [[nodiscard]] bool begin_settling(SettleDone& done);
  void finish(const Settled& settled);
  [[nodiscard]] bool end_unsettled(std::string_view reason);
  // detached.cpp
  [[nodiscard]] Status begin_detaching();
  [[nodiscard]] Result<HoldToken> end_detaching(Result<ledger::Detached> detached);
  [[nodiscard]] ledger::HoldClaim claim() const;
  void leave_key(std::int64_t row);
  [[nodiscard]] Core& core() const { return Core::of(engine_); }

  std::shared_ptr<MeterCore> engine_;
  Prepared prepared_;
  // Of whoever settles.
  UsageRecord record_;
  std::string problem_;  // why the usage is missing
  budget::Held held_;
  bool holding_ = false, in_flight_ = false;
  std::int64_t repeat_of_ = 0;
  base::Mutex mutex_;
  State state_ AIMETER_GUARDED_BY(mutex_) = State::open;
  std::optional<Settled> first_ AIMETER_GUARDED_BY(mutex_);
  std::vector<SettleDone> waiting_ AIMETER_GUARDED_BY(mutex_);
};

}  // namespace aimeter::meter
