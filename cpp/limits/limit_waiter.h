// One request that may wait until its limits let it pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/time.h"

namespace seekroute {

// Who is told that it may be somebody's turn. Thread-safe: called from whichever thread made room,
// under no lock. Outlives every waiter that names it; an id may have gone meanwhile.
class LimitWaker {
 public:
  virtual ~LimitWaker() = default;
  virtual void Wake(uint64_t id) = 0;
};

// Limiter::Reserve() puts it into a queue. It holds nothing of any limit. One thread's own; the
// limiter outlives it.
class LimitWaiter {
 public:
  // `waker` is not owned and is told `id` when it is worth to reserve again. `bytes` are kept in
  // memory while it waits.
  LimitWaiter(LimitWaker* waker, uint64_t id, size_t bytes)
      : waker_(waker), id_(id), bytes_(static_cast<int64_t>(bytes)) {}

  bool waits() const { return place_ != nullptr; }
  // It waits no longer. In constant time. So does its end.
  void Leave() { place_.reset(); }
  // How many are let pass before it at most, and itself; 0: it does not wait. Where tokens are
  // waited for, or weights differ, about so many.
  size_t Position() const;

 private:
  friend class Limiter;
  friend class LimitQueue;
  struct Place;
  struct End {
    void operator()(Place* place) const;
  };
  LimitWaker* const waker_;
  const uint64_t id_;
  const int64_t bytes_;
  uint64_t ticket_ = 0;  // when it first waited, among all; 0: it never has
  std::unique_ptr<Place, End> place_;
};

// How long a request would wait.
struct LimitPatience {
  // What it asked for itself; else its key's, or its organization's LimitSet::queue_ms, or `usual`.
  std::optional<Duration> asked = std::nullopt;
  Duration usual = {};
  Duration most = {};    // whoever says what
  TimePoint since = {};  // that counts from
};

// How many may wait at once, of all; who comes then is refused.
struct QueueBounds {
  int64_t waiters = 1000;
  int64_t of_org = 100;
  int64_t bytes = int64_t{64} << 20;  // of what they keep; of one organization a part
  static constexpr int64_t kOrgPart = 4;

  int64_t bytes_of_org() const { return bytes / kOrgPart; }
};

}  // namespace seekroute
