// Package:       sim
// Units:         tokens; 10 nano-units a token.
// Errors:        none: what is wrong goes to the Oracle.
// Thread safety: none: one thread does everything.
// Ownership:     borrows the world; owns the calls that run.
//
// Those who call through engines, and the operator who changes their limits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ledger/ledger.h"
#include "tests/sim/dice.h"

namespace aimeter::sim {

class World;
class Process;

constexpr std::int64_t kNanosPerToken = 10;

struct RunningCall {
  std::shared_ptr<Process> process;
  std::size_t attempt = 0;
  ledger::HoldAsk ask = {};
  std::int64_t expected = 0;
  std::optional<store::KeyRef> key = {};
  budget::Held held = {};
  bool holding = false;
};

struct WaitingRecord {
  std::shared_ptr<Process> process;
  std::size_t attempt = 0;
  std::uint64_t ticket = 0;
  std::int64_t row = 0;
};

struct Token {  // of a detached hold
  std::size_t attempt = 0;
  std::string text = {};
  std::int64_t held = 0, most = 0;  // most: that its answer may come to
};

class Callers {
 public:
  explicit Callers(World& world);

  void prepare();  // plans and subscriptions
  void begin_call();
  void retry();
  void finish();
  void record();
  void adjust();
  void detach();
  void use_token();
  void change_limit();
  void change_terms();
  void move_money();
  void process_ended(const Process& process);

  // ---- in the end
  void release_all();
  [[nodiscard]] bool running() const { return !calls_.empty(); }
  void poll_records();
  void end_tokens(Process& process);
  // With nothing running: what fits is granted, one token more is refused.
  void check_room(Process& process);
  // What nobody knows of is asked for again, with its key: then it is known.
  void end_doubts(Process& process);
  // All that is in a wallet may be withdrawn, one unit more not.
  void check_withdrawals(Process& process);
  [[nodiscard]] const std::vector<Account>& accounts() const { return accounts_; }

 private:
  using CallRef = std::shared_ptr<RunningCall>;
  [[nodiscard]] CallRef make_call(Process& process);
  void enter(const CallRef& call);
  void hold(const CallRef& call);
  void held(const CallRef& call, Result<budget::Held> result);
  void check_refusal(const Error& error);
  void settle(const CallRef& call, std::int64_t actual);
  void release(const CallRef& call);
  // ---- detached.cpp
  struct EndOfToken {
    std::size_t attempt = 0, hold = 0;
  };
  void was_detached(const CallRef& call, Result<ledger::Detached> detached);
  void end_token(Process& process, const Token& token);
  void release_token(Process& process, const Token& token, const ledger::HoldClaim& claim);
  void settle_token(Process& process, const Token& token, std::int64_t actual,
                    ledger::HoldClaim claim);
  void token_settled(const EndOfToken& end, Result<ledger::DetachedOutcome> outcome);
  // ---- money.cpp
  void put_first_money();
  void top_up();
  void withdraw();
  void refund();
  void ask_again();
  [[nodiscard]] Process* any_teller();
  void ask(std::size_t deal, Process* process);
  void money_refused(std::size_t deal, const Process* process, const Error& error);
  // ----
  [[nodiscard]] bool has_wallets() const;
  [[nodiscard]] std::int64_t most_of(const RunningCall& call) const;  // that its answer comes to
  void forget(const CallRef& call);
  [[nodiscard]] store::Settlement settlement_of(const RunningCall& call, std::int64_t tokens) const;
  struct Asking {  // in the end
    const Account& account;
    BillingMode mode = BillingMode::plan;
  };
  [[nodiscard]] std::int64_t room_of(Process& process, const Asking& asking);
  void check_room_of(Process& process, const Asking& asking);
  void put(const Plan& plan);
  [[nodiscard]] std::optional<store::Changed> operate(const store::ChangeBody& body);

  World& world_;
  std::vector<Account> accounts_;
  std::vector<Plan> plans_;
  std::vector<Subscription> subscriptions_;
  std::vector<CallRef> calls_;
  std::vector<WaitingRecord> records_;
  std::vector<Token> tokens_;
  struct KeyUse {
    std::size_t account = 0;
    store::KeyRef key = {};
    std::int64_t tokens = 0;
  };
  std::vector<KeyUse> keys_;
  std::uint64_t next_key_ = 1;
};

}  // namespace aimeter::sim
