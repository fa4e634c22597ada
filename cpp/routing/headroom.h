// What a provider's own limits leave to a key at one endpoint, as it told last. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "wire/told_limits.h"

namespace seekroute {

// What an ask is expected to take.
struct TokensNeeded {
  int64_t prompt = 0;
  int64_t answer = 0;
};

// Not thread-safe.
class Headroom {
 public:
  // What was told keeps nobody out for longer, however far its reset is.
  static constexpr Duration kLongestOut = Duration::Seconds(60);
  // Whoever has so many tokens left has enough for any ask.
  static constexpr int64_t kAmpleTokens = int64_t{1} << 20;

  // In the place of what was told before; nothing is told: that stays.
  void Tell(const ToldLimits& told, TimePoint now);

  // When an ask of so much has room: not after `now`, if it has it already. It takes one token of
  // each dimension at least; one that exceeds a limit needs all of it.
  TimePoint RoomAt(const TokensNeeded& needed, TimePoint now) const;

  // Nothing that is left is short: there is room for all, and nobody is preferred for it.
  bool ample(TimePoint now) const;

  // It has told what is left, and that is a fifth of each limit at least.
  bool plentiful(TimePoint now) const;

  // What several keys have left together.
  class Sum {
   public:
    void Add(const Headroom& of, TimePoint now);
    // 0 to 1: five times the part that is left, of the dimension that has the smallest. 1 where
    // any of the keys has not told it.
    float head() const;

   private:
    struct Left {
      double remaining = 0;
      double limit = 0;
      bool unknown = false;
    };
    std::array<Left, kToldDimensions> left_ = {};
  };

 private:
  // Floats, because a table keeps many: what is compared is exact below 2^24.
  struct Left {
    float limit = 0;  // 0: unsaid
    float remaining = 0;
    uint32_t reset_ms = 0;  // from told_at_; 0: nothing was told
  };
  bool Knows(const Left& left, TimePoint now) const {
    return left.reset_ms > 0 && now < told_at_ + Duration::Milliseconds(left.reset_ms);
  }

  TimePoint told_at_;
  std::array<Left, kToldDimensions> left_ = {};  // by ToldDimension
};

}  // namespace seekroute
