#include "aimeter/call.h"
#include "meter/costing.h"

namespace aimeter {
namespace {

Result<Settled> recorded(Result<Settled> settled) {
  if (settled && settled->unrecorded) return std::unexpected(*std::move(settled->unrecorded));
  return settled;
}

}  // namespace

Hold& Hold::operator=(Hold&& other) noexcept {
  if (this != &other) {
    if (open_) open_->release("dropped");
    open_ = std::move(other.open_);
  }
  return *this;
}

Hold::~Hold() {
  if (open_) open_->release("dropped");
}

Result<Settled> Hold::settle(const Usage& usage) {
  AIMETER_CHECK_OK(meter::normalised(usage).check());
  return recorded(open_->settle(Answered{.usage = usage}));
}

void Hold::settle(const Usage& usage, SettleDone done) {
  if (const Status good = meter::normalised(usage).check(); !good)
    return done(std::unexpected(good.error()));
  open_->settle(Answered{.usage = usage},
                [done = std::move(done)](Result<Settled> settled) mutable {
                  done(recorded(std::move(settled)));
                });
}

Result<Settled> Hold::settle_answer(Answered answered) {
  return open_->settle(std::move(answered));
}

void Hold::settle_answer(Answered answered, SettleDone done) {
  open_->settle(std::move(answered), std::move(done));
}

Result<HoldToken> Hold::detach() { return open_->detach(); }

void Hold::detach(DetachDone done) { open_->detach(std::move(done)); }

void Hold::release(std::string_view reason, std::exception_ptr thrown) {
  open_->fail(reason, std::move(thrown));
}

}  // namespace aimeter
