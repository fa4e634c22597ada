#include "routing/planner.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "routing/auto_choice.h"
#include "routing/filters.h"
#include "routing/nothing_left.h"
#include "routing/order.h"

namespace seekroute {
namespace {

// A prompt that comes so near to a context may not fit: estimates err.
constexpr int64_t kTightPart = 20;  // the last twentieth

// Draws beside those of the candidates, of which there are fewer.
constexpr uint64_t kExploreDraw = uint64_t{1} << 32;
constexpr uint64_t kExploredDraw = kExploreDraw + 1;
constexpr int kFewSamples = 20;

// Candidates that are ranked, more than a route has: the models share the room, so that none hides
// the next.
constexpr size_t kMostRanked = 4 * Route::kMostCandidates;
constexpr size_t kLeastOfModel = 8;

class Planner {
 public:
  explicit Planner(const PlanInputs& in)
      : in_(in),
        ask_(in.request->ask),
        asked_(in.preferences.asked),
        most_of_model_(
            std::clamp(kMostRanked / in.models.size(), kLeastOfModel, Route::kMostCandidates)),
        filters_{&ask_, &in.preferences, ExpectedPrompt(ask_, in.expected_prompt), in.created} {}

  Result<Route> Plan();

 private:
  void Look(const PlannedModel& planned, size_t number, uint32_t rank);
  bool IsPlaced(const Endpoint& endpoint) const;
  void Rank(Candidate candidate, size_t number, uint32_t rank, bool pays = true);
  void PlaceShorter();
  void PlaceDear();
  void Exclude(const Candidate& candidate, ExcludedSet why, std::string_view word);
  void AddExcluded(const OutOfRoute& out);
  RouteGroup GroupOf(const Candidate& candidate, const HealthView& health) const;
  void ExcludeJumps();
  bool PromoteFallbacks();
  void Choose();
  void KeepFirstAlone();
  std::string_view YieldsTo(const Ranked& each) const;
  void FollowSticky();
  void Explore();
  Error NobodyLeft() const;

  const PlanInputs& in_;
  const Ask& ask_;
  const AskedRoute* const asked_;
  const size_t most_of_model_;
  FilterInputs filters_;
  // One that takes or gives too few tokens, and where its model stands.
  struct Shorter {
    Candidate candidate;
    size_t number;
    uint32_t rank;
    ExcludedSet why;
  };
  std::vector<Shorter> shorter_;
  std::vector<Shorter> dear_;   // of the pool: the request cannot pay them
  std::vector<size_t> counts_;  // of `ranked_`, of each model
  std::vector<Ranked> ranked_;
  uint8_t name_ = 0;             // of the model that is looked at: Candidate::name
  std::vector<size_t> numbers_;  // of their models, in step with `ranked_` before it is sorted
  Route route_;
};

void Planner::Exclude(const Candidate& candidate, ExcludedSet why, std::string_view word) {
  const bool fallback = candidate.of_any_list || candidate.after != AskedAfter::kAny;
  AddExcluded({candidate.model, candidate.endpoint->tag, word, candidate.endpoint, why, fallback});
}

// Once, whichever names of the request lead to it.
void Planner::AddExcluded(const OutOfRoute& out) {
  const auto is_it = [&out](const OutOfRoute& each) {
    return each.model == out.model && each.provider == out.provider &&
           each.endpoint == out.endpoint;
  };
  if (std::ranges::any_of(route_.excluded, is_it)) return;
  if (route_.excluded.size() < Route::kMostExcluded) {
    route_.excluded.push_back(out);
  } else {
    ++route_.more_excluded;
  }
}

// All given cutoffs must hold.
RouteGroup Preferred(const AskedRoute& asked, const HealthView& health) {
  bool known = true;
  const auto meets = [&known](const Cutoffs& cutoffs, const Percentiles& measured, double scale,
                              bool at_most) {
    bool met = true;
    for (size_t i = 0; i < cutoffs.at.size(); ++i) {
      if (cutoffs.at[i] == 0) continue;
      if (measured.at[i] == 0) {
        known = false;
        continue;
      }
      const double figure = static_cast<double>(measured.at[i]) * scale;
      met = met && (at_most ? figure <= cutoffs.at[i] : figure >= cutoffs.at[i]);
    }
    return met;
  };
  constexpr double kSeconds = 1e-3;
  const bool quick = meets(asked.max_latency, health.ttft_ms, kSeconds, true);
  const bool fast = meets(asked.min_throughput, health.tokens_per_second, 1, false);
  if (!quick || !fast) return RouteGroup::kSlower;
  return known ? RouteGroup::kPreferred : RouteGroup::kUnmeasured;
}

RouteGroup Planner::GroupOf(const Candidate& candidate, const HealthView& health) const {
  if (health.last_resort) return RouteGroup::kLastResort;
  if (health.state == HealthState::kDegraded) return RouteGroup::kDegraded;
  const int64_t context = candidate.context();
  if (context > 0 && filters_.prompt > context - context / kTightPart) return RouteGroup::kTight;
  if (asked_ == nullptr) return RouteGroup::kPreferred;
  return Preferred(*asked_, health);
}

void Planner::Look(const PlannedModel& planned, size_t number, uint32_t rank) {
  const Model& model = *planned.model;
  filters_.free_only = planned.free_only;
  for (const Endpoint& endpoint : model.endpoints) {
    if (!planned.provider.empty() && !Means(planned.provider, endpoint)) continue;
    if (number > 0 && IsPlaced(endpoint)) continue;
    Candidate candidate{&model, &endpoint, ask_.inputs, 0, 0, 0, planned.after, name_};
    candidate.of_any_list = !planned.by_client && planned.after == AskedAfter::kAny;
    ExcludedSet why = ExcludedBy(filters_, candidate);
    const bool forbidden = asked_ != nullptr && !asked_->allow_fallbacks && !planned.by_client;
    why.AddIf(forbidden, Excluded::kFallbackOff);
    if (why.IsEmpty()) {
      Rank(candidate, number, rank);
    } else if (why.IsLength()) {
      shorter_.push_back({candidate, number, rank, why});
    } else {
      Exclude(candidate, why, TraitsOf(why.first()).word);
    }
  }
  for (const Exclusion& each : model.excluded) {
    const std::string_view only = planned.provider.substr(0, planned.provider.find('/'));
    if (!only.empty() && only != each.provider) continue;
    AddExcluded({&model, each.provider, each.reason});
  }
}

// As a candidate of a model that was listed before, at that provider alone.
bool Planner::IsPlaced(const Endpoint& endpoint) const {
  const auto is_it = [&endpoint](const auto& each) { return each.candidate.endpoint == &endpoint; };
  return std::ranges::any_of(ranked_, is_it) || std::ranges::any_of(shorter_, is_it) ||
         std::ranges::any_of(dear_, is_it);
}

// `pays`: unless the request cannot.
void Planner::Rank(Candidate candidate, size_t number, uint32_t rank, bool pays) {
  if (counts_[number] >= most_of_model_) return;
  if (pays && in_.models[number].pooled && in_.affords != nullptr && !(*in_.affords)(candidate)) {
    dear_.push_back({candidate, number, rank, {}});
    return;
  }
  ++counts_[number];
  const int64_t answer = in_.models[number].answer;
  candidate.expected_answer = ExpectedAnswer(candidate, ask_, answer);
  candidate.expected_pico = ExpectedPico(candidate, ask_, filters_.prompt, in_.created, answer);
  Ranked& ranked = ranked_.emplace_back();
  if (in_.health != nullptr) ranked.health = in_.health->ViewOf(candidate.endpoint->id, in_.now);
  candidate.group = static_cast<uint8_t>(GroupOf(candidate, ranked.health));
  ranked.candidate = candidate;
  ranked.model_rank = rank;
  ranked.chance = in_.models[number].chance;
  if (in_.preferences.sort != RouteSort::kDefault) {
    ranked.sort = in_.preferences.sort;
  } else if (!in_.preferences.partition_none()) {
    ranked.sort = in_.models[number].sort;
  }
  numbers_.push_back(number);
  if (asked_ == nullptr) return;
  for (size_t i = 0; i < asked_->order.size(); ++i) {
    if (!Means(asked_->order[i], *candidate.endpoint)) continue;
    ranked.listed = static_cast<uint32_t>(i);
    return;
  }
}

// Whoever is too short for the prompt, or for the answer that is asked for, gives way to who is
// not. Where all are, they stay: estimates err, and an answer may be as long as it can be.
void Planner::PlaceShorter() {
  const bool alone = std::ranges::none_of(ranked_, [](const Ranked& each) {
    return each.candidate.after != AskedAfter::kContentPolicy;
  });
  const bool begins = std::ranges::any_of(
      ranked_, [](const Ranked& each) { return each.candidate.after == AskedAfter::kAny; });
  for (const Shorter& each : shorter_) {
    if (alone || (!begins && !each.why.Has(Excluded::kContext))) {
      Rank(each.candidate, each.number, each.rank);
      continue;
    }
    Exclude(each.candidate, each.why, TraitsOf(each.why.first()).word);
  }
}

// What the request cannot pay is not chosen while there is another that it can. Where all of the
// pool are too dear it is refused for the cheapest.
void Planner::PlaceDear() {
  const bool others = std::ranges::any_of(
      numbers_, [this](size_t number) { return in_.models[number].pooled.has_value(); });
  ExcludedSet why;
  why.Add(Excluded::kBudget);
  for (const Shorter& each : dear_) {
    if (others) {
      Exclude(each.candidate, why, TraitsOf(Excluded::kBudget).word);
    } else {
      Rank(each.candidate, each.number, each.rank, false);
    }
  }
}

// What nobody named may cost so many times the cheapest: of the first model, of whichever of a pool
// is dearest, or of its own where the client named that.
void Planner::ExcludeJumps() {
  if (in_.rules.max_price_jump <= 0 || ranked_.empty()) return;
  if (ranked_.size() == 1 && in_.models[numbers_.front()].by_client) return;
  constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();
  std::vector<uint64_t> cheapest(in_.models.size(), kNone);
  for (size_t i = 0; i < ranked_.size(); ++i) {
    const uint64_t price = ranked_[i].candidate.expected_pico;
    // What costs nothing is no measure.
    if (price > 0) cheapest[numbers_[i]] = std::min(cheapest[numbers_[i]], price);
  }
  if (cheapest[0] == kNone) {  // nobody of it is left, and its price is the measure all the same
    for (const Endpoint& endpoint : in_.models[0].model->endpoints) {
      const Candidate lost{in_.models[0].model, &endpoint, ask_.inputs};
      const uint64_t price =
          ExpectedPico(lost, ask_, filters_.prompt, in_.created, in_.models[0].answer);
      if (price > 0) cheapest[0] = std::min(cheapest[0], price);
    }
  }
  uint64_t measure = cheapest[0];
  for (size_t i = 1; i < in_.models.size() && in_.models[0].pooled; ++i) {
    if (!in_.models[i].pooled || cheapest[i] == kNone) continue;
    measure = measure == kNone ? cheapest[i] : std::max(measure, cheapest[i]);
  }
  size_t kept = 0;
  for (size_t i = 0; i < ranked_.size(); ++i) {
    const Ranked& each = ranked_[i];
    const uint64_t least = in_.models[numbers_[i]].by_client ? cheapest[numbers_[i]] : measure;
    const bool named =
        each.listed != Ranked::kUnlisted || (asked_ != nullptr && !asked_->only.empty());
    const bool jumps = !named && least != kNone &&
                       static_cast<double>(each.candidate.expected_pico) >
                           in_.rules.max_price_jump * static_cast<double>(least);
    if (jumps) {
      ExcludedSet why;
      why.Add(Excluded::kPriceJump);
      Exclude(each.candidate, why, TraitsOf(Excluded::kPriceJump).word);
      continue;
    }
    numbers_[kept] = numbers_[i];
    ranked_[kept++] = each;
  }
  ranked_.resize(kept);
  numbers_.resize(kept);
}

// Whoever is asked after a failure alone is nobody to begin with, unless that failure is certain:
// the prompt is too long for all others. False: nobody is left.
bool Planner::PromoteFallbacks() {
  const auto begins = [](const Ranked& each) { return each.candidate.after == AskedAfter::kAny; };
  if (std::ranges::any_of(ranked_, begins)) return true;
  const bool too_long = std::ranges::any_of(route_.excluded, [](const OutOfRoute& each) {
    return each.endpoint != nullptr && each.why.Has(Excluded::kContext);
  });
  bool any = false;
  for (Ranked& each : ranked_) {
    if (!too_long || each.candidate.after != AskedAfter::kContextTooLong) continue;
    each.candidate.after = AskedAfter::kAny;
    any = true;
  }
  return any;
}

// Each choice of its own; the first that has somebody to choose from is told of.
void Planner::Choose() {
  uint8_t pools = 0;
  for (const PlannedModel& each : in_.models) {
    if (each.pooled) pools = std::max<uint8_t>(pools, each.pool + 1);
  }
  for (uint8_t pool = 0; pool < pools; ++pool) {
    AutoRoute chosen =
        ChooseModel(*in_.automatic, in_.models, pool, in_.seed, {&numbers_, &ranked_});
    if (!route_.automatic || route_.automatic->models.empty()) {
      route_.automatic = std::move(chosen);
    }
  }
}

// Whoever is out at present is not the first, while there is another. One that is due for its probe
// is asked by one request at a time, and this one would have nobody else.
void Planner::KeepFirstAlone() {
  const auto is_in = [](const Ranked& each) {
    return each.candidate.after == AskedAfter::kAny && each.health.serves(false);
  };
  const auto first = std::ranges::find_if(ranked_, is_in);
  if (first != ranked_.end()) std::rotate(ranked_.begin(), first, first + 1);
  ExcludedSet why;
  why.Add(Excluded::kFallbackOff);
  for (size_t i = 1; i < ranked_.size(); ++i) {
    Exclude(ranked_[i].candidate, why, TraitsOf(Excluded::kFallbackOff).word);
  }
  ranked_.resize(1);
}

// Why the endpoint whose cache knows the prompt does not go first; empty: it does.
std::string_view Planner::YieldsTo(const Ranked& each) const {
  if (asked_ != nullptr && !asked_->order.empty()) return "yielded:order";
  switch (each.health.state) {
    case HealthState::kDegraded:
      return "yielded:degraded";
    case HealthState::kEjected:
    case HealthState::kHalfOpen:
      return "yielded:ejected";
    case HealthState::kOut:
      return "yielded:out_until";
    case HealthState::kSlowStart:  // it has answered since it is back
    case HealthState::kOk:
      break;
  }
  if (!each.health.has_live_key) return "yielded:dead_key";
  if (!each.health.has_room) return "yielded:upstream_limit";
  const bool tight = each.candidate.group > static_cast<uint8_t>(RouteGroup::kSlower);
  return tight ? "yielded:context" : "";
}

// To the front of its model, which may stand behind another one.
void Planner::FollowSticky() {
  if (in_.sticky == 0) return;
  route_.sticky = "yielded:gone";
  for (size_t i = 0; i < ranked_.size(); ++i) {
    const Ranked& each = ranked_[i];
    if (each.candidate.endpoint->id != in_.sticky || each.candidate.after != AskedAfter::kAny) {
      continue;
    }
    // Since then it was out, and others have filled its cache, or nobody: it comes back slowly.
    if (in_.sticky_at < each.health.ejected_at) {
      route_.sticky = "miss";
      return;
    }
    route_.sticky = YieldsTo(each);
    if (!route_.sticky.empty()) return;
    route_.sticky = "hit";
    const auto same = [&each](const Ranked& other) { return other.model_rank == each.model_rank; };
    const auto front = std::ranges::find_if(ranked_, same);
    const auto at = ranked_.begin() + static_cast<ptrdiff_t>(i);
    if (front != ranked_.begin()) route_.sticky = "yielded:model";
    std::rotate(front, at, at + 1);
    return;
  }
}

// Now and then somebody of whom little is known goes first, if that costs hardly more.
void Planner::Explore() {
  const bool may = in_.health != nullptr && in_.rules.balance == Balance::kInverseSquare &&
                   ranked_.front().sort == RouteSort::kDefault && ask_.stream && !ask_.max_cost &&
                   (asked_ == nullptr || asked_->order.empty());
  if (!may || UnitDraw(in_.seed, kExploreDraw) >= in_.rules.explore) return;
  const Ranked& front = ranked_.front();
  const double most = 1.25 * static_cast<double>(front.candidate.expected_pico);
  std::vector<size_t> unknown;
  for (size_t i = 1; i < ranked_.size(); ++i) {
    const Ranked& each = ranked_[i];
    if (each.candidate.after == AskedAfter::kAny && each.candidate.group == front.candidate.group &&
        each.model_rank == front.model_rank && each.health.stable() &&
        each.health.samples < kFewSamples &&
        static_cast<double>(each.candidate.expected_pico) <= most) {
      unknown.push_back(i);
    }
  }
  if (unknown.empty()) return;
  const double drawn = UnitDraw(in_.seed, kExploredDraw) * static_cast<double>(unknown.size());
  const auto chosen = static_cast<ptrdiff_t>(unknown[static_cast<size_t>(drawn)]);
  std::rotate(ranked_.begin(), ranked_.begin() + chosen, ranked_.begin() + chosen + 1);
  route_.explored = true;
}

Error Planner::NobodyLeft() const {
  const Model& first = *in_.models.front().model;
  const bool chosen = in_.models.front().pooled.has_value();
  NeedSet unserved;
  bool looked_at = false;
  bool other = false;  // there is another reason than a dialect
  for (const OutOfRoute& each : route_.excluded) {
    if (each.endpoint == nullptr) continue;
    looked_at = true;
    unserved = unserved | (each.endpoint->lacks & ask_.needs);
    other = other || !each.why.Has(Excluded::kNeed);
  }
  for (int i = 0; i < kNeedCount && !other; ++i) {
    const Need need = static_cast<Need>(i);
    if (unserved.Has(need)) return Unserved(need, first, *in_.request);
  }
  if (looked_at) {
    return NothingLeft(filters_, route_, chosen ? "auto" : route_.excluded.front().model->id);
  }
  return MakeError(ErrorCode::kNoMatchingEndpoint,
                   "no provider of '" + (chosen ? "auto" : first.id) +
                       "' is configured at this gateway; GET /v1/models lists the models it serves",
                   "model");
}

Result<Route> Planner::Plan() {
  size_t endpoints = 0;
  for (const PlannedModel& each : in_.models) endpoints += each.model->endpoints.size();
  ranked_.reserve(std::min(endpoints, most_of_model_ * in_.models.size()));
  counts_.resize(in_.models.size());
  uint32_t rank = 0;
  for (size_t i = 0; i < in_.models.size(); ++i) {
    const PlannedModel& planned = in_.models[i];
    const bool apart = !planned.by_client || planned.pooled || !in_.preferences.partition_none();
    if (i > 0 && !planned.beside && apart) ++rank;
    if (i > 0 && !planned.same_name) ++name_;
    Look(planned, i, rank);
  }
  if (!shorter_.empty()) {
    ExcludeJumps();  // nobody gives way to somebody who is not asked
    PlaceShorter();
  }
  PlaceDear();
  ExcludeJumps();
  if (!PromoteFallbacks()) return NobodyLeft();
  if (in_.automatic != nullptr) Choose();
  SortCandidates({in_.rules.balance, in_.seed}, &ranked_);
  ShareRoom(&ranked_);
  FollowSticky();
  if (asked_ != nullptr && !asked_->allow_fallbacks && asked_->order.empty()) KeepFirstAlone();
  if (route_.sticky != "hit") Explore();
  route_.candidates.reserve(ranked_.size());
  for (const Ranked& each : ranked_) route_.candidates.push_back(each.candidate);
  if (in_.keep_views) {
    for (const Ranked& each : ranked_) route_.views.push_back(each.health);
  }
  route_.sort = ranked_.front().sort;
  route_.seed = in_.seed;
  route_.expected_prompt = filters_.prompt;
  return std::move(route_);
}

}  // namespace

Result<Route> PlanRoute(const PlanInputs& inputs) { return Planner(inputs).Plan(); }

Result<Route> PlanRoute(std::span<const Model* const> models, const ParsedRequest& request) {
  std::vector<PlannedModel> planned;
  for (const Model* const model : models) planned.push_back({model});
  PlanInputs inputs;
  inputs.models = planned;
  inputs.request = &request;
  return PlanRoute(inputs);
}

std::optional<Error> RefuseAuto(const ParsedRequest& request) {
  if (!request.ask.needs.Has(Need::kEmbedding)) return std::nullopt;
  return MakeError(ErrorCode::kNoMatchingEndpoint,
                   "'" + request.ask.model +
                       "' chooses a model for chats: ask for embeddings by a model's name; "
                       "GET /v1/models?output_modalities=embeddings lists those that make them",
                   "model");
}

}  // namespace seekroute
