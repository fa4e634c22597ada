#include "routing/succession.h"

#include <algorithm>

namespace seekroute {
namespace {

uint64_t Bit(size_t place) { return uint64_t{1} << place; }

}  // namespace

Succession::Succession(const Route* route, const RetryPolicy* policy)
    : route_(route), policy_(policy), size_(std::min(route->candidates.size(), kMost)) {
  int named = 0;  // models that may follow any failure
  for (size_t i = 0; i < size_; ++i) {
    const Model* const model = route->candidates[i].model;
    const auto same = [model](const Share& share) { return share.model == model; };
    if (std::ranges::any_of(shares_, same)) continue;
    shares_.push_back({model, 0, 0});
    if (route->candidates[i].after == AskedAfter::kAny) ++named;
  }
  for (size_t i = 0; i < shares_.size(); ++i) {
    const int later = std::max(0, named - static_cast<int>(i) - 1);
    shares_[i].most = std::max(1, policy->max_attempts - later);
  }
}

bool Succession::MayMake(size_t place) const {
  if (made_ >= policy_->max_attempts) return false;
  const Model* const model = route_->candidates[place].model;
  return std::ranges::any_of(shares_, [model](const Share& share) {
    return share.model == model && share.made < share.most;
  });
}

bool Succession::Allows(size_t place) const {
  if (place >= size_ || ((passed_ | barred_) & Bit(place)) != 0 || !MayMake(place)) return false;
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
  if (failed.model != next.model) return Step::kOtherModel;
  return failed.endpoint->provider == next.endpoint->provider ? Step::kOtherEndpoint
                                                              : Step::kOtherProvider;
}

bool Succession::Opens(const Failure& failure, size_t place) const {
  const May may = MayFollow(failure.failure, StepTo(failure.place, place));
  return Holds(may, *policy_, {failure.own_limit, IsLonger(failure.place, place)});
}

}  // namespace seekroute
