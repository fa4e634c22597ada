// Into a limiter's queues, and out of them.
#include <algorithm>
#include <memory>

#include "limits/limit_domain.h"
#include "limits/limit_queue.h"
#include "limits/limiter.h"

namespace seekroute {
namespace {

// Organizations take turns at what is everybody's; the keys of one at what is its own.
bool IsEverybodys(LimitScope scope) {
  return scope == LimitScope::kGateway || scope == LimitScope::kModel;
}

// See LimitQueue: those of the gateway reach further than those of a model.
int ReachOf(LimitScope scope, LimitDimension dimension) {
  if (!IsEverybodys(scope)) return 0;
  const int first = scope == LimitScope::kModel ? 1 : 1 + static_cast<int>(kLimitDimensions);
  return first + static_cast<int>(dimension);
}

bool CountsTokens(LimitDimension dimension) {
  return dimension == LimitDimension::kTokensPerMinute ||
         dimension == LimitDimension::kTokensPerDay;
}

}  // namespace

LimitQueue::Share Limiter::Pick::ShareOf(LimitScope scope, LimitDimension dimension,
                                         const LimitCost& cost) const {
  const Meter& meter = all[static_cast<size_t>(scope)].holder->meter;
  const bool everybodys = IsEverybodys(scope);
  LimitQueue::Share share;
  share.flow = Hash()(everybodys ? org : key);
  share.units = std::max<int64_t>(1, meter.UnitsOf(dimension, cost));
  if (everybodys && CountsTokens(dimension)) share.cost = share.units;
  if (everybodys) share.weight = weight;
  return share;
}

LimitQueues::Shares Limiter::Pick::SharesOf(LimitScope scope, const LimitCost& cost) const {
  LimitQueues::Shares shares;
  for (size_t i = 0; i < kLimitDimensions; ++i) {
    const auto dimension = static_cast<LimitDimension>(i);
    shares[i] = ShareOf(scope, dimension, cost);
    const bool counts_requests = dimension == LimitDimension::kRequestsPerMinute ||
                                 dimension == LimitDimension::kRequestsPerDay;
    if (counts_requests && !cost.counts_request) shares[i].units = 0;
  }
  return shares;
}

// One that waits at most in `served` has taken what it needs.
void Limiter::PassBy(const LimitCost& cost, const LimitQueue* served, const Pick& pick,
                     LimitWakes* wakes) {
  for (size_t i = 0; i < kLimitScopes; ++i) {
    const Pick::Each& each = pick.all[i];
    if (each.holder == nullptr || each.holder->queues == nullptr) continue;
    each.holder->queues->Pass(pick.SharesOf(static_cast<LimitScope>(i), cost), served, wakes);
  }
}

// Under the locks of `pick`. False: too many wait.
bool Limiter::Join(const LimitCost& cost, const LimitRefusal& refusal, LimitWaiter* waiter,
                   Pick* pick, LimitWakes* wakes) {
  const Pick::Each& at = pick->all[static_cast<size_t>(refusal.scope)];
  const auto dimension = static_cast<size_t>(refusal.dimension);
  LimitWaiter::Place* place = waiter->place_.get();
  if (place == nullptr) {
    const auto counted = pick->own->waiting.find(pick->org);
    const Domain::Waiting of_org =
        counted != pick->own->waiting.end() ? counted->second : Domain::Waiting();
    if (of_org.requests >= queue_.of_org) return false;
    // One always may, however large.
    const bool too_large = of_org.bytes + waiter->bytes_ > queue_.bytes_of_org();
    if (too_large && of_org.requests > 0) return false;
    const bool many = waiting_.fetch_add(1) >= queue_.waiters;
    const bool large = waiting_bytes_.fetch_add(waiter->bytes_) + waiter->bytes_ > queue_.bytes;
    if (many || large) {
      waiting_.fetch_sub(1);
      waiting_bytes_.fetch_sub(waiter->bytes_);
      return false;
    }
    if (waiter->ticket_ == 0) waiter->ticket_ = tickets_.fetch_add(1) + 1;
    place = new LimitWaiter::Place;
    waiter->place_.reset(place);
    place->limiter = this;
    place->own = pick->own;
    place->waiter = waiter;
    place->org = pick->org;
    Domain::Waiting& now = pick->own->waiting[place->org];
    ++now.requests;
    now.bytes += waiter->bytes_;
  } else if (place->holder == at.holder && place->dimension == refusal.dimension) {
    return true;
  } else {
    Unqueue(place, false, wakes);
  }
  if (at.holder->queues == nullptr) at.holder->queues = std::make_unique<LimitQueues>();
  std::unique_ptr<LimitQueue>& queue = at.holder->queues->all[dimension];
  if (queue == nullptr) {
    const bool by_cost = IsEverybodys(refusal.scope) && CountsTokens(refusal.dimension);
    const int64_t eighth = (at.holder->meter.AtOnce(refusal.dimension) + 7) / 8;
    const int64_t quantum = by_cost ? std::max<int64_t>(1, eighth) : 1;
    queue = std::make_unique<LimitQueue>(ReachOf(refusal.scope, refusal.dimension), quantum);
  }
  place->domain = at.domain;
  place->holder = at.holder;
  place->dimension = refusal.dimension;
  queue->Join(place, pick->ShareOf(refusal.scope, refusal.dimension, cost), wakes);
  return true;
}

void Limiter::Unqueue(LimitWaiter::Place* place, bool served, LimitWakes* wakes) {
  LimitQueues& queues = *place->holder->queues;
  place->queue->Leave(place, served, wakes);
  std::unique_ptr<LimitQueue>& queue = queues.all[static_cast<size_t>(place->dimension)];
  if (queue->empty()) queue.reset();
  if (queues.empty()) place->holder->queues.reset();
}

// Under the locks of its organization and of its queue.
void Limiter::Drop(LimitWaiter::Place* place, bool served, LimitWakes* wakes) {
  Unqueue(place, served, wakes);
  const auto counted = place->own->waiting.find(place->org);
  counted->second.bytes -= place->waiter->bytes_;
  if (--counted->second.requests == 0) place->own->waiting.erase(counted);
  waiting_.fetch_sub(1);
  waiting_bytes_.fetch_sub(place->waiter->bytes_);
}

void LimitWaiter::End::operator()(Place* place) const {
  Limiter& limiter = *place->limiter;
  {
    LimitWakes wakes;
    MutexLock lock(&place->own->mu);
    if (place->domain == place->own) {
      limiter.Drop(place, false, &wakes);
    } else {
      MutexLock also(&place->domain->mu);
      limiter.Drop(place, false, &wakes);
    }
  }
  delete place;
}

size_t LimitWaiter::Position() const {
  if (place_ == nullptr) return 0;
  MutexLock lock(&place_->domain->mu);
  return place_->queue->PositionOf(*place_);
}

}  // namespace seekroute
