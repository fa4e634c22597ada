// Who of the route is asked: first, after a failure, later, and beside a slow one.
#include <algorithm>
#include <utility>

#include "gateway/gate.h"
#include "gateway/tries.h"
#include "routing/backoff.h"

namespace seekroute {

void Tries::Start(AnswerNames names, UnixSeconds created, TimePoint until, bool hurried) {
  names_ = std::move(names);
  created_ = created;
  until_ = until;
  hurried_ = hurried;
  turns_.Open();
  std::optional<Turns::Turn> turn = turns_.Next();
  if (!turn) return owner_->OnOutOfTries(turns_.NobodyToAsk());
  Send(std::move(*turn), false);
  ArmHedge();
}

bool Tries::StartAnother() {
  if (won_ || reading_out_ || running_ == 0 || running_ >= kMostAtOnce) return false;
  if (plan_.body->empty() || !turns_.KeyHolds()) return false;
  std::optional<Turns::Turn> turn = turns_.Next();
  if (!turn) return false;
  const size_t running = running_;
  Send(std::move(*turn), false);
  return running_ > running;
}

// The next, or the end.
void Tries::AskNext(Error otherwise) {
  std::optional<Turns::Turn> turn;
  if (turns_.KeyHolds()) turn = turns_.Next();
  if (!turn) return owner_->OnOutOfTries(std::move(otherwise));
  Send(std::move(*turn), false);
}

// What may be sent once more, without a member of ours, is kept until it is answered.
bool Tries::NobodyNeedsBody() const {
  const auto is_spare = [](const Candidate& each) { return each.after != AskedAfter::kAny; };
  if (std::ranges::any_of(plan_.admission->route.candidates, is_spare)) return false;
  return !turns_.AnyLeft() && std::ranges::none_of(tries_, [this](const auto& each) {
    if (each->may_repeat) return true;
    if (each->over) return false;
    return each->attempt->transcoder().adds_member() || turns_.HasOtherKey(each->place);
  });
}

// The request cannot be said in the words of an endpoint, which counts as one that is not there.
void Tries::OnUnsaid(Error error) {
  if (running_ > 0) return;
  AskNext(std::move(error));
}

void Tries::OnTimer(TimePoint now) {
  // Those that it makes are not due.
  const size_t due = tries_.size();
  for (size_t i = 0; i < due; ++i) tries_[i]->attempt->OnTimer(now);
  if (pause_ && now >= pause_->until) EndPause();
  if (now >= hedge_at_) Hedge();
}

TimePoint Tries::NextDeadline() const {
  TimePoint next = pause_ ? pause_->until : hedge_at_;
  for (const auto& each : tries_) next = std::min(next, each->attempt->NextDeadline());
  return next;
}

// All that ran have failed, `failed` the last of them.
void Tries::GoOn(const Try& failed, const FailedAttempt& judged) {
  const bool ends = won_ || reading_out_ || world_.clock->Now() >= until_;
  if (ends || !turns_.KeyHolds()) return owner_->OnOutOfTries(judged.error);
  for (const auto& each : tries_) {
    if (!std::exchange(each->may_repeat, false)) continue;
    if (auto turn = turns_.Again(each->place, each->key, false)) {
      return Send(std::move(*turn), true);
    }
  }
  hedge_at_ = TimePoint::Never();
  const Duration left = until_ - world_.clock->Now();
  if (!FitsWait({}, left)) return owner_->OnOutOfTries(WithSoonest(judged));
  Duration wait;
  std::optional<Turns::Turn> turn = turns_.OtherKey(failed.place, judged);
  if (!turn) {
    turn = turns_.Next();
    const int visits = turn ? turns_.VisitsTo(turn->place) : 0;
    if (visits > 0) wait = BackOff(visits, Random());
  }
  if (!turn && RepeatAlone(failed, judged)) return;
  if (!turn || !FitsWait(wait, left)) return owner_->OnOutOfTries(WithSoonest(judged));
  const Candidate& next = plan_.admission->route.candidates[turn->place];
  world_.stats->CountRetry(NameOf(ClassOf(judged)));
  if (&next != failed.candidate) {
    world_.stats->CountFallback(ProviderOf(*failed.candidate).id, ProviderOf(next).id,
                                judged.error.name());
  }
  if (wait.ns == 0) return Send(std::move(*turn), false);
  Pause pause;
  pause.turn = std::move(*turn);
  pause.otherwise = judged.error;
  GoOnLater(std::move(pause), wait);
}

// The only one that there is gets the request once more. False: it does not. A long body is not
// kept for it.
bool Tries::RepeatAlone(const Try& failed, const FailedAttempt& judged) {
  if (plan_.body->empty() || !turns_.MayRepeat(failed.place, judged)) return false;
  // What else has failed may have been done, and be charged for.
  if (!failed.attempt->refused_in_words()) return false;
  Error otherwise = WithSoonest(judged);
  const int64_t told = otherwise.retry_after_ms;
  const std::optional<Duration> wait =
      WaitAlone(told > 0 ? Duration::Milliseconds(told) : Duration{-1},
                turns_.VisitsTo(failed.place), until_ - world_.clock->Now(), Random());
  if (!wait) return false;
  Pause pause;
  pause.turn.place = failed.place;
  pause.again = true;
  pause.key = failed.key;
  pause.otherwise = std::move(otherwise);
  world_.stats->CountRetry(NameOf(ClassOf(judged)));
  GoOnLater(std::move(pause), *wait);
  return true;
}

void Tries::GoOnLater(Pause pause, Duration wait) {
  pause.until = world_.clock->Now() + wait;
  owner_->OnDeadline(pause.until);
  pause_ = std::move(pause);
}

void Tries::EndPause() {
  Pause pause = std::move(*pause_);
  pause_.reset();
  if (!turns_.KeyHolds()) return owner_->OnOutOfTries(std::move(pause.otherwise));
  if (pause.again) {
    std::optional<Turns::Turn> turn = turns_.Again(pause.turn.place, pause.key, true);
    if (!turn) return owner_->OnOutOfTries(std::move(pause.otherwise));
    pause.turn = std::move(*turn);
  }
  Send(std::move(pause.turn), false);
}

// With the earliest instant at which any candidate can be asked, where that is what passes.
Error Tries::WithSoonest(const FailedAttempt& judged) const {
  Error error = judged.error;
  const FailureClass failure = ClassOf(judged);
  if (failure != FailureClass::kRateLimited && failure != FailureClass::kOverloaded) return error;
  const int64_t soonest = turns_.SoonestMs();
  if (soonest > 0 && (error.retry_after_ms == 0 || soonest < error.retry_after_ms)) {
    error.retry_after_ms = soonest;
  }
  return error;
}

// Beside a stream that is slower than nearly all of its endpoint.
void Tries::ArmHedge() {
  if (world_.hedges == nullptr || world_.health == nullptr || running_ != 1) return;
  const Try& first = *current_;
  if (!first.attempt->transcoder().streams() || turns_.ChargesAnyway(first.place)) return;
  bool hedged = world_.hedges->enabled();
  if (world_.limiter != nullptr) {
    const LimitSubject who = SubjectOf(plan_.admission->key.get(), {});
    hedged = world_.limiter->HedgeOf(who).value_or(hedged);
  }
  if (!hedged) return;
  world_.hedges->NoteFirstCall();
  const TimePoint now = world_.clock->Now();
  const auto slow = world_.health->SlowAfter(first.candidate->endpoint->id, now);
  if (!slow) return;
  hedge_at_ = now + world_.hedges->DelayFor(*slow);
  owner_->OnDeadline(hedge_at_);
}

void Tries::Hedge() {
  hedge_at_ = TimePoint::Never();
  if (won_ || reading_out_ || running_ != 1 || plan_.body->empty()) return;
  if (!FitsWait({}, until_ - world_.clock->Now())) return;
  std::optional<Turns::Turn> turn;
  if (turns_.KeyHolds() && world_.hedges->Take()) {
    turn = turns_.Beside(current_->place);
    if (!turn) world_.hedges->GiveBack();
  }
  if (!turn) return world_.stats->CountHedge("skipped");
  Send(std::move(*turn), false);
  if (running_ < kMostAtOnce) return world_.hedges->GiveBack();  // it cannot be said there
  current_->hedge = true;
}

}  // namespace seekroute
