// Who of a route may be asked next: what its order, its failures and the cap of attempts leave.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "routing/retry_table.h"
#include "routing/route.h"

namespace seekroute {

// Of one request. Knows no time, and not whether an endpoint is alive. Places are those of
// route.candidates.
//
// A candidate has one turn. Of the attempts each model of the route leaves one to every later model
// that was not asked and may yet be, so that no number of sick hosts of the first keeps the others
// from being asked. A
// candidate that is there for one failure alone (Candidate::after) has its turn behind that.
class Succession {
 public:
  // Candidates beyond it are never asked.
  static constexpr size_t kMost = 64;

  // Both outlive it.
  Succession(const Route* route, const RetryPolicy* policy);

  // The rules let that candidate be asked. `closed`: a bit a place of those that nobody can ask
  // now.
  bool Allows(size_t place, uint64_t closed = 0) const;
  // They would, but for the attempts that were made.
  bool LacksAttempt(size_t place) const { return IsOpen(place, 0) && !MayMake(place); }
  // Some candidate.
  bool AnyLeft() const;
  // The first at `place` or behind it that may be asked; Route::candidates.size(): none.
  size_t FirstFrom(size_t place) const;

  // Its turn is over, whether or not it comes to an attempt.
  void Pass(size_t place) { passed_ |= uint64_t{1} << place; }
  // An attempt begins, which counts.
  void Begin(size_t place);
  // Nothing runs any more: what failed before has been followed.
  void BeginAnew() { together_.clear(); }
  // An attempt has failed. Of those that ran together each may open the way to another.
  void Failed(size_t place, const FailedAttempt& failed);

  // Attempts that count.
  int made() const { return made_; }
  // One more, for the model of that candidate.
  bool MayMake(size_t place, uint64_t closed = 0) const;
  const Route& route() const { return *route_; }

 private:
  struct Failure {
    FailureClass failure;
    size_t place;
    bool own_limit;
  };

  bool IsOpen(size_t place, uint64_t closed) const;
  bool IsSpare(size_t place) const;
  bool HasTurn(const Model& model, uint64_t closed) const;
  Step StepTo(size_t from, size_t to) const;
  bool Opens(const Failure& failure, size_t place) const;
  bool IsLonger(size_t than, size_t place) const;
  void BarModelOf(size_t place, bool but_longer);

  const Route* const route_;
  const RetryPolicy* const policy_;
  size_t size_ = 0;
  uint64_t passed_ = 0;  // a bit a candidate
  uint64_t barred_ = 0;  // likewise: an answer has said that it would refuse as well
  int made_ = 0;
  std::vector<Failure> together_;  // of those that ran at once; two at most
  struct Share {
    const Model* model;
    int made;
  };
  std::vector<Share> shares_;  // by model, in the order of the route
};

}  // namespace seekroute
