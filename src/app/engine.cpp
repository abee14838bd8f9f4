#include "aimeter/engine.h"

#include "app/house.h"
#include "app/webhooks.h"
#include "tenancy/scope.h"

namespace aimeter {
namespace {

using meter::Core;

Call fresh_call() {
  Call call;
  const tenancy::Ambient ambient = tenancy::ambient();
  switch (ambient.state) {
    case tenancy::Ambient::State::none:
      break;
    case tenancy::Ambient::State::central:
      call.ambient = TenantId{};
      break;
    case tenancy::Ambient::State::tenant:
      call.ambient = TenantId{ambient.text};
      break;
    case tenancy::Ambient::State::bad:
      if (auto good = check_call_text("tenant scope", ambient.text); !good) {
        call.bad = std::move(good).error();
      }
      break;
  }
  return call;
}

}  // namespace

Meter Engine::meter() const { return {core_, fresh_call()}; }

Meter Engine::meter(Context context) const {
  Call call = fresh_call();
  call.context = std::move(context);
  return {core_, std::move(call)};
}

TenantView Engine::tenant(std::string_view id) const { return {core_, TenantId{std::string(id)}}; }

Result<TenantView> Engine::current() const {
  const std::optional<TenantId> now = TenantScope::current();
  if (!now)
    return fail(Code::failed_precondition, "tenant: there is no TenantScope on this thread");
  AIMETER_TRY(TenantId checked, TenantId::parse(now->text));
  return TenantView(core_, std::move(checked));
}

Result<std::optional<TenantId>> Engine::resolve_tenant(const Context& context) const {
  AIMETER_TRY(tenancy::Resolved found,
              Core::of(core_).deps().tenancy.find(
                  {.explicit_tenant = {}, .ambient = tenancy::ambient(), .context = &context}));
  if (found.tenant.text.empty()) return std::optional<TenantId>();
  return std::optional(std::move(found.tenant));
}

Result<Settled> Engine::settle(std::string_view token, const Usage& usage) const {
  return Core::of(core_).settle_token(std::nullopt, token, Answered{.usage = usage});
}

Result<Settled> Engine::settle(std::string_view token, const HttpAnswer& answer) const {
  return Core::of(core_).settle_token(std::nullopt, token, answer);
}

void Engine::settle(std::string_view token, Answered answered, SettleDone done) const {
  Core::of(core_).settle_token(std::nullopt, token, std::move(answered), std::move(done));
}

Status Engine::release(std::string_view token) const {
  return Core::of(core_).release_token(std::nullopt, token);
}

Status Engine::webhook(const Webhook& webhook) const {
  return app::take_webhook(Core::of(core_), webhook);
}

Events& Engine::events() const { return Core::of(core_).deps().facts.events(); }

EngineHealth Engine::health() const {
  ledger::Ledger::Health health = Core::of(core_).deps().ledger.health();
  return {.engine = health.engine,
          .backlog = health.backlog,
          .granting = health.granting,
          .why_not = std::move(health.why_not),
          .journal = std::move(health.journal),
          .store = std::move(health.store)};
}

Status Engine::drain() const { return Core::of(core_).deps().ledger.drain(); }

Result<Engine> open(std::string_view dsn, OpenOptions options) {
  AIMETER_TRY(std::shared_ptr<MeterCore> core, app::House::build(dsn, std::move(options)));
  return Engine(std::move(core));
}

}  // namespace aimeter
