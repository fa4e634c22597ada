#include "gateway/gate.h"

#include <algorithm>
#include <utility>

#include "gateway/expected_cost.h"

namespace seekroute {

const Model* FirstModelOf(const Admission& admission) {
  const std::vector<Candidate>& candidates = admission.route.candidates;
  const auto first = std::ranges::find(candidates, AskedAfter::kAny, &Candidate::after);
  return first != candidates.end() ? first->model : admission.model;
}

LimitSubject SubjectOf(const ApiKey* key, std::string_view model) {
  LimitSubject subject;
  subject.model = model;
  if (key == nullptr) return subject;
  subject.org = key->org_id;
  subject.app = key->app_id;
  subject.key = key->key_id;
  subject.key_limits = key->limits.get();
  subject.key_model_limits = key->LimitsFor(model);
  subject.key_version = key->limits_version;
  return subject;
}

namespace {

bool IsOfModel(const LimitRefusal& refusal) {
  return refusal.scope == LimitScope::kModel || refusal.scope == LimitScope::kKeyModel;
}

// The models beside `first` for which its name stands as well, in the order of the route.
std::vector<const Model*> OthersOfName(const Route& route, const Model* first) {
  uint8_t name = 0;
  for (const Candidate& each : route.candidates) {
    if (each.model == first) name = each.name;
  }
  std::vector<const Model*> others;
  for (const Candidate& each : route.candidates) {
    const bool same = each.after == AskedAfter::kAny && each.name == name && each.model != first;
    if (same && std::ranges::find(others, each.model) == others.end()) others.push_back(each.model);
  }
  return others;
}

}  // namespace

Skip SkipFor(const LimitRefusal& of_model) {
  return of_model.kind == RefusalKind::kTooLarge ? Skip::kOverLimit : Skip::kModelLimit;
}

Status LookAtLimits(const Admission& admission, const HeaderOptions& asked,
                    const GatewayOptions& options, const LimitTime& now, Limiter* limiter,
                    std::vector<Skip>* skipped) {
  const std::vector<Candidate>& candidates = admission.route.candidates;
  const ApiKey* const key = admission.key.get();
  const LimitCost cost = ExpectedCost(admission, options, candidates, {});
  skipped->resize(candidates.size(), Skip::kNone);
  for (size_t place = 0; place < candidates.size(); ++place) {
    if ((*skipped)[place] != Skip::kNone) continue;
    const LimitSubject who = SubjectOf(key, candidates[place].model->id);
    const auto refusal = limiter->JudgeModel(who, cost, now);
    if (refusal) (*skipped)[place] = SkipFor(*refusal);
  }
  const Model* const first = FirstModelOf(admission);
  const Duration all =
      asked.timeout.ns > 0 ? std::min(asked.timeout, options.total_timeout) : options.total_timeout;
  const LimitPatience patience = PatienceOf(asked, options, now.now, now.now + all);
  const auto refusal = limiter->Judge(SubjectOf(key, first->id), cost, now, patience);
  const auto lets_in = [&](const Model* other) {
    return !limiter->Judge(SubjectOf(key, other->id), cost, now);
  };
  if (!refusal) return {};
  if (IsOfModel(*refusal) && std::ranges::any_of(OthersOfName(admission.route, first), lets_in)) {
    return {};
  }
  return RefusedByLimit(*refusal, first->id);
}

LimitSubject Gate::Subject() const {
  const Model* const model = FirstModelOf(admission_);
  return SubjectOf(queue_.key(), model != nullptr ? model->id : std::string_view());
}

LimitTime Gate::Now() const { return {world_.clock->Now(), world_.clock->WallTime()}; }

std::optional<LimitRefusal> PeekLimits(const ApiKey& key, const Submission& in,
                                       const GatewayOptions& options, const LimitTime& now,
                                       Limiter* limiter) {
  const TimePoint deadline = now.now + options.total_timeout;  // no route is known yet
  std::optional<LimitRefusal> refusal =
      limiter->Peek(SubjectOf(&key, {}), now, PatienceOf(in.options, options, now.now, deadline));
  // The one of the model may be longer.
  const bool waits = refusal && refusal->kind == RefusalKind::kWait;
  if (waits && key.model_limits != nullptr) refusal->exact = false;
  return refusal;
}

// Time may have made room since a large body was not read. It is not read then either: the engine
// would be held up by it.
Status Gate::Peek() {
  if (world_.limiter == nullptr || admission_.key == nullptr) return {};
  const LimitTime now = Now();
  std::optional<LimitRefusal> refusal = in_.unread;
  if (!refusal) {
    refusal = PeekLimits(*admission_.key, in_, *world_.options, now, world_.limiter);
  }
  if (!refusal) return {};
  left_ = world_.limiter->Look(Subject(), now);
  return RefusedByLimit(*refusal, Subject().model);
}

bool Gate::NeedsPrompt() const {
  const Limiter* const upstream = world_.upstream_limiter;
  if (upstream != nullptr && upstream->SomeCountTokens()) return true;
  return world_.limiter != nullptr && MayCountTokens();
}

// Whichever model comes to answer.
bool Gate::MayCountTokens() const {
  if (world_.limiter->MayCountTokens(Subject())) return true;
  const ApiKey* const key = queue_.key();
  const ModelLimits* const models = key != nullptr ? key->model_limits.get() : nullptr;
  const auto counts = [](const auto& each) { return each.second.counts_tokens(); };
  return models != nullptr && std::ranges::any_of(*models, counts);
}

Status Gate::Enter(std::string_view body, TimePoint deadline) {
  if (world_.limiter == nullptr) return {};
  if (queue_.waits()) {
    Status checked = queue_.CheckKey();
    if (!checked.ok()) {
      queue_.End();
      return checked;
    }
  }
  const LimitSubject who = Subject();
  model_ = FirstModelOf(admission_);
  // Once: it may take a pass over the body. Of a later model, too.
  if (!queue_.waits() && MayCountTokens()) {
    cost_ = ExpectedCost(admission_, *world_.options, admission_.route.candidates, body);
  }
  if (!queue_.waits() && world_.limiter->IsFree(who)) return {};
  Limiter::Answer answer = world_.limiter->Reserve(who, cost_, Now(), queue_.Waiter(body.size()),
                                                   queue_.Patience(deadline));
  queue_.Learn(answer);
  if (answer.waits) return {};
  if (answer.refusal) EnterOther(*answer.refusal, &answer);
  left_ = answer.left;
  if (answer.refusal) {
    std::optional<Duration> queued;
    if (queue_.has_waited()) queued = queue_.Waited();
    return RefusedByLimit(*answer.refusal, who.model, queued);
  }
  reservation_ = std::move(answer.reservation);
  of_model_ = std::move(answer.of_model);
  return {};
}

// Where one name stands for several models, the limits of one do not keep the request from another,
// at once. Fills `answer` where one lets it in; the first model is passed over then, as it would be
// after a failure.
void Gate::EnterOther(const LimitRefusal& refusal, Limiter::Answer* answer) {
  if (!IsOfModel(refusal)) return;
  for (const Model* const each : OthersOfName(admission_.route, model_)) {
    Limiter::Answer other =
        world_.limiter->Reserve(SubjectOf(queue_.key(), each->id), cost_, Now());
    if (other.refusal) continue;
    *answer = std::move(other);
    model_ = each;
    return;
  }
}

std::optional<LimitRefusal> Gate::EnterModel(const Model& model) {
  if (world_.limiter == nullptr) return std::nullopt;
  if (model_ == nullptr || model.id != model_->id) {
    const auto same = [&model](const Model* each) { return each->id == model.id; };
    LimitCost cost = cost_;
    cost.counts_request = std::ranges::none_of(counted_, same);
    const LimitTime now = Now();
    Limiter::Answer answer =
        world_.limiter->ReserveModel(SubjectOf(admission_.key.get(), model.id), cost, now);
    if (answer.refusal) return answer.refusal;
    if (model_asked_) {
      of_model_.Settle({}, now);
      counted_.push_back(model_);
    }
    of_model_ = std::move(answer.of_model);
    model_ = &model;
  }
  model_asked_ = true;
  return std::nullopt;
}

void Gate::Settle(const TokensUsed& used) {
  if (!holds()) return;
  const LimitTime now = Now();
  reservation_.Settle(used, now);
  of_model_.Settle(used, now);
}

std::string Gate::Report() const {
  return WriteLimits(left_.value_or(LimitsLeft()), queue_.Waited());
}

void Gate::AddHeaders(ResponseHead* head) {
  if (world_.limiter == nullptr) return;
  if (!left_) {
    // What is left of the whole gateway is not for strangers.
    if (world_.options->require_key && admission_.key == nullptr) return;
    const LimitSubject who = Subject();
    if (world_.limiter->IsFree(who)) return;
    left_ = world_.limiter->Look(who, Now());
  }
  AddLimitHeaders(*left_, world_.options->ietf_ratelimit_headers, head);
}

}  // namespace seekroute
