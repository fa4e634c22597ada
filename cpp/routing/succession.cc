#include "routing/succession.h"

#include <algorithm>

namespace seekroute {
namespace {

uint64_t Bit(size_t place) { return uint64_t{1} << place; }

}  // namespace

Succession::Succession(const Route* route, const RetryPolicy* policy)
    : route_(route), policy_(policy), size_(std::min(route->candidates.size(), kMost)) {
  for (size_t i = 0; i < size_; ++i) {
    const Model* const model = route->candidates[i].model;
    const auto same = [model](const Share& share) { return share.model == model; };
    if (std::ranges::none_of(shares_, same)) shares_.push_back({model, 0});
  }
}

bool Succession::MayMake(size_t place, uint64_t closed) const {
  const int left = policy_->max_attempts - made_;
  const Model* const model = route_->candidates[place].model;
  const auto own = std::ranges::find(shares_, model, &Share::model);
  if (left <= 0 || own == shares_.end()) return false;
  if (own->made == 0) return true;
  return left > std::count_if(own + 1, shares_.end(), [this, closed](const Share& later) {
           return later.made == 0 && HasTurn(*later.model, closed);
         });
}

// Some candidate of the model may still come to an attempt, whatever fails.
bool Succession::HasTurn(const Model& model, uint64_t closed) const {
  for (size_t i = 0; i < size_; ++i) {
    const Candidate& each = route_->candidates[i];
    const bool over = ((passed_ | barred_ | closed) & Bit(i)) != 0;
    if (each.model == &model && each.after == AskedAfter::kAny && !over) return true;
  }
  return false;
}

bool Succession::Allows(size_t place, uint64_t closed) const {
  return IsOpen(place, closed) && MayMake(place, closed);
}

// Whatever attempts are left.
bool Succession::IsOpen(size_t place, uint64_t closed) const {
  if (place >= size_ || ((passed_ | barred_ | closed) & Bit(place)) != 0) return false;
  if (IsSpare(place)) return false;
  return together_.empty() ||
         std::ranges::any_of(together_, [&](const Failure& each) { return Opens(each, place); });
}

// It is there for a failure that has not been.
bool Succession::IsSpare(size_t place) const {
  const AskedAfter after = route_->candidates[place].after;
  if (after == AskedAfter::kAny) return false;
  const FailureClass wanted =
      after == AskedAfter::kContextTooLong ? FailureClass::kContext : FailureClass::kPolicy;
  return std::ranges::none_of(together_,
                              [wanted](const Failure& each) { return each.failure == wanted; });
}

size_t Succession::FirstFrom(size_t place) const {
  while (place < size_ && !Allows(place)) ++place;
  return place < size_ ? place : route_->candidates.size();
}

bool Succession::AnyLeft() const { return FirstFrom(0) < route_->candidates.size(); }

void Succession::Begin(size_t place) {
  ++made_;
  for (Share& share : shares_) {
    if (share.model == route_->candidates[place].model) ++share.made;
  }
}

void Succession::Failed(size_t place, const FailedAttempt& failed) {
  const FailureClass failure = ClassOf(failed);
  together_.push_back({failure, place, failed.own_limit});
  // What was said of the request holds whatever happens to be asked next.
  if (failure == FailureClass::kContext) BarModelOf(place, true);
  if (failure == FailureClass::kPolicy) BarModelOf(place, false);
  if (failure == FailureClass::kRefused && policy_->fallback_on_400) BarModelOf(place, false);
}

void Succession::BarModelOf(size_t place, bool but_longer) {
  for (size_t i = 0; i < size_; ++i) {
    if (route_->candidates[i].model != route_->candidates[place].model) continue;
    if (!but_longer || !IsLonger(place, i)) barred_ |= Bit(i);
  }
}

bool Succession::IsLonger(size_t than, size_t place) const {
  const int64_t context = route_->candidates[than].context();
  return context > 0 && route_->candidates[place].context() > context;
}

Step Succession::StepTo(size_t from, size_t to) const {
  const Candidate& failed = route_->candidates[from];
  const Candidate& next = route_->candidates[to];
  if (failed.model != next.model) {
    return next.of_any_list ? Step::kOtherProvider : Step::kOtherModel;
  }
  return failed.endpoint->provider == next.endpoint->provider ? Step::kOtherEndpoint
                                                              : Step::kOtherProvider;
}

bool Succession::Opens(const Failure& failure, size_t place) const {
  const May may = MayFollow(failure.failure, StepTo(failure.place, place));
  return Holds(may, *policy_, {failure.own_limit, IsLonger(failure.place, place)});
}

}  // namespace seekroute
