#include "gateway/turns.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include "gateway/expected_cost.h"
#include "routing/nothing_left.h"

namespace seekroute {
namespace {

// Rounded up, and at least 1; 0: that is never.
int64_t MsUntil(TimePoint at, TimePoint now) {
  if (at == TimePoint::Never()) return 0;
  return std::max<int64_t>((at - now).ns + 999'999, 1'000'000) / 1'000'000;
}

// So much is left of the limits that an endpoint has told where a request goes that nobody waits
// for.
constexpr float kLeastHeadroom = 0.5F;

}  // namespace

Turns::Turns(const Admission* admission, const Snapshot* snapshot, const Purse* purse, Gate* gate,
             const ExchangeWorld* world)
    : admission_(admission),
      snapshot_(snapshot),
      purse_(purse),
      gate_(gate),
      world_(world),
      upstream_(admission, world) {}

void Turns::Open() { succession_.emplace(&admission_->route, &world_->options->retry); }

size_t Turns::FirstPlace() const {
  for (size_t place = 0; place < candidates().size(); ++place) {
    if (succession_ && !succession_->Allows(place)) continue;
    if (purse_->Affords(candidates()[place])) return place;
  }
  return candidates().size();
}

const Provider& Turns::ProviderAt(size_t place) const {
  return snapshot_->providers[candidates()[place].endpoint->provider];
}

HealthQuestion Turns::QuestionOf(size_t place) const {
  const Endpoint& endpoint = *candidates()[place].endpoint;
  HealthQuestion question;
  question.provider = &ProviderAt(place);
  question.endpoint = &endpoint;
  const int64_t answer = ExpectedAnswer(admission_->request->ask, *world_->options,
                                        std::span(&candidates()[place], 1));
  question.needed = {admission_->route.expected_prompt, answer};
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

HealthAnswer Turns::AskHealth(const HealthQuestion& question) const {
  HealthAnswer answer;
  if (world_->health != nullptr && admission_->shadow) answer = YieldAt(*question.endpoint);
  if (answer.skip != Skip::kNone) return answer;
  if (world_->health != nullptr) {
    answer = world_->health->Ask(question, world_->clock->Now());
    if (answer.skip == Skip::kRetryBudget) world_->stats->CountRetryBudget();
    return answer;
  }
  if (question.tried_keys != 0) answer.skip = Skip::kTried;
  return answer;
}

// Who is less than well, or near a limit, is left to those that somebody waits for.
HealthAnswer Turns::YieldAt(const Endpoint& endpoint) const {
  const HealthView view = world_->health->ViewOf(endpoint.id, world_->clock->Now());
  HealthAnswer answer;
  answer.retry_at = view.retry_at;
  if (view.state != HealthState::kOk || view.last_resort) {
    answer.skip = Skip::kEjected;
  } else if (view.head < kLeastHeadroom) {
    answer.skip = Skip::kLimited;
  }
  return answer;
}

// Who is well, and at no limit: of the keys of a provider another one where the limits of one are
// used up. Each is asked for once.
HealthAnswer Turns::Ask(size_t place, HealthQuestion question, Reservation* reservation) const {
  const Candidate& candidate = candidates()[place];
  std::optional<HealthAnswer> at_limit;  // that passes soonest
  while (true) {
    HealthAnswer answer = AskHealth(question);
    if (answer.skip != Skip::kNone) {
      const bool no_other = answer.skip == Skip::kTried || answer.skip == Skip::kGone;
      return at_limit && no_other ? std::move(*at_limit) : std::move(answer);
    }
    const size_t key = answer.permit.key();
    UpstreamGate::Answer let = upstream_.Enter(candidate, ProviderAt(place), key);
    if (let.skip == Skip::kNone) {
      std::optional<LimitRefusal> refusal;
      if (gate_ != nullptr) refusal = gate_->EnterModel(*candidate.model);
      if (refusal) {
        return {.skip = SkipFor(*refusal), .retry_at = RetryAt(*refusal, world_->clock->Now())};
      }
      *reservation = std::move(let.reservation);
      return answer;
    }
    if (!at_limit || let.retry_at < at_limit->retry_at) {
      at_limit = HealthAnswer{.skip = let.skip, .retry_at = let.retry_at};
    }
    if (!let.another_key) return std::move(*at_limit);
    question.tried_keys |= uint32_t{1} << key;
  }
}

void Turns::NoteSkip(size_t place, Skip skip) {
  world_->stats->CountExcluded(NameOf(skip));
  skipped_.resize(candidates().size(), Skip::kNone);
  if (skipped_[place] == Skip::kNone) skipped_[place] = skip;
}

std::optional<Turns::Turn> Turns::Next() {
  bool held_back = false;
  for (const bool last_resort : {false, true}) {
    if (last_resort && (!held_back || admission_->shadow)) break;
    passed_.clear();
    // What one model leaves to another is its own again where nobody of that can be asked.
    uint64_t closed = 0;
    for (uint64_t before = ~closed; before != closed;) {
      before = closed;
      for (size_t place = 0; place < candidates().size(); ++place) {
        if (!succession_->Allows(place, closed)) continue;
        if (!purse_->Affords(candidates()[place])) {
          const bool told = place < skipped_.size() && skipped_[place] != Skip::kNone;
          if (!told) NoteSkip(place, Skip::kBudget);
          continue;
        }
        HealthQuestion question = QuestionOf(place);
        question.last_resort = last_resort;
        Turn turn{place, {}};
        HealthAnswer answer = Ask(place, question, &turn.reservation);
        if (answer.skip == Skip::kNone) {
          succession_->Pass(place);
          turn.permit = std::move(answer.permit);
          return turn;
        }
        if (!last_resort && answer.skip != Skip::kTried) NoteSkip(place, answer.skip);
        held_back |= answer.skip == Skip::kEjected || answer.skip == Skip::kLimited;
        passed_.push_back({place, answer.skip, answer.retry_at});
        closed |= uint64_t{1} << place;
      }
    }
  }
  NoteUnasked();
  return std::nullopt;
}

// Nobody is asked any more: of those that might have been, whom the cap of attempts has kept out.
void Turns::NoteUnasked() {
  for (size_t place = 0; place < candidates().size(); ++place) {
    const bool told = place < skipped_.size() && skipped_[place] != Skip::kNone;
    if (!told && succession_->LacksAttempt(place) && purse_->Affords(candidates()[place])) {
      NoteSkip(place, Skip::kAttemptCap);
    }
  }
}

bool Turns::HasOtherKey(size_t place) const {
  const size_t keys = ProviderAt(place).key_count();
  if (keys == 1 || !succession_->MayMake(place)) return false;
  return std::popcount(QuestionOf(place).tried_keys) < static_cast<int>(keys);
}

std::optional<Turns::Turn> Turns::OtherKey(size_t place, const FailedAttempt& failed) {
  if (MayFollow(ClassOf(failed), Step::kOtherKey) != May::kAtOnce) return std::nullopt;
  if (!HasOtherKey(place)) return std::nullopt;
  Turn turn{place, {}};
  HealthAnswer answer = Ask(place, QuestionOf(place), &turn.reservation);
  if (answer.skip != Skip::kNone) return std::nullopt;
  turn.permit = std::move(answer.permit);
  return turn;
}

std::optional<Turns::Turn> Turns::Again(size_t place, size_t key, bool repeats) {
  HealthQuestion question = QuestionOf(place);
  question.tried_keys = ~(uint32_t{1} << key);
  question.repeats = repeats;
  question.last_resort = true;
  if (world_->health == nullptr) question.tried_keys = 0;  // nobody but the first is known
  Turn turn{place, {}};
  HealthAnswer answer = Ask(place, question, &turn.reservation);
  if (answer.skip != Skip::kNone) return std::nullopt;
  turn.permit = std::move(answer.permit);
  return turn;
}

bool Turns::ChargesAnyway(size_t place) const {
  return ProviderAt(place).on_abort == OnAbort::kReadOut;
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
    Turn turn{place, {}};
    HealthAnswer answer = Ask(place, question, &turn.reservation);
    if (answer.skip != Skip::kNone || answer.permit.claims()) continue;
    succession_->Pass(place);
    turn.permit = std::move(answer.permit);
    return turn;
  }
  return std::nullopt;
}

bool Turns::MayRepeat(size_t place, const FailedAttempt& failed) const {
  if (MayFollow(ClassOf(failed), Step::kSameEndpoint) != May::kIfAlone) return false;
  if (made_.size() != 1 || !succession_->MayMake(place)) return false;
  // Without health nobody counts what runs.
  if (world_->health == nullptr) return world_->options->retry_budget.least > 0;
  HealthQuestion question = QuestionOf(place);
  question.tried_keys = 0;
  question.last_resort = true;
  return world_->health->Look(question, world_->clock->Now()).skip != Skip::kRetryBudget;
}

int Turns::VisitsTo(size_t place) const {
  const auto same = [this, place](const Made& each) {
    return candidates()[each.place].endpoint->provider == candidates()[place].endpoint->provider;
  };
  return static_cast<int>(std::ranges::count_if(made_, same));
}

bool Turns::KeyHolds() const {
  if (!admission_->key) return true;
  const auto found = world_->keys->Find(admission_->key_mac, world_->clock->WallTime().seconds());
  return found && KeyRing::CheckUsable(**found).ok();
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
    reasons += SentenceOf(passed[i].skip);
  }
  return reasons;
}

// It would be refused again, however long its client waits.
Error Turns::TooLargeForAll() const {
  return MakeError(ErrorCode::kRequestTooLargeForLimit,
                   "the prompt takes about " + std::to_string(admission_->route.expected_prompt) +
                       " tokens, and no provider of '" +
                       candidates()[passed_.front().place].model->id +
                       "' is asked for so many at once: shorten the prompt, or have the "
                       "operator raise the provider's tokens_per_minute");
}

Error Turns::NobodyToAsk() const {
  const auto all_are = [this](auto... skips) {
    return !passed_.empty() && std::ranges::all_of(passed_, [&](const Passed& each) {
      return ((each.skip == skips) || ...);
    });
  };
  if (all_are(Skip::kOverLimit)) return TooLargeForAll();
  const bool paced = all_are(Skip::kLimited, Skip::kAtRate, Skip::kModelLimit);
  const bool chosen = admission_->route.automatic.has_value() && admission_->automatic;
  const std::string model =
      chosen ? "auto" : candidates()[passed_.empty() ? 0 : passed_.front().place].model->id;
  const std::string others = CountLeftOut(admission_->route);
  std::string message;
  if (paced) {
    message = "every provider of '" + model + "'" + (others.empty() ? "" : " that may be asked") +
              " is at a limit of its pace" + (others.empty() ? "" : "; of the others, " + others);
  } else {
    message = "no provider of '" + model + "' can be asked at present" + Reasons(passed_) +
              (others.empty() ? "" : ", " + others);
  }
  Error error = MakeError(paced ? ErrorCode::kUpstreamRateLimited : ErrorCode::kNoUpstream,
                          std::move(message));
  error.retry_after_ms = SoonestMs();
  const TimePoint now = world_->clock->Now();
  std::vector<OutAtPresent> out;
  for (const Passed& each : passed_) {
    out.push_back({.candidate = &candidates()[each.place],
                   .word = NameOf(each.skip),
                   .detail = SentenceOf(each.skip),
                   .retry_after_ms = MsUntil(each.retry_at, now)});
  }
  error.availability = Unavailable(
      admission_->route, chosen ? "auto" : std::string_view(candidates().front().model->id), out,
      paced, error.retry_after_ms);
  return error;
}

int64_t Turns::SoonestMs() const {
  const TimePoint now = world_->clock->Now();
  TimePoint soonest = TimePoint::Never();
  for (size_t place = 0; place < candidates().size(); ++place) {
    // Those that only follow a certain failure, or cost too much, are no help to who comes again.
    const Candidate& candidate = candidates()[place];
    if (candidate.after != AskedAfter::kAny || !purse_->Affords(candidate)) continue;
    const auto limited = std::ranges::find_if(passed_, [place](const Passed& each) {
      const bool by_model = each.skip == Skip::kModelLimit || each.skip == Skip::kOverLimit;
      return each.place == place && by_model;
    });
    if (limited != passed_.end()) {
      soonest = std::min(soonest, limited->retry_at);
      continue;
    }
    HealthQuestion question = QuestionOf(place);
    const bool asked = question.tried_keys != 0;
    question.tried_keys = 0;
    question.repeats = false;
    question.last_resort = true;
    soonest = std::min(soonest, SoonestAt(place, question, asked, now));
  }
  return MsUntil(soonest, now);
}

// Never: not known, as of one that has been asked and was let.
TimePoint Turns::SoonestAt(size_t place, HealthQuestion question, bool asked, TimePoint now) const {
  TimePoint soonest = TimePoint::Never();
  while (true) {
    HealthAnswer answer;
    if (world_->health != nullptr) {
      answer = world_->health->Look(question, now);
    } else if (question.tried_keys != 0) {
      answer.skip = Skip::kTried;
    }
    if (answer.skip == Skip::kTried) return soonest;
    if (answer.skip != Skip::kNone) return std::min(soonest, answer.retry_at);
    const size_t key = answer.permit.key();
    const UpstreamGate::Answer let = upstream_.Look(candidates()[place], ProviderAt(place), key);
    const bool knows = world_->health != nullptr && world_->health->leaves_out();
    if (let.skip == Skip::kNone) return asked || !knows ? soonest : now;
    soonest = std::min(soonest, let.retry_at);
    if (!let.another_key) return soonest;
    question.tried_keys |= uint32_t{1} << key;
  }
}

}  // namespace seekroute
