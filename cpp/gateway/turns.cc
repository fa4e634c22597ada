#include "gateway/turns.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <string>
#include <utility>

namespace seekroute {

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

std::optional<Turns::Turn> Turns::Again(size_t place, size_t key) {
  HealthQuestion question = QuestionOf(place);
  question.tried_keys = ~(uint32_t{1} << key);
  question.repeats = false;  // it was refused for the gateway's own doing
  question.last_resort = true;
  HealthAnswer answer = Ask(question);
  if (answer.skip != Skip::kNone && world_->health != nullptr) return std::nullopt;
  return Turn{place, std::move(answer.permit)};
}

void Turns::Begin(size_t place, size_t key, bool anew) {
  if (anew) succession_->BeginAnew();
  succession_->Begin(place);
  made_.push_back({place, key});
}

Error Turns::NobodyToAsk() const {
  const bool paced = !passed_.empty() && std::ranges::all_of(passed_, [](const Passed& each) {
    return each.skip == Skip::kLimited;
  });
  const std::string& model = candidates()[passed_.empty() ? 0 : passed_.front().place].model->id;
  Error error = paced ? MakeError(ErrorCode::kUpstreamRateLimited,
                                  "every provider of '" + model + "' limits this gateway's pace")
                      : MakeError(ErrorCode::kNoUpstream,
                                  "no provider of '" + model + "' can be asked at present");
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
