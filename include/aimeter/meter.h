// Package:       meter
// Units:         Tokens, Money.
// Errors:        invalid_argument for the first bad setter argument; those of MeterCore::begin;
//                provider_failed when the callback reports failure. What it throws is rethrown.
// Thread safety: a Meter and a Reply belong to one thread at a time.
// Ownership:     both share the engine.
//
// A call, built fluently and used once: setters and call() take the meter as an rvalue, so that
// nothing leaks into the next call. Setters never fail; call() reports the first bad argument
// before the callback runs. From the callback's answer on there is no early exit.
#pragma once

#include <concepts>
#include <exception>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "aimeter/call.h"

namespace aimeter {

class ReplyBase {
 public:
  [[nodiscard]] const Usage& usage() const { return settled_.record.usage; }
  [[nodiscard]] const Money& cost() const { return settled_.record.total_cost; }
  [[nodiscard]] const LimitCheck& limit() const { return settled_.limit; }
  [[nodiscard]] const UsageRecord& record() const { return settled_.record; }
  [[nodiscard]] bool duplicate() const { return settled_.duplicate; }
  // The answer came, but the journal failed: counted in memory, not written.
  [[nodiscard]] const std::optional<Error>& unrecorded() const { return settled_.unrecorded; }
  [[nodiscard]] std::optional<Tokens> remaining_tokens() const { return limit().remaining_tokens; }
  [[nodiscard]] std::optional<Money> remaining_cost() const { return limit().remaining_cost; }
  [[nodiscard]] bool is_approaching_limit() const { return limit().approaching; }
  [[nodiscard]] bool is_limit_reached() const { return limit().hard_limit_reached; }

 protected:
  explicit ReplyBase(Settled&& settled) : settled_(std::move(settled)) {}

 private:
  Settled settled_;
};

template <class T>
class Reply : public ReplyBase {
 public:
  Reply(T response, Settled&& settled)
      : ReplyBase(std::move(settled)), response_(std::move(response)) {}
  [[nodiscard]] const T& response() const& { return response_; }
  [[nodiscard]] T&& response() && { return std::move(response_); }

 private:
  T response_;
};
template <>
class Reply<void> : public ReplyBase {
 public:
  explicit Reply(Settled&& settled) : ReplyBase(std::move(settled)) {}
};

namespace detail {

template <class T>
struct Unwrap {
  using type = T;
  static constexpr bool is_expected = false;
};
template <class T, class E>
struct Unwrap<std::expected<T, E>> {
  using type = T;
  static constexpr bool is_expected = true;
};

template <class T>
constexpr bool kIsText = std::same_as<T, std::string> || std::same_as<T, std::string_view> ||
                         std::same_as<T, const char*> || std::same_as<T, char*>;

// Usage of an answer. An error, or an exception of the host's usage_of(), must not lose a call that
// was answered: only provider_failed says that there is nothing to charge.
template <class T>
Result<Answered> read_answer(const Hold& hold, const T& answer) {
  if constexpr (std::same_as<T, HttpAnswer>) {
    if (answer.status >= 400 || !hold.call().manual_usage)
      return hold.read(answer.status, answer.body);
  } else if constexpr (kIsText<T>) {
    if (!hold.call().manual_usage) return hold.read(200, answer);
  } else if constexpr (Metered<T>) {
    if (!hold.call().manual_usage) {
      try {
        Result<Usage> usage = usage_of(answer, hold.info());
        if (usage) return Answered{.usage = *std::move(usage)};
        if (usage.error().code == Code::provider_failed) return std::unexpected(usage.error());
        return Answered{.problem = std::move(usage.error().message)};
      } catch (const std::exception& thrown) {
        return Answered{.problem = std::string("usage_of() threw: ") + thrown.what()};
      } catch (...) {
        return Answered{.problem = "usage_of() threw"};
      }
    }
  }
  return Answered{};  // void, unknown types, manual usage: the engine takes the caller's figures
}

// The error of a callback that reports failure as a value.
template <class E>
Error provider_error(const E& error) {
  std::string message = "the provider call failed";
  if constexpr (std::same_as<E, Error>) {
    if (!error.message.empty()) message += ": " + error.message;
  } else if constexpr (std::convertible_to<const E&, std::string>) {
    message += ": " + std::string(error);
  }
  return Error{Code::provider_failed, std::move(message), nullptr};
}

template <class T>
Result<Reply<T>> finish(Hold& hold, T answer) {
  Result<Answered> answered = read_answer(hold, answer);
  if (!answered) {
    hold.release(answered.error().message);
    return std::unexpected(std::move(answered).error());
  }
  Result<Settled> settled = hold.settle_answer(*std::move(answered));
  if (!settled) return std::unexpected(std::move(settled).error());
  return Reply<T>(std::move(answer), *std::move(settled));
}
inline Result<Reply<void>> finish(Hold& hold) {
  Result<Settled> settled = hold.settle_answer({});
  if (!settled) return std::unexpected(std::move(settled).error());
  return Reply<void>(*std::move(settled));
}

}  // namespace detail

// How a callback of result R is run; aimeter/asio.h adds coroutines.
template <class R>
struct CallForm {
  static constexpr bool kSelfMetered = false;
  using Wrapped = detail::Unwrap<R>;
  using Response = typename Wrapped::type;

  template <class M, class F>
  static Result<Reply<Response>> run(M&& meter, F&& callback) {
    Result<Hold> hold = std::forward<M>(meter).hold();
    if (!hold) return std::unexpected(std::move(hold).error());  // the callback never ran
    using Kept = std::conditional_t<std::is_void_v<R>, std::monostate, R>;
    std::optional<Kept> answer;
    try {  // only the callback: from its answer on, no early exit
      if constexpr (std::is_void_v<R>) {
        callback();
        answer.emplace();
      } else {
        answer.emplace(callback());
      }
    } catch (const std::exception& thrown) {
      hold->release(thrown.what(), std::current_exception());
      throw;  // as it came
    } catch (...) {
      hold->release("unknown exception", std::current_exception());
      throw;
    }
    return answered(*hold, *std::move(answer));
  }

  template <class Kept>
  static Result<Reply<Response>> answered(Hold& hold, Kept answer) {
    if constexpr (std::is_void_v<R>) {
      return detail::finish(hold);
    } else if constexpr (Wrapped::is_expected) {
      if (!answer) {
        Error error = detail::provider_error(answer.error());
        hold.release(error.message);
        return std::unexpected(std::move(error));
      }
      if constexpr (std::is_void_v<Response>) {
        return detail::finish(hold);
      } else {
        return detail::finish<Response>(hold, *std::move(answer));
      }
    } else {
      return detail::finish<Response>(hold, std::move(answer));
    }
  }
};

// Manual: the usage was given by hand. Only then may the callback return nothing or any type.
template <bool Manual>
class [[nodiscard]] BasicMeter {
 public:
  static constexpr bool kManual = Manual;
  BasicMeter(std::shared_ptr<MeterCore> core, Call call)
      : core_(std::move(core)), call_(std::move(call)) {}
  BasicMeter(const BasicMeter&) = default;
  BasicMeter(BasicMeter&&) noexcept = default;
  // By value: `meter = std::move(meter).feature("x")` assigns an object to itself.
  BasicMeter& operator=(BasicMeter other) noexcept {
    std::swap(core_, other.core_);
    std::swap(call_, other.call_);
    return *this;
  }

  BasicMeter&& for_user(std::string_view id) && {
    return std::move(*this).set(call_.user, "user", id);
  }
  template <HasUserId T>
  BasicMeter&& for_user(const T& user) && {
    return std::move(*this).for_user(std::string_view(std::string(user_id_of(user))));
  }
  BasicMeter&& for_tenant(std::string_view id) && {
    auto parsed = TenantId::parse(id);
    if (!parsed) note(std::move(parsed).error());
    if (parsed) call_.tenant = *std::move(parsed);
    return std::move(*this);
  }
  template <HasTenantId T>
  BasicMeter&& for_tenant(const T& tenant) && {
    return std::move(*this).for_tenant(std::string_view(std::string(tenant_id_of(tenant))));
  }
  BasicMeter&& billable(Billable who) && {
    call_.billable = std::move(who);
    return std::move(*this);
  }
  template <HasBillable T>
  BasicMeter&& billable(const T& who) && {
    return std::move(*this).billable(Billable(billable_of(who)));
  }
  BasicMeter&& using_provider(std::string_view provider, std::string_view model) && {
    std::move(*this).set(call_.provider, "provider", provider);
    if (!model.empty()) std::move(*this).set(call_.model, "model", model);
    return std::move(*this);
  }
  BasicMeter&& feature(std::string_view name) && {
    return std::move(*this).set(call_.feature, "feature", name);
  }
  BasicMeter&& api_key(std::string_view id) && {
    return std::move(*this).set(call_.api_key, "api_key", id);
  }
  BasicMeter&& session(std::string_view id) && {
    return std::move(*this).set(call_.session, "session", id);
  }
  BasicMeter&& billing_mode(BillingMode mode) && {
    call_.billing_mode = mode;
    return std::move(*this);
  }
  BasicMeter&& with_meta(Meta meta) && {  // merges; the newest value wins
    meta.merge(call_.meta);
    call_.meta = std::move(meta);
    return std::move(*this);
  }
  BasicMeter&& with_idempotency_key(std::string_view key) && {
    return std::move(*this).set(call_.idempotency_key, "idempotency_key", key);
  }
  BasicMeter&& if_recorded(OnRepeat what) && {
    call_.if_recorded = what;
    return std::move(*this);
  }
  BasicMeter&& expecting(Estimate estimate) && {  // strict: it fits or the call is refused
    call_.expected = std::move(estimate);
    return std::move(*this);
  }
  BasicMeter<true> with_manual_usage(Usage usage) && {  // replaces what the answer says
    usage.source = UsageSource::manual;
    call_.manual_usage = std::move(usage);
    return BasicMeter<true>(std::move(core_), std::move(call_));
  }
  [[nodiscard]] BasicMeter copy() const { return *this; }  // a prepared call, used more than once

  // Runs the callback between hold and settlement.
  template <std::invocable F>
  [[nodiscard]] auto call(F&& callback) && {
    using R = std::invoke_result_t<F&>;
    static_assert(Manual || CallForm<R>::kSelfMetered || Metered<typename detail::Unwrap<R>::type>,
                  "aimeter: the callback's result has no usage_of(const T&, const CallInfo&); "
                  "write one beside the type, or say with_manual_usage(...)");
    return CallForm<R>::run(std::move(*this), std::forward<F>(callback));
  }
  [[nodiscard]] Result<Hold> hold() && { return core_->begin(std::move(call_)); }  // streams
  void hold(HoldDone done) && { core_->begin(std::move(call_), std::move(done)); }

 private:
  BasicMeter&& set(std::string& member, std::string_view field, std::string_view value) && {
    auto good = check_call_text(field, value);
    if (good) member = value;
    if (!good) note(std::move(good).error());
    return std::move(*this);
  }
  void note(Error error) {
    if (!call_.bad) call_.bad = std::move(error);
  }
  std::shared_ptr<MeterCore> core_;
  Call call_;
};
using Meter = BasicMeter<false>;

}  // namespace aimeter
