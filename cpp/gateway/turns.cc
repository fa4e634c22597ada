#include "gateway/turns.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <string>
#include <utility>

namespace seekroute {
namespace {

// What is said of so many that are passed over for the same reason.
std::string_view Said(Skip skip) {
  switch (skip) {
    case Skip::kDeadKey:
      return "refused the key, or has no credit";
    case Skip::kEjected:
      return "failed just now";
    case Skip::kOutUntil:
      return "asked to be left alone";
    case Skip::kLimited:
      return "limits the pace";
    case Skip::kRetryBudget:
      return "is asked again often enough";
    case Skip::kTried:
    case Skip::kNone:
      break;
  }
  return "was asked";
}

}  // namespace

Turns::Turns(const Admission* admission, const Snapshot* snapshot, const Purse* purse,
             const ExchangeWorld* world)
    : admission_(admission), snapshot_(snapshot), purse_(purse), world_(world) {}

void Turns::Open() { succession_.emplace(&admission_->route, &world_->options->retry); }

size_t Turns::FirstPlace() const {
  for (size_t place = 0; place < candidates().size(); ++place) {
    if (succession_ && !succession_->Allows(place)) continue;
    if (purse_->Affords(candidates()[place])) return place;
  }
  return candidates().size();
}

HealthQuestion Turns::QuestionOf(size_t place) const {
  const Endpoint& endpoint = *candidates()[place].endpoint;
  HealthQuestion question;
  question.provider = &snapshot_->providers[endpoint.provider];
  question.endpoint = &endpoint;
  if (question.provider->key_count() > 1 && admission_->key) {
    question.owner = std::hash<std::string>{}(admission_->key->org_id);
  }
  for (const Made& each : made_) {
    const Endpoint& asked = *candidates()[each.place].endpoint;
    if (asked.provider == endpoint.provider) question.repeats = true;
    if (&asked == &endpoint) question.tried_keys |= uint32_t{1} << each.key;
  }
  return question;
}

HealthAnswer Turns::Ask(const HealthQuestion& question) const {
  if (world_->health != nullptr) return world_->health->Ask(question, world_->clock->Now());
  HealthAnswer answer;
  if (question.tried_keys != 0) answer.skip = Skip::kTried;
  return answer;
}

std::optional<Turns::Turn> Turns::Next() {
  bool held_back = false;
  for (const bool last_resort : {false, true}) {
    if (last_resort && !held_back) break;
    passed_.clear();
    for (size_t place = 0; place < candidates().size(); ++place) {
      if (!succession_->Allows(place) || !purse_->Affords(candidates()[place])) continue;
      HealthQuestion question = QuestionOf(place);
      question.last_resort = last_resort;
      HealthAnswer answer = Ask(question);
      if (answer.skip == Skip::kNone) {
        succession_->Pass(place);
        return Turn{place, std::move(answer.permit)};
      }
      held_back |= answer.skip == Skip::kEjected || answer.skip == Skip::kLimited;
      passed_.push_back({place, answer.skip, answer.retry_at});
    }
  }
  return std::nullopt;
}

bool Turns::HasOtherKey(size_t place) const {
  const size_t keys = snapshot_->providers[candidates()[place].endpoint->provider].key_count();
  if (keys == 1 || !succession_->MayMake(place)) return false;
  return std::popcount(QuestionOf(place).tried_keys) < static_cast<int>(keys);
}

std::optional<Turns::Turn> Turns::OtherKey(size_t place, const FailedAttempt& failed) {
  if (MayFollow(ClassOf(failed), Step::kOtherKey) != May::kAtOnce) return std::nullopt;
  if (!HasOtherKey(place)) return std::nullopt;
  HealthAnswer answer = Ask(QuestionOf(place));
  if (answer.skip != Skip::kNone) return std::nullopt;
  return Turn{place, std::move(answer.permit)};
}

std::optional<Turns::Turn> Turns::Again(size_t place, size_t key, bool repeats) {
  HealthQuestion question = QuestionOf(place);
  question.tried_keys = ~(uint32_t{1} << key);
  question.repeats = repeats;
  question.last_resort = true;
  HealthAnswer answer = Ask(question);
  if (answer.skip != Skip::kNone && world_->health != nullptr) return std::nullopt;
  return Turn{place, std::move(answer.permit)};
}

bool Turns::ChargesAnyway(size_t place) const {
  return snapshot_->providers[candidates()[place].endpoint->provider].on_abort == OnAbort::kReadOut;
}

std::optional<Turns::Turn> Turns::Beside(size_t slow) {
  if (world_->health == nullptr) return std::nullopt;
  const Candidate& first = candidates()[slow];
  for (size_t place = 0; place < candidates().size(); ++place) {
    const Candidate& next = candidates()[place];
    if (!succession_->Allows(place) || !purse_->Affords(next) || ChargesAnyway(place)) continue;
    if (next.model != first.model || next.endpoint->provider == first.endpoint->provider) continue;
    if (next.expected_pico / 3 > first.expected_pico / 2) continue;
    const HealthView view = world_->health->ViewOf(next.endpoint->id, world_->clock->Now());
    if (view.state != HealthState::kOk) continue;
    HealthQuestion question = QuestionOf(place);
    question.repeats = true;  // whoever it is: the work is done twice
    HealthAnswer answer = Ask(question);
    if (answer.skip != Skip::kNone || answer.permit.claims()) continue;
    succession_->Pass(place);
    return Turn{place, std::move(answer.permit)};
  }
  return std::nullopt;
}

bool Turns::MayRepeat(size_t place, const FailedAttempt& failed) const {
  if (MayFollow(ClassOf(failed), Step::kSameEndpoint) != May::kIfAlone) return false;
  return made_.size() == 1 && succession_->MayMake(place);
}

int Turns::VisitsTo(size_t place) const {
  const auto same = [this, place](const Made& each) {
    return candidates()[each.place].endpoint->provider == candidates()[place].endpoint->provider;
  };
  return static_cast<int>(std::ranges::count_if(made_, same));
}

void Turns::Begin(size_t place, size_t key, bool anew) {
  if (anew) succession_->BeginAnew();
  succession_->Begin(place);
  made_.push_back({place, key});
}

// ": 2 failed just now, 1 asked to be left alone".
std::string Turns::Reasons(const std::vector<Passed>& passed) {
  std::string reasons;
  for (size_t i = 0; i < passed.size(); ++i) {
    const auto same = [&](const Passed& each) { return each.skip == passed[i].skip; };
    if (std::any_of(passed.begin(), passed.begin() + static_cast<std::ptrdiff_t>(i), same)) {
      continue;
    }
    reasons += reasons.empty() ? ": " : ", ";
    reasons += std::to_string(std::ranges::count_if(passed, same)) + ' ';
    reasons += Said(passed[i].skip);
  }
  return reasons;
}

Error Turns::NobodyToAsk() const {
  const bool paced = !passed_.empty() && std::ranges::all_of(passed_, [](const Passed& each) {
    return each.skip == Skip::kLimited;
  });
  const std::string& model = candidates()[passed_.empty() ? 0 : passed_.front().place].model->id;
  Error error =
      paced ? MakeError(ErrorCode::kUpstreamRateLimited,
                        "every provider of '" + model + "' limits this gateway's pace")
            : MakeError(ErrorCode::kNoUpstream, "no provider of '" + model +
                                                    "' can be asked at present" + Reasons(passed_));
  error.retry_after_ms = SoonestMs();
  return error;
}

int64_t Turns::SoonestMs() const {
  if (world_->health == nullptr) return 0;
  const TimePoint now = world_->clock->Now();
  TimePoint soonest = TimePoint::Never();
  for (size_t place = 0; place < candidates().size(); ++place) {
    // Those that only follow a certain failure, or cost too much, are no help to who comes again.
    const Candidate& candidate = candidates()[place];
    if (candidate.after != AskedAfter::kAny || !purse_->Affords(candidate)) continue;
    HealthQuestion question = QuestionOf(place);
    const bool asked = question.tried_keys != 0;
    question.tried_keys = 0;
    question.repeats = false;
    question.last_resort = true;
    const HealthAnswer answer = world_->health->Look(question, now);
    if (answer.skip != Skip::kNone) {
      soonest = std::min(soonest, answer.retry_at);
    } else if (!asked) {
      soonest = now;
    }
  }
  if (soonest == TimePoint::Never()) return 0;
  return std::max<int64_t>((soonest - now).ns + 999'999, 1'000'000) / 1'000'000;
}

}  // namespace seekroute
