#include "meter/costing.h"

#include <algorithm>

#include "base/log.h"
#include "pricing/most.h"

namespace aimeter::meter {
namespace {

struct CostGuess {
  std::int64_t nanos = 0;
  std::string currency = {};
  bool priceable = true;
};

CostGuess unpriceable(const Options& options) {
  return {.nanos = 0, .currency = options.currency, .priceable = false};
}

// The most that `tokens` can cost: all of them input, or all of them output.
CostGuess dearest(const GuessFrom& from, const CallInfo& info, std::int64_t tokens) {
  const PriceQuery query{.provider = info.provider, .model = info.model, .at = from.pin.at};
  const auto bound = [&](std::int64_t input, std::int64_t output) {
    return from.pin.prices->upper_bound(
        query, {.input_tokens = input, .output_tokens = output, .units = {}}, from.pin.version);
  };
  const Result<Money> as_input = bound(tokens, 0);
  const Result<Money> as_output = bound(0, tokens);
  if (!as_input && !as_output) return unpriceable(from.options);
  const Money& dearer =
      !as_output || (as_input && as_input->nanos >= as_output->nanos) ? *as_input : *as_output;
  return {.nanos = dearer.nanos, .currency = dearer.currency};
}

Result<CostGuess> cost_of_manual(const GuessFrom& from, const CallInfo& info, const Usage& usage) {
  const PriceQuery query{.provider = info.provider, .model = info.model, .at = from.pin.at};
  AIMETER_TRY(const CostResult cost, from.pin.prices->cost(query, usage, from.pin.version));
  if (cost.outcome == CostOutcome::unknown_model) return unpriceable(from.options);
  return CostGuess{.nanos = cost.total_cost.nanos,
                   .currency = cost.currency,
                   .priceable = cost.outcome == CostOutcome::priced};
}

void take_cost(budget::Need& need, const CostGuess& cost, budget::Fit fit) {
  need.cost_nanos = need.credit_nanos = cost.nanos;
  need.cost_currency = cost.currency;
  need.cost_fit = fit;
}

Status check_estimate(const Estimate& expected) {
  if (expected.tokens && expected.tokens->count < 0) {
    return bad_input("expecting.tokens", std::to_string(expected.tokens->count), "0 or more");
  }
  if (expected.cost && expected.cost->nanos < 0) {
    return bad_input("expecting.cost", expected.cost->text(), "0 or more");
  }
  return {};
}

// No call can use more than its model takes. What was learned is of real calls and needs no bound.
std::int64_t first_tokens(const GuessFrom& from, const CallInfo& info) {
  const std::int64_t first = from.options.first_estimate_tokens;
  const PriceBook::Ref& book = from.pin.prices->in_force(from.pin.at);
  return std::min(first, pricing::max_tokens(*book, info.provider, info.model).value_or(first));
}

Guess learned_guess(const GuessFrom& from, const Call& call, const CallInfo& info,
                    const TenantId& tenant) {
  Guess guess;
  const auto learned = from.estimates.of({.tenant = tenant.text,
                                          .provider = info.provider,
                                          .model = info.model,
                                          .feature = call.feature});
  guess.source = learned ? "learned" : "first";
  guess.need.tokens = learned ? learned->tokens : first_tokens(from, info);
  guess.need.tokens_fit = budget::Fit::may_cap;
  CostGuess cost = dearest(from, info, guess.need.tokens);
  guess.priceable = cost.priceable;
  const std::int64_t most = cost.nanos;
  if (learned && cost.priceable) cost.nanos = std::min(cost.nanos, learned->cost_nanos);
  take_cost(guess.need, cost, budget::Fit::may_cap);
  guess.need.credit_nanos = most;  // a wallet holds the dearest that it can become
  return guess;
}

}  // namespace

PricePin pin_prices(PriceShelf::Ref prices, Instant at) {
  std::string version = prices->in_force(at)->version();
  return {.prices = std::move(prices), .version = std::move(version), .at = at};
}

Result<Guess> guess(const GuessFrom& from, const Call& call, const CallInfo& info,
                    const TenantId& tenant) {
  AIMETER_CHECK_OK(check_estimate(call.expected));
  Guess guess;
  if (call.manual_usage) {
    const Usage usage = normalised(*call.manual_usage);
    guess.source = "given";
    guess.need.tokens = usage.total_tokens.count;
    AIMETER_TRY(const CostGuess cost, cost_of_manual(from, info, usage));
    guess.priceable = cost.priceable;
    take_cost(guess.need, cost, budget::Fit::strict);
  } else if (call.expected.tokens) {
    guess.source = "given";
    guess.need.tokens = call.expected.tokens->count;
    const CostGuess cost = dearest(from, info, guess.need.tokens);
    guess.priceable = cost.priceable;
    take_cost(guess.need, cost, budget::Fit::strict);
  } else {
    guess = learned_guess(from, call, info, tenant);
    if (call.expected.cost) guess.source = "given";
  }
  if (call.expected.cost) {
    guess.need.cost_nanos = guess.need.credit_nanos = call.expected.cost->nanos;
    guess.need.cost_currency = call.expected.cost->currency;
    guess.need.cost_fit = budget::Fit::strict;
  }
  guess.need.exchange = {.rates = from.options.rates, .at = from.pin.at};
  return guess;
}

Usage halved(Usage usage) {
  if (!usage.total_only) return usage;
  usage.input_tokens.count = usage.total_tokens.count / 2;
  usage.output_tokens.count = usage.total_tokens.count - usage.input_tokens.count;
  return usage;
}

bool is_missing(const Usage& usage) {
  const bool counted = usage.input_tokens.count != 0 || usage.output_tokens.count != 0 ||
                       usage.total_tokens.count != 0 || !usage.units.empty();
  const bool costed = usage.input_cost || usage.output_cost || usage.total_cost;
  return usage.source == UsageSource::missing && !counted && !costed;
}

Usage normalised(Usage usage) {
  const std::int64_t input = usage.input_tokens.count;
  const std::int64_t output = usage.output_tokens.count;
  std::int64_t sum = 0;
  if (input == 0 && output == 0 && usage.total_tokens.count > 0) {
    usage.total_only = true;
  }
  if (!usage.total_only && usage.total_tokens.count == 0 &&
      !__builtin_add_overflow(input, output, &sum)) {
    usage.total_tokens.count = sum;
  }
  std::int64_t terms = 0;
  const bool fits = !__builtin_add_overflow(usage.cache_write_5m_tokens.count,
                                            usage.cache_write_1h_tokens.count, &terms);
  if (usage.cache_write_tokens.count == 0 && fits) usage.cache_write_tokens.count = terms;
  if (usage.source == UsageSource::missing && !is_missing(usage)) {
    usage.source = UsageSource::provider;
  }
  return usage;
}

Usage estimated_usage(std::int64_t tokens) {
  Usage usage;
  usage.total_tokens.count = tokens;
  usage.total_only = true;
  usage.source = UsageSource::estimated;
  return usage;
}

Priced priced(const PricePin& pin, const CallInfo& info, const Usage& usage,
              const HeldAmounts& held) {
  const PriceQuery query{.provider = info.provider, .model = info.model, .at = pin.at};
  const Result<CostResult> cost = pin.prices->cost(query, usage, pin.version);
  Priced priced{.version = pin.version};
  if (!cost) {
    base::log(base::LogLevel::error,
              "meter: an answer could not be priced: " + cost.error().message);
    priced.flags |= store::kProvisional;
    priced.input = priced.output = Money{0, held.currency};
    priced.total = Money{held.cost_nanos, held.currency};
    return priced;
  }
  priced.input = cost->input_cost;
  priced.output = cost->output_cost;
  priced.total = cost->total_cost;
  priced.model = cost->model;
  if (!cost->price_version.empty()) priced.version = cost->price_version;
  if (cost->source == CostSource::caller || cost->source == CostSource::provider) {
    priced.flags |=
        usage.source == UsageSource::manual ? store::kCostFromCaller : store::kCostFromProvider;
  } else if (cost->source == CostSource::configuration) {
    priced.flags |= store::kCostFromConfiguration;
  }
  if (cost->provisional()) {  // the held cost, or what is known if that is more
    priced.flags |= store::kProvisional;
    if (cost->outcome == CostOutcome::unknown_model) {
      priced.total = Money{held.cost_nanos, held.currency};
    } else if (priced.total.currency == held.currency) {
      priced.total.nanos = std::max(priced.total.nanos, held.cost_nanos);
    }
  }
  return priced;
}

}  // namespace aimeter::meter
