// Package:       events
// Units:         none
// Errors:        none: what a handler throws is logged and never reaches the publisher.
// Thread safety: on() and publish() may be called from any thread; handlers run on the publishing
//                thread.
// Ownership:     Events owns the handlers; a Listener removes its own when destroyed and may
//                outlive Events.
//
// The bus. An event struct lives with its noun; it is published after the commit, never before.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <typeindex>
#include <utility>

namespace aimeter {

// Stops listening when destroyed; keep() = for as long as the bus lives.
class [[nodiscard]] Listener {
 public:
  explicit Listener(std::function<void()> off) : off_(std::move(off)) {}
  Listener(Listener&& other) noexcept : off_(std::exchange(other.off_, nullptr)) {}
  Listener& operator=(Listener&& other) noexcept {
    if (this != &other) {
      if (off_) off_();
      off_ = std::exchange(other.off_, nullptr);
    }
    return *this;
  }
  ~Listener() {
    if (off_) off_();
  }
  void keep() && { off_ = nullptr; }

 private:
  std::function<void()> off_;
};

class Events {
 public:
  Events();
  ~Events();
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  // After ~Listener no new run of the handler begins; one that runs on another thread may still
  // finish.
  template <class Event, std::invocable<const Event&> F>
  Listener on(F handler) {
    return add(typeid(Event), [handler = std::move(handler)](const void* event) mutable {
      handler(*static_cast<const Event*>(event));
    });
  }
  template <class Event>
  void publish(const Event& event) const {
    send(typeid(Event), &event);
  }
  // True when somebody listens: lets a publisher skip building the event.
  template <class Event>
  [[nodiscard]] bool wanted() const {
    return wanted(std::type_index(typeid(Event)));
  }

 private:
  struct Slots;
  Listener add(std::type_index type, std::function<void(const void*)> handler);
  void send(std::type_index type, const void* event) const;
  [[nodiscard]] bool wanted(std::type_index type) const;
  std::shared_ptr<Slots> slots_;
};

}  // namespace aimeter
