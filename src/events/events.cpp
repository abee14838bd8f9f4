#include "aimeter/events.h"

#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "base/mutex.h"

namespace aimeter {
namespace {

constexpr std::size_t kLoggedBytesMax = 200;

struct Slot {
  std::function<void(const void*)> handler;
  std::atomic<bool> listening{true};
};
// Never changed once it is shared: publishers run through their copy without a lock.
using List = std::vector<std::shared_ptr<Slot>>;

void log_thrown(const char* event, std::string_view what) {
  base::log(base::LogLevel::error,
            fmt::format("a handler of event {} threw: {}", event, what.substr(0, kLoggedBytesMax)));
}

}  // namespace

struct Events::Slots {
  mutable base::Mutex mutex;
  std::unordered_map<std::type_index, std::shared_ptr<const List>> lists AIMETER_GUARDED_BY(mutex);
  std::atomic<std::size_t> count{0};

  std::shared_ptr<const List> of(std::type_index type) const AIMETER_EXCLUDES(mutex) {
    if (count.load(std::memory_order_acquire) == 0) return nullptr;
    const base::Lock lock(mutex);
    const auto found = lists.find(type);
    return found == lists.end() ? nullptr : found->second;
  }

  void add(std::type_index type, const std::shared_ptr<Slot>& slot) AIMETER_EXCLUDES(mutex) {
    const base::Lock lock(mutex);
    std::shared_ptr<const List>& list = lists[type];
    auto longer = list ? std::make_shared<List>(*list) : std::make_shared<List>();
    longer->push_back(slot);
    list = std::move(longer);
    count.fetch_add(1, std::memory_order_release);
  }

  void remove(std::type_index type, const std::shared_ptr<Slot>& slot) AIMETER_EXCLUDES(mutex) {
    slot->listening.store(false, std::memory_order_release);
    const base::Lock lock(mutex);
    const auto found = lists.find(type);
    if (found == lists.end()) return;
    auto shorter = std::make_shared<List>(*found->second);
    if (std::erase(*shorter, slot) == 0) return;
    count.fetch_sub(1, std::memory_order_release);
    if (shorter->empty()) {
      lists.erase(found);
    } else {
      found->second = std::move(shorter);
    }
  }
};

Events::Events() : slots_(std::make_shared<Slots>()) {}
Events::~Events() = default;

Listener Events::add(std::type_index type, std::function<void(const void*)> handler) {
  auto slot = std::make_shared<Slot>();
  slot->handler = std::move(handler);
  slots_->add(type, slot);
  return Listener([slots = std::weak_ptr(slots_), type, slot] {
    if (const auto still_there = slots.lock()) still_there->remove(type, slot);
  });
}

void Events::send(std::type_index type, const void* event) const {
  const std::shared_ptr<const List> list = slots_->of(type);
  if (!list) return;
  for (const std::shared_ptr<Slot>& slot : *list) {
    if (!slot->listening.load(std::memory_order_acquire)) continue;
    try {
      slot->handler(event);
    } catch (const std::exception& thrown) {
      log_thrown(type.name(), thrown.what());
    } catch (...) {
      log_thrown(type.name(), "something that is no std::exception");
    }
  }
}

bool Events::wanted(std::type_index type) const { return slots_->of(type) != nullptr; }

}  // namespace aimeter
