// Package:       meter
// Units:         Tokens, Money, Instant; a row id is engine << 40 | seq.
// Errors:        each function says; after the provider's answer nothing is refused.
// Thread safety: a Hold belongs to one call; its functions may be called from any thread, one at a
//                time.
// Ownership:     a Hold shares the engine; the engine lives as long as its last Hold.
//
// One call between hold and settlement, and what an engine can do for it. aimeter/meter.h builds
// calls; whoever streams or runs an event loop takes the Hold and settles it himself.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "aimeter/limit.h"
#include "aimeter/usage.h"

namespace aimeter {

// Ids and names of a call: 1..191 bytes of UTF-8 without control characters.
[[nodiscard]] Status check_call_text(std::string_view field, std::string_view value);

// What call() does with a key that was settled before: run the callback, because the caller needs
// an answer, and bill nothing; or answer `conflict` and call nobody.
enum class OnRepeat { run_unbilled, refuse };

struct Call {  // the plain value that a Meter builds
  std::string user = {}, provider = {}, model = {}, feature = {}, api_key = {}, session = {};
  std::optional<TenantId> tenant = {};   // explicit
  std::optional<TenantId> ambient = {};  // of the thread, when the meter was made; "" = central
  std::optional<Context> context = {};
  std::optional<Billable> billable = {};
  std::optional<BillingMode> billing_mode = {};
  Meta meta = {};
  std::string idempotency_key = {};
  OnRepeat if_recorded = OnRepeat::run_unbilled;
  std::optional<Usage> manual_usage = {};
  Estimate expected = {};
  std::optional<Error> bad = {};  // the first bad argument: call() reports it and calls nobody
};

struct Settled {
  UsageRecord record = {};
  LimitCheck limit = {};                 // after the settlement
  bool duplicate = false;                // the key was settled before: nothing was billed
  std::optional<Error> unrecorded = {};  // answered, but the journal failed: tell an operator
};

// What was read of an answer. `problem`: why its usage is missing, "" when the answer just has
// none.
struct Answered {
  Usage usage = {};
  std::string model = {};  // as the answer names it
  std::string problem = {};
};

using SettleDone = std::move_only_function<void(Result<Settled>)>;

// A hold that left its engine: any engine of the same store settles or releases it by its text.
struct HoldToken {
  std::string text = {};  // letters, digits, - and _; a secret of whoever may end the hold
  std::string id = {};    // names the hold in HoldExpired; no secret
  Instant expires_at = {};
};
using DetachDone = std::move_only_function<void(Result<HoldToken>)>;

// A call that holds; the engine implements it. Ends once.
class OpenCall {
 public:
  virtual ~OpenCall() = default;
  [[nodiscard]] virtual const Call& call() const = 0;
  [[nodiscard]] virtual CallInfo info() const = 0;  // provider and model, defaults filled in
  // `done` with the first result if it was settled before. Errors: failed_precondition (released).
  virtual void settle(Answered answered, SettleDone done) = 0;
  [[nodiscard]] virtual Result<Settled> settle(Answered answered) = 0;
  virtual void release(std::string_view reason) = 0;
  [[nodiscard]] virtual Result<HoldToken> detach() = 0;
  virtual void detach(DetachDone done) = 0;
  // Releases and publishes ProviderCallFailed.
  virtual void fail(std::string_view reason, std::exception_ptr thrown) = 0;
  // Usage of a provider's own text. Errors: provider_failed (status >= 400, or an error body).
  [[nodiscard]] virtual Result<Answered> read(int http_status, std::string_view body) const = 0;
};

// Part of the account's budgets, set aside for one call. Releases itself when destroyed unsettled.
class [[nodiscard]] Hold {
 public:
  explicit Hold(std::shared_ptr<OpenCall> open) : open_(std::move(open)) {}
  Hold(Hold&&) noexcept = default;
  Hold& operator=(Hold&& other) noexcept;
  ~Hold();

  // Counts what was used and returns when the durability is reached. Settled before: the first
  // result. Missing usage counts the held tokens. Errors: failed_precondition (released before),
  // invalid_argument (negative counts, parts above their whole: the hold stays), unavailable (the
  // journal failed: counted in memory, not written).
  [[nodiscard]] Result<Settled> settle(const Usage& usage);
  // The same, never blocking; `done` may run at once, or on the journal's thread.
  void settle(const Usage& usage, SettleDone done);
  // The same for an answer whose model is known; unusable usage counts as missing.
  [[nodiscard]] Result<Settled> settle_answer(Answered answered);
  void settle_answer(Answered answered, SettleDone done);
  // Gives the hold back and publishes ProviderCallFailed. Settled or released before: nothing.
  void release(std::string_view reason, std::exception_ptr thrown = nullptr);
  // Hands the hold out of this process: it lives on in the store until Engine::settle,
  // Engine::release or its expiry (holds.ttl_s). This Hold is over. Its idempotency key belongs to
  // whoever settles first. Errors: failed_precondition (ended before, or its key was settled
  // before: there is nothing held), unavailable (it runs on here), in_doubt (it is out, nobody has
  // its token, it expires).
  [[nodiscard]] Result<HoldToken> detach();
  void detach(DetachDone done);  // never blocks

  [[nodiscard]] const Call& call() const { return open_->call(); }
  [[nodiscard]] CallInfo info() const { return open_->info(); }
  [[nodiscard]] Result<Answered> read(int http_status, std::string_view body) const {
    return open_->read(http_status, body);
  }

 private:
  std::shared_ptr<OpenCall> open_;
};

using HoldDone = std::move_only_function<void(Result<Hold>)>;

// The engine, as far as a call needs it. Implemented once, in src/meter.
class MeterCore {
 public:
  virtual ~MeterCore() = default;
  // Tenancy, account, key, hold. Errors: invalid_argument, unauthenticated, permission_denied,
  // not_found, conflict, quota_exceeded (with Refusal), failed_precondition, unavailable: nothing
  // is held. Waits up to hold_wait.
  [[nodiscard]] virtual Result<Hold> begin(Call call) = 0;
  virtual void begin(Call call, HoldDone done) = 0;  // never blocks
};

// ---- Facts of a call, published after the durability is reached, on the calling thread. The last
// four come from the engine's own threads.
struct ProviderCallFailed {
  Account account = {};
  std::string provider = {}, model = {}, error = {};
  std::exception_ptr exception = {};
};
struct CallRefused {  // a limit refused it before the callback; LimitReached tells only the first
  Account account = {};
  Error error = {};
};
struct UsageEstimated {  // the answer carried no usage: the hold's tokens were counted
  UsageRecord record = {};
  std::string problem = {};
};
struct UsageProvisional {  // no price: the hold's cost was counted, or the known parts
  UsageRecord record = {};
};
struct DuplicateAnswer {  // a second answer of a key, stored unbilled
  UsageRecord record = {};
  std::int64_t original = 0;
};
struct HoldExpired {  // a detached hold that nobody ended in time; settled later it counts, late
  Account account = {};
  std::string hold = {};  // HoldToken::id
};
struct CallOrphaned {  // held when a process died: at most this was used
  Account account = {};
  std::string provider = {}, model = {}, feature = {};
  Tokens held = {};
  Instant opened_at = {};
};
struct SettlementDead {  // could not be written as a row; counted with its hold
  Account account = {};
  std::int64_t id = 0;
  std::string reason = {};
};

}  // namespace aimeter
