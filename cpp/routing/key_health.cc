#include "routing/key_health.h"

#include <algorithm>

namespace seekroute {
namespace {

constexpr Duration kBadKeyFirst = Duration::Seconds(600);
constexpr Duration kNoCreditFirst = Duration::Seconds(300);
constexpr Duration kCutPace = Duration::Seconds(1);

}  // namespace

bool KeyHealth::Use(uint64_t fingerprint) {
  if (fingerprint_ == fingerprint) return false;
  *this = KeyHealth();
  fingerprint_ = fingerprint;
  return true;
}

void KeyHealth::Reset() {
  const uint64_t fingerprint = fingerprint_;
  *this = KeyHealth();
  fingerprint_ = fingerprint;
}

KeyGate KeyHealth::Look(TimePoint now) const {
  if (trouble_ != KeyTrouble::kNone) {
    if (now < dead_until_) return {false, false, trouble_, dead_until_};
    const TimePoint given_up = probe_since_ + kLongestProbe;
    if (probe_ != 0 && now < given_up) {
      return {false, false, trouble_, std::min(given_up, now + Duration::Seconds(1))};
    }
    return {true, true, KeyTrouble::kNone, {}};
  }
  if (now < out_until_) return {false, false, KeyTrouble::kLimited, out_until_};
  return {};
}

KeyGate KeyHealth::Ask(uint64_t attempt, TimePoint now) {
  const KeyGate gate = Look(now);
  if (gate.probe) {
    probe_ = attempt;
    probe_since_ = now;
  }
  return gate;
}

void KeyHealth::Release(uint64_t attempt) {
  if (probe_ == attempt) probe_ = 0;
}

void KeyHealth::Worked(uint64_t attempt) {
  forbidden_ = {};
  was_forbidden_ = false;
  // An answer to what was sent before it died says nothing of it now.
  if (trouble_ != KeyTrouble::kNone && probe_ != attempt) return;
  Release(attempt);
  trouble_ = KeyTrouble::kNone;
  wait_ = {};
}

void KeyHealth::Die(uint64_t attempt, KeyTrouble why, TimePoint now) {
  const bool probed = probe_ != 0 && probe_ == attempt;
  Release(attempt);
  if (trouble_ != KeyTrouble::kNone && !probed) return;  // of those that were on their way
  const Duration first = why == KeyTrouble::kNoCredit ? kNoCreditFirst : kBadKeyFirst;
  wait_ = wait_.ns > 0 ? std::min(Duration{wait_.ns * 2}, kLongestDead) : first;
  trouble_ = why;
  dead_until_ = now + wait_;
}

bool KeyHealth::Forbid(uint64_t attempt, uint64_t endpoint, TimePoint now) {
  was_forbidden_ = true;
  const auto stale = [&](const Refused& each) {
    return each.endpoint == 0 || each.endpoint == endpoint || now - each.at > kForbiddenWithin;
  };
  const auto place = std::ranges::find_if(forbidden_, stale);
  // Of more endpoints than are looked for, the oldest gives way.
  *(place != forbidden_.end() ? place : std::ranges::min_element(forbidden_, {}, &Refused::at)) = {
      endpoint, now};
  const bool everywhere = std::ranges::none_of(forbidden_, [&](const Refused& each) {
    return each.endpoint == 0 || now - each.at > kForbiddenWithin;
  });
  if (everywhere) Die(attempt, KeyTrouble::kForbidden, now);
  Release(attempt);
  return everywhere;
}

void KeyHealth::Limit(uint64_t endpoint, TimePoint until, TimePoint now) {
  const bool another = limited_.endpoint != 0 && limited_.endpoint != endpoint;
  if (another && now - limited_.at <= kSharedWithin) out_until_ = std::max(out_until_, until);
  limited_ = {endpoint, now};
}

KeyHealth::Kept KeyHealth::Keep(TimePoint now) const {
  Kept kept{.trouble = trouble_, .dead_for = {}, .wait = wait_, .out_for = {}};
  if (trouble_ != KeyTrouble::kNone) kept.dead_for = std::max(dead_until_ - now, Duration{1});
  if (now < out_until_) kept.out_for = out_until_ - now;
  return kept;
}

void KeyHealth::Restore(const Kept& kept, TimePoint now) {
  if (kept.trouble != KeyTrouble::kNone) {
    trouble_ = kept.trouble;
    wait_ = std::clamp(kept.wait, kNoCreditFirst, kLongestDead);
    dead_until_ = now + std::min(kept.dead_for, wait_);
  }
  if (kept.out_for.ns > 0) out_until_ = now + std::min(kept.out_for, kLongestDead);
}

void PairHealth::OutFor(KeyTrouble why, Duration span, TimePoint now) {
  why_ = why;
  out_until_ = std::max(out_until_, now + span);
}

TimePoint PairHealth::Limit(Duration retry_after, int in_flight, uint64_t random, TimePoint now) {
  Duration pause = retry_after;
  if (pause.ns <= 0) {
    const int64_t most =
        std::min(kFirstPause.ns << std::min(run_, kMostRun), kLongestPause.ns) / 1'000'000;
    const auto drawn = static_cast<int64_t>(static_cast<uint64_t>(most) * (random >> 32) >> 32);
    pause = Duration::Milliseconds(std::max<int64_t>(drawn, 1));
  }
  run_ = std::min(run_ + 1, kMostRun);
  OutFor(KeyTrouble::kLimited, pause, now);
  if (cap_ == 0 || now - cut_at_ >= kCutPace) {
    cap_ = std::max(1, in_flight * 7 / 10);
    worked_ = 0;
    cut_at_ = now;
  }
  return out_until_;
}

bool PairHealth::Believes(KeyTrouble why, const Sent& sent) {
  if (doubted_ != why) {
    doubted_ = why;
    believed_ = false;
    first_refused_ = sent;
    return false;
  }
  const bool known = sent.body != 0 && first_refused_.body != 0;
  const bool another = !known || sent.body != first_refused_.body;
  const bool any_owner = answered_ == 0 || answered_ == first_refused_.owner;
  believed_ = believed_ || (another && (any_owner || sent.owner != first_refused_.owner));
  return believed_;
}

void PairHealth::Worked(TimePoint now, const Sent& sent) {
  doubted_ = KeyTrouble::kNone;
  answered_ = sent.owner;
  run_ = 0;
  if (cap_ == 0) return;
  if (now - cut_at_ >= kCapForgotten) {
    cap_ = 0;
  } else if (++worked_ >= cap_) {
    ++cap_;
    worked_ = 0;
  }
}

KeyGate PairHealth::Look(int in_flight, TimePoint now, const TokensNeeded& needed) const {
  const TimePoint room_at = headroom_.RoomAt(needed, now);
  if (now < out_until_ && room_at <= out_until_) return {false, false, why_, out_until_};
  if (now < room_at) return {false, false, KeyTrouble::kLimited, room_at};
  const bool full = cap_ > 0 && in_flight >= cap_ && now - cut_at_ < kCapForgotten;
  // Somebody may be done at any moment.
  if (full) return {false, false, KeyTrouble::kLimited, now + Duration::Seconds(1)};
  return {};
}

PairHealth::Kept PairHealth::Keep(TimePoint now) const {
  Kept kept;
  kept.run = run_;
  // Of what was told of its limits, only that nothing is left: the next answer tells the rest.
  const KeyGate gate = Look(0, now);
  if (!gate.open) {
    kept.why = gate.why;
    kept.out_for = std::min(gate.retry_at - now, kLongestOut);
  }
  if (cap_ > 0 && now - cut_at_ < kCapForgotten) {
    kept.cap = cap_;
    kept.worked = worked_;
    kept.cut_since = std::max(now - cut_at_, Duration{});
  }
  return kept;
}

void PairHealth::Restore(const Kept& kept, TimePoint now) {
  run_ = std::clamp(kept.run, 0, kMostRun);
  if (kept.out_for.ns > 0) OutFor(kept.why, std::min(kept.out_for, kLongestOut), now);
  if (kept.cap <= 0 || kept.cut_since >= kCapForgotten) return;
  cap_ = kept.cap;
  worked_ = kept.worked;
  cut_at_ = {now.ns - kept.cut_since.ns};
}

}  // namespace seekroute
