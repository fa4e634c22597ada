// How many answers are read to their end at once after their clients have left.
#pragma once

#include <atomic>

namespace seekroute {

// Thread-safe.
class ReadOutSlots {
 public:
  // Of a gateway, over all its engines; 0: none.
  explicit ReadOutSlots(int most) : most_(most) {}

  // False when all are taken. Each that was taken is released once.
  bool Take() {
    if (taken_.fetch_add(1) < most_) return true;
    taken_.fetch_sub(1);
    return false;
  }
  void Release() { taken_.fetch_sub(1); }

  int taken() const { return taken_.load(); }

 private:
  const int most_;
  std::atomic<int> taken_{0};
};

}  // namespace seekroute
