#include "gateway/shadow.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "wire/protocols/protocols.h"

namespace seekroute {
namespace {

// Draws beside those of a plan, of the same seed.
constexpr uint64_t kShareDraw = uint64_t{1} << 35;
constexpr uint64_t kModelDraw = kShareDraw + 1;

// Saturates.
Money Sum(Money a, Money b) {
  Money sum;
  if (__builtin_add_overflow(a.nano, b.nano, &sum.nano)) return kUnlimitedLine;
  return sum;
}

// Adds to a text that is kept up to a length. False: it is longer.
bool Append(std::string_view bytes, std::string* kept) {
  if (bytes.size() > ShadowPairs::kMostAnswer - kept->size()) return false;
  kept->append(bytes);
  return true;
}

// A pair's place among those under way. Move-only; one that goes away without an end was stopped.
class Place {
 public:
  Place(ShadowPairs* pairs, ExchangeId second) : pairs_(pairs), second_(second) {}
  Place(Place&& other) noexcept
      : pairs_(std::exchange(other.pairs_, nullptr)), second_(other.second_) {}
  Place& operator=(Place&&) = delete;
  ~Place() { Drop(ShadowDrop::kStopped); }

  bool taken() const { return pairs_ != nullptr; }
  ExchangeId second() const { return second_; }
  // Nothing was sent to a second model.
  void Drop(ShadowDrop why) {
    if (pairs_ != nullptr) pairs_->CountDrop(why);
    End(false, {});
  }
  void Finish(Money spent, ShadowPair pair) {
    if (pairs_ != nullptr) pairs_->Keep(std::move(pair));
    End(true, spent);
  }
  // It was sent, and there is no pair all the same.
  void Lose(Money spent, ShadowDrop why) {
    if (pairs_ != nullptr) pairs_->CountDrop(why);
    End(true, spent);
  }
  void End(bool sent, Money spent) {
    if (ShadowPairs* const pairs = std::exchange(pairs_, nullptr)) {
      pairs->End(second_, sent, spent);
    }
  }

 private:
  ShadowPairs* pairs_;
  ExchangeId second_;
};

ShadowDrop WhyUnsent(const ExchangeRecord& record) {
  const auto is = [&record](ErrorCode code) { return record.error == TraitsOf(code).name; };
  if (record.stopped) return ShadowDrop::kStopped;
  if (is(ErrorCode::kInsufficientCredits)) return ShadowDrop::kBudget;
  const bool away = is(ErrorCode::kNoUpstream) || is(ErrorCode::kUpstreamRateLimited) ||
                    is(ErrorCode::kRequestTooLargeForLimit);
  return away ? ShadowDrop::kUnavailable : ShadowDrop::kRefused;
}

// Keeps the second answer. Its request has no client.
class CollectOutlet final : public Outlet {
 public:
  CollectOutlet(Place place, ShadowPair pair) : place_(std::move(place)), pair_(std::move(pair)) {}

  void BodyGone() override {}
  void Head(ResponseHead) override {}
  Flow Body(std::string_view bytes, bool) override {
    fits_ = fits_ && Append(bytes, &pair_.second_answer);
    return Flow::kContinue;
  }
  void End(ExchangeRecord&& record) override {
    if (record.attempts == 0) return place_.Drop(WhyUnsent(record));
    // What failed may have been charged for, too.
    const Money spent = Sum(record.upstream_cost, record.Suspected());
    if (record.stopped) return place_.Lose(spent, ShadowDrop::kStopped);
    if (!fits_) return place_.Lose(spent, ShadowDrop::kTooLarge);
    pair_.status = record.status;
    place_.Finish(spent, std::move(pair_));
  }

 private:
  Place place_;
  ShadowPair pair_;
  bool fits_ = true;
};

// Keeps what a model says of a pair.
class CollectVerdict final : public Outlet {
 public:
  CollectVerdict(Place place, std::string tag, ShadowPairs* pairs)
      : place_(std::move(place)), verdict_({.tag = std::move(tag), .answer = {}}), pairs_(*pairs) {}
  ~CollectVerdict() override {
    if (!ended_) pairs_.KeepVerdict({.tag = std::move(verdict_.tag), .answer = {}});
  }

  void BodyGone() override {}
  void Head(ResponseHead) override {}
  Flow Body(std::string_view bytes, bool) override {
    fits_ = fits_ && Append(bytes, &verdict_.answer);
    return Flow::kContinue;
  }
  void End(ExchangeRecord&& record) override {
    ended_ = true;
    if (fits_ && record.attempts > 0) verdict_.status = record.status;
    if (verdict_.status == 0) verdict_.answer.clear();
    pairs_.KeepVerdict(std::move(verdict_));
    place_.End(false, Sum(record.upstream_cost, record.Suspected()));
  }

 private:
  Place place_;
  ShadowVerdict verdict_;
  ShadowPairs& pairs_;
  bool fits_ = true;
  bool ended_ = false;
};

// Between an exchange and its outlet: all goes through as it comes, and is kept besides.
class ShadowOutlet final : public Outlet {
 public:
  ShadowOutlet(std::unique_ptr<Outlet> outlet, Place place, ShadowPair pair, const Submission& in,
               const ExchangeWorld& world)
      : outlet_(std::move(outlet)),
        place_(std::move(place)),
        pair_(std::move(pair)),
        surface_(in.surface),
        snapshot_(in.snapshot),
        clock_(*world.clock),
        host_(*world.host) {}

  void BodyGone() override { outlet_->BodyGone(); }
  void Head(ResponseHead head) override { outlet_->Head(std::move(head)); }
  Flow Body(std::string_view bytes, bool counted) override {
    const Flow flow = outlet_->Body(bytes, counted);
    if (place_.taken() && !Append(bytes, &pair_.first_answer)) {
      place_.Drop(ShadowDrop::kTooLarge);
      pair_ = {};
    }
    return flow;
  }
  void End(ExchangeRecord&& record) override {
    const bool whole = record.error.empty();
    pair_.generation_id = record.generation_id;
    pair_.first = record.model;
    outlet_->End(std::move(record));
    if (!place_.taken()) return;
    if (!whole) return place_.Drop(ShadowDrop::kUnanswered);
    if (pair_.first == pair_.second) return place_.Drop(ShadowDrop::kSameModel);
    host_.Follow(Second());
  }

 private:
  Submission Second() {
    Submission second;
    second.id = place_.second();
    second.body = SurfaceOf(surface_).ForOneModel(pair_.body, pair_.second);
    second.origin = Origin::kShadow;
    second.surface = surface_;
    second.options.timeout = kLongestShadow;
    second.submitted = clock_.Now();
    second.snapshot = std::move(snapshot_);
    second.shadow_of = pair_.generation_id;
    second.outlet = std::make_unique<CollectOutlet>(std::move(place_), std::move(pair_));
    return second;
  }

  const std::unique_ptr<Outlet> outlet_;
  Place place_;
  ShadowPair pair_;
  const SurfaceId surface_;
  std::shared_ptr<const Snapshot> snapshot_;
  const Clock& clock_;
  ExchangeHost& host_;
};

bool MayBeShadowed(const Submission& in, const Admission& admission) {
  if (in.origin != Origin::kServer && in.origin != Origin::kServerApiV1) return false;
  const Ask& ask = admission.request->ask;
  if (!admission.route.automatic || ask.max_cost) return false;
  return ask.route == nullptr || !(ask.route->zdr || ask.route->deny_data_collection);
}

// What is held for a request bounds what is charged for it, which is less than its provider takes
// where the operator sells below that.
bool IsSoldBelowCost(const Model& model) {
  return std::ranges::any_of(model.endpoints,
                             [](const Endpoint& each) { return each.price->markup_bps() < 0; });
}

}  // namespace

void DrawShadow(const Submission& in, const Admission& admission, const ExchangeWorld& world,
                Outbox* outbox) {
  if (world.shadows == nullptr) return;
  const double share = world.shadows->share();
  if (!(share > 0) || !MayBeShadowed(in, admission)) return;
  std::vector<const Model*> others;
  for (const AutoRoute::Each& each : admission.route.automatic->models) {
    const bool chosen = each.model == admission.route.candidates.front().model;
    if (chosen || each.verdict.offer.last_resort || IsSoldBelowCost(*each.model)) continue;
    others.push_back(each.model);
  }
  const uint64_t seed = admission.route.seed;
  if (others.empty() || UnitDraw(seed, kShareDraw) >= share) return;
  const auto count = static_cast<double>(others.size());
  const auto at = static_cast<size_t>(UnitDraw(seed, kModelDraw) * count);
  if (!world.shadows->Begin(ShadowOf(in.id))) return;
  Place place(world.shadows, ShadowOf(in.id));
  if (in.body.size() > ShadowPairs::kMostBody) return place.Drop(ShadowDrop::kTooLarge);
  ShadowPair pair;
  pair.second = others[std::min(at, others.size() - 1)]->id;
  pair.body = in.body;
  pair.propensity = share / count;
  outbox->Through([&](std::unique_ptr<Outlet> outlet) {
    return std::make_unique<ShadowOutlet>(std::move(outlet), std::move(place), std::move(pair), in,
                                          world);
  });
}

std::unique_ptr<Outlet> VerdictOutlet(ExchangeId id, std::string tag, ShadowPairs* pairs) {
  if (!pairs->BeginVerdict(id)) return nullptr;
  return std::make_unique<CollectVerdict>(Place(pairs, id), std::move(tag), pairs);
}

void ShadowStore::Hold(StoreTicket ticket, const ExchangeRecord& row, const HoldRequest& request,
                       StoreObserver* observer) {
  if (pairs_.Reserve(ticket, request.amount, row.created)) {
    return store_.Hold(ticket, row, request, observer);
  }
  HoldAnswer refused;
  refused.status = MakeError(ErrorCode::kInsufficientCredits,
                             "it might cost more than shadow requests may on a day");
  observer->OnHeld(ticket, refused);
}

ShadowWorld::ShadowWorld(const ExchangeWorld& world)
    : rng_(world.rng->Next()), store_(world.store, world.shadows), world_(world) {
  world_.rng = &rng_;
  world_.options = &world.shadows->options();
  world_.limiter = nullptr;
  world_.store = &store_;
  world_.hedges = nullptr;
  world_.sticky = nullptr;
  world_.shadows = nullptr;
}

}  // namespace seekroute
