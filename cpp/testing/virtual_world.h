// The simulator's clock, randomness and event queue: nothing happens but what was scheduled, in
// order of time and then of scheduling.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "base/rng.h"
#include "base/time.h"

namespace seekroute::testing {

// splitmix64: one seed, one run. Not thread-safe.
class SeededRng : public Rng {
 public:
  explicit SeededRng(uint64_t seed) : state_(seed) {}

  uint64_t Next() override {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound), bound > 0 (the bias of the remainder does not matter here).
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  // A span of up to `most`, more often short than long.
  Duration UpTo(Duration most) {
    const auto ns = static_cast<uint64_t>(most.ns);
    return {static_cast<int64_t>(Below(OneIn(4) ? ns + 1 : ns / 50 + 1))};
  }

 private:
  uint64_t state_;
};

class VirtualClock : public Clock {
 public:
  TimePoint Now() const override { return now_; }
  UnixMillis WallTime() const override { return {1'800'000'000'000 + now_.ns / 1'000'000}; }
  void MoveTo(TimePoint t) { now_ = t; }

 private:
  TimePoint now_{1'000'000'000};
};

class Agenda {
 public:
  explicit Agenda(VirtualClock* clock) : clock_(clock) {}

  void At(TimePoint t, std::function<void()> what) {
    events_.emplace(std::pair{t.ns, ++sequence_}, std::move(what));
  }
  void After(Duration d, std::function<void()> what) { At(clock_->Now() + d, std::move(what)); }

  TimePoint Next() const {
    return events_.empty() ? TimePoint::Never() : TimePoint{events_.begin()->first.first};
  }
  // Moves the clock to the next event and runs it.
  void RunNext() {
    auto event = events_.extract(events_.begin());
    clock_->MoveTo(std::max(clock_->Now(), TimePoint{event.key().first}));
    event.mapped()();
  }
  bool empty() const { return events_.empty(); }

 private:
  VirtualClock* const clock_;
  std::map<std::pair<int64_t, uint64_t>, std::function<void()>> events_;
  uint64_t sequence_ = 0;
};

}  // namespace seekroute::testing
