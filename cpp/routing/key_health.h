// How a provider's key has been doing, by itself and at one endpoint. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "routing/headroom.h"

namespace seekroute {

// Why a key is not used.
enum class KeyTrouble : uint8_t { kNone, kBadKey, kNoCredit, kForbidden, kNoModel, kLimited };

// What a refusal was said to: a hash of the request's body, and whose it is; 0: unknown.
struct Sent {
  uint64_t body = 0;
  uint64_t owner = 0;
};

struct KeyGate {
  bool open = true;
  bool probe = false;  // by this one attempt, which has claimed it
  KeyTrouble why = KeyTrouble::kNone;
  TimePoint retry_at;  // not open: when it may be used at the earliest
};

// Of all endpoints of its provider. Not thread-safe.
class KeyHealth {
 public:
  static constexpr Duration kLongestProbe = Duration::Seconds(60);
  static constexpr Duration kLongestDead = Duration::Seconds(3600);
  // Refusals of so many endpoints, with no answer between them, are the key's own.
  static constexpr size_t kForbiddenAt = 3;
  static constexpr Duration kForbiddenWithin = Duration::Seconds(600);
  // Two endpoints that are refused for their pace within it share a quota.
  static constexpr Duration kSharedWithin = Duration::Seconds(10);

  // Its secret is the one with that fingerprint. One that is new is alive, whatever the last was.
  // True: it is new.
  bool Use(uint64_t fingerprint);
  uint64_t fingerprint() const { return fingerprint_; }

  // For attempt `attempt`, not 0.
  KeyGate Ask(uint64_t attempt, TimePoint now);
  KeyGate Look(TimePoint now) const;
  void Release(uint64_t attempt);

  void Worked(uint64_t attempt);
  void Die(uint64_t attempt, KeyTrouble why, TimePoint now);
  // At `endpoint` it may not. True: it may nowhere.
  bool Forbid(uint64_t attempt, uint64_t endpoint, TimePoint now);
  // At `endpoint` it is too quick, until then. Elsewhere as well, where that happens at two.
  void Limit(uint64_t endpoint, TimePoint until, TimePoint now);

  KeyTrouble trouble() const { return trouble_; }
  // There is nothing to be known of it, and nothing to be forgotten.
  bool plain(TimePoint now) const {
    return trouble_ == KeyTrouble::kNone && now >= out_until_ && !was_forbidden_;
  }
  void Reset();

  struct Kept {
    KeyTrouble trouble = KeyTrouble::kNone;
    Duration dead_for;
    Duration wait;
    Duration out_for;
    friend bool operator==(const Kept&, const Kept&) = default;
    bool empty() const { return *this == Kept(); }
  };
  Kept Keep(TimePoint now) const;
  void Restore(const Kept& kept, TimePoint now);

 private:
  struct Refused {
    uint64_t endpoint = 0;
    TimePoint at;
  };

  uint64_t fingerprint_ = 0;
  KeyTrouble trouble_ = KeyTrouble::kNone;  // of a dead one
  TimePoint dead_until_;
  Duration wait_;  // that its last death lasts
  uint64_t probe_ = 0;
  TimePoint probe_since_;
  TimePoint out_until_;
  Refused limited_;
  std::array<Refused, kForbiddenAt> forbidden_ = {};
  bool was_forbidden_ = false;  // since it last worked
};

// Of a key at one endpoint. Not thread-safe.
class PairHealth {
 public:
  static constexpr Duration kForbiddenFor = Duration::Seconds(300);
  static constexpr Duration kNoModelFor = Duration::Seconds(600);
  static constexpr Duration kFirstPause = Duration::Seconds(1);
  static constexpr Duration kLongestPause = Duration::Seconds(60);
  static constexpr Duration kCapForgotten = Duration::Seconds(600);
  static constexpr Duration kLongestOut = Duration::Seconds(86'400);  // that is kept
  static constexpr int kMostRun = 6;

  // Refused for its pace, with `in_flight` attempts running, this one included. Until when it is
  // out: as the provider says, or a pause that doubles, drawn by `random` from all of it.
  TimePoint Limit(Duration retry_after, int in_flight, uint64_t random, TimePoint now);
  void Forbid(TimePoint now) { OutFor(KeyTrouble::kForbidden, kForbiddenFor, now); }
  void NoModel(TimePoint now) { OutFor(KeyTrouble::kNoModel, kNoModelFor, now); }
  void Worked(TimePoint now, const Sent& sent = {});

  // A refusal that may be of the one request: it is to be believed, once another body has got the
  // same with no answer between, and until there is one. Where the last answer was another owner's,
  // that body has to be of another owner, too: the requests of one put nobody else out.
  bool Believes(KeyTrouble why, const Sent& sent);
  // The provider has told what its limits leave.
  void Tell(const ToldLimits& told, TimePoint now) { headroom_.Tell(told, now); }

  // `needed`: by the ask; by default as little as any takes.
  KeyGate Look(int in_flight, TimePoint now, const TokensNeeded& needed = {}) const;
  bool plain(TimePoint now) const { return now >= out_until_ && cap_ == 0 && headroom_.ample(now); }
  const Headroom& headroom() const { return headroom_; }
  int cap() const { return cap_; }  // attempts at once, as they turned out to be taken; 0: none
  void Reset() { *this = PairHealth(); }

  // What outlives a restart. Spans are from the moment of Keep(), or until it.
  struct Kept {
    KeyTrouble why = KeyTrouble::kNone;
    Duration out_for;
    int run = 0;
    int cap = 0;
    int worked = 0;
    Duration cut_since;  // with a cap
    friend bool operator==(const Kept&, const Kept&) = default;
    bool empty() const { return *this == Kept(); }
  };
  Kept Keep(TimePoint now) const;
  void Restore(const Kept& kept, TimePoint now);

 private:
  void OutFor(KeyTrouble why, Duration span, TimePoint now);

  KeyTrouble why_ = KeyTrouble::kNone;
  TimePoint out_until_;
  // Since the last answer, which was to that owner.
  KeyTrouble doubted_ = KeyTrouble::kNone;
  bool believed_ = false;
  Sent first_refused_;
  uint64_t answered_ = 0;
  int run_ = 0;  // refusals since the last answer
  int cap_ = 0;
  int worked_ = 0;  // since the cap was set or raised
  TimePoint cut_at_;
  Headroom headroom_;
};

}  // namespace seekroute
