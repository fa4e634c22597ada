// What a request has taken of its limits, until it ends.
#pragma once

#include <memory>

#include "limits/limit_answer.h"

namespace seekroute {

class Limiter;

// What one request took of its limits. Whoever drops it unsettled gives all of it back, as of the
// last moment that the limiter has heard of; whoever drops it settled frees its slots. Move-only.
// The limiter outlives it.
class Reservation {
 public:
  Reservation() = default;  // of a request that nothing limits
  Reservation(Reservation&&) = default;
  Reservation& operator=(Reservation&&) = default;
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  // It took so many tokens, and counts as a request. Its slots stay taken. Once.
  void Settle(const TokensUsed& used, const LimitTime& time);
  bool holds() const { return taken_ != nullptr; }

 private:
  friend class Limiter;
  struct Body;
  struct End {
    void operator()(Body* body) const;
  };
  std::unique_ptr<Body, End> taken_;
};

}  // namespace seekroute
