// When thousands of paced streams send their next chunk.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace seekroute::bench {

// A hashed timer wheel: adding and firing take constant time however many streams are open. Times
// are nanoseconds of CLOCK_MONOTONIC; a timer fires up to kTickNs late, never early. Not
// thread-safe.
class TimerWheel {
 public:
  // Fine enough that the chunks of 1,500 streams do not leave in bursts.
  static constexpr int64_t kTickNs = 100'000;

  struct Timer {
    uint32_t slot = 0;        // Who is woken; the caller's number.
    uint32_t generation = 0;  // Lets the caller see that the slot has changed hands.
    int64_t due_ns = 0;
  };

  explicit TimerWheel(int64_t now_ns) : tick_(now_ns / kTickNs) {}

  void Add(const Timer& timer) {
    const int64_t wanted = (timer.due_ns + kTickNs - 1) / kTickNs;
    // A timer past the horizon waits in the farthest place and is added again from there.
    const int64_t tick = std::clamp(wanted, tick_ + 1, tick_ + kPlaces - 1);
    At(tick).push_back(timer);
    ++count_;
  }

  // Calls fire(const Timer&) for every timer that is due; fire may add timers.
  template <typename Fire>
  void Advance(int64_t now_ns, Fire&& fire) {
    const int64_t last = now_ns / kTickNs;
    // After a long pause one turn meets every place once; more would meet them again.
    int64_t tick = std::max(tick_ + 1, last - kPlaces + 1);
    for (; tick <= last; ++tick) {
      tick_ = tick;
      firing_.clear();
      std::swap(firing_, At(tick));
      count_ -= firing_.size();
      for (const Timer& timer : firing_) {
        if (timer.due_ns > now_ns) {
          Add(timer);
        } else {
          fire(timer);
        }
      }
    }
    tick_ = std::max(tick_, last);
  }

  // When Advance should next be called, or -1 with no timers.
  int64_t NextNs() const {
    if (count_ == 0) return -1;
    for (int64_t tick = tick_ + 1; tick < tick_ + kPlaces; ++tick) {
      if (!places_[Place(tick)].empty()) return tick * kTickNs;
    }
    return (tick_ + 1) * kTickNs;
  }

 private:
  static constexpr int64_t kPlaces = 4096;

  static std::size_t Place(int64_t tick) { return static_cast<std::size_t>(tick % kPlaces); }
  std::vector<Timer>& At(int64_t tick) { return places_[Place(tick)]; }

  std::array<std::vector<Timer>, static_cast<std::size_t>(kPlaces)> places_;
  std::vector<Timer> firing_;
  int64_t tick_;
  std::size_t count_ = 0;
};

}  // namespace seekroute::bench
