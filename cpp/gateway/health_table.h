// How all endpoints and provider keys have been doing: asked before each attempt, told after it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"
#include "gateway/health_row.h"
#include "gateway/options.h"
#include "gateway/snapshot.h"
#include "routing/attempt_verdict.h"
#include "routing/endpoint_health.h"
#include "routing/health_view.h"
#include "routing/key_health.h"
#include "routing/routing_state.h"

namespace seekroute {

// Why a candidate is passed over when its turn comes.
enum class Skip : uint8_t {
  kNone,
  kTried,        // with each key
  kDeadKey,      // none of its provider's works
  kEjected,      // it failed just now
  kOutUntil,     // it, or the key's pace there, is to be left alone
  kLimited,      // likewise, for the pace alone
  kAtRate,       // a rate that is set for it, or for the key, is used up
  kFull,         // as many run there as may at once
  kOverLimit,    // its limits never give as many tokens at once as the prompt takes
  kModelLimit,   // the client's limits for its model are used up
  kBudget,       // what is held of the client's money does not pay for it
  kRetryBudget,  // too much of its provider's work is done again already
  kAttemptCap,   // the request has made as many calls as one may
  kGone,         // the newest snapshot has not its provider any more, or none of the keys
};
std::string_view NameOf(Skip skip);
// The same in words, behind the number of those that are passed over for it.
std::string_view SentenceOf(Skip skip);

class HealthTable;
struct EndpointEntry;
struct ProviderEntry;

// Leave to make one attempt, and the place to tell its end. Move-only; a Permit that goes away says
// nothing of the endpoint, but frees what it had claimed. Must not outlive its table.
class Permit {
 public:
  Permit() = default;
  Permit(Permit&& other) noexcept { *this = std::move(other); }
  Permit& operator=(Permit&& other) noexcept;
  ~Permit() { Release(); }

  size_t key() const { return key_; }      // its place among the provider's
  bool claims() const { return claims_; }  // it is a probe, or a last resort
  bool valid() const { return table_ != nullptr; }
  // What the key is by now, and the attempt is made with; null: the provider's is not known, what
  // the asker has for it will do. May point into the snapshot of the question, which is not owned.
  const std::shared_ptr<const Secret>& secret() const { return secret_; }
  void Release();

 private:
  friend class HealthTable;
  HealthTable* table_ = nullptr;
  EndpointEntry* endpoint_ = nullptr;
  ProviderEntry* provider_ = nullptr;
  uint64_t attempt_ = 0;
  std::shared_ptr<const Secret> secret_;
  uint8_t key_ = 0;
  uint8_t slot_ = 0;  // of the key in the provider's entry
  bool claims_ = false;
  bool repeats_ = false;
};

// What is asked of a candidate whose turn has come.
struct HealthQuestion {
  const Provider* provider = nullptr;  // of any snapshot; the newest one's secrets are used
  const Endpoint* endpoint = nullptr;
  uint64_t owner = 0;       // of the request: whose requests keep to one key as long as it works
  uint32_t tried_keys = 0;  // of the provider at this endpoint, a bit each
  bool repeats = false;     // the request has been at this provider before
  // Also where it is ejected, as too many others are, paced by us, or thought to have too few
  // tokens left.
  bool last_resort = false;
  TokensNeeded needed = {};  // as far as it is known
};

struct HealthAnswer {
  Skip skip = Skip::kNone;  // kNone: `permit` is valid
  TimePoint retry_at;       // else: when it may be asked at the earliest
  Permit permit;
};

// Lives over snapshots: an entry of an endpoint that has gone is kept for an hour, and begins anew
// when it is back later. Bounded: endpoints beyond kMost are asked as if nothing were known of
// them, as are those without an id. Thread-safe: a lock an entry, never two at once; whoever
// is well is asked and read without one.
class HealthTable : public HealthReader {
 public:
  static constexpr size_t kMost = 4096;  // endpoints, and providers
  static constexpr Duration kKeptFor = Duration::Seconds(3600);

  HealthTable(const HealthRules& rules, const RetryBudget& budget);
  ~HealthTable() override;
  HealthTable(const HealthTable&) = delete;
  HealthTable& operator=(const HealthTable&) = delete;

  // False: what is told is only counted and measured; Ask() lets everybody be asked, with the first
  // of its provider's keys that was not tried.
  bool leaves_out() const { return rules_.leave_out; }

  // What there is to be asked, and with which secrets: no attempt is let in any more with a key, or
  // at a provider, that is not there. To be called before requests are answered by `snapshot`.
  void Learn(const Snapshot& snapshot, TimePoint now);

  // Claims what there is to claim: a probe, a place among those that run.
  HealthAnswer Ask(const HealthQuestion& question, TimePoint now);
  // Why it would not be let, and until when; nothing is claimed.
  HealthAnswer Look(const HealthQuestion& question, TimePoint now) const;

  // The end of an attempt. `random`: any bits. Why its endpoint was ejected, if it was. What may be
  // of the one request is believed as PairHealth::Believes() has it.
  EjectedFor Report(Permit permit, const AttemptVerdict& verdict, const Sent& sent,
                    const Measured& measured, uint64_t random, TimePoint now);

  // The provider has told what its limits leave to who has that permit, which has not ended.
  void Tell(const Permit& permit, const ToldLimits& told, TimePoint now);

  HealthView ViewOf(uint64_t endpoint_id, TimePoint now) const override;

  // Of its streams of half an hour one of twenty had its first content later. Nothing: there were
  // fewer than a hundred.
  std::optional<Duration> SlowAfter(uint64_t endpoint_id, TimePoint now) const;

  // Of every endpoint and key that the last snapshot has.
  std::vector<HealthRow> Rows(TimePoint now) const;
  // Makes what has that name (an endpoint's "provider/model" or tag, a key's "provider#id", a
  // provider's id: all of it) as if it had never failed. How many it were.
  size_t Reset(std::string_view name, TimePoint now);

  // What outlives a restart, but for the time of day: of whatever the last snapshot has, or had
  // less than an hour ago.
  RoutingState Keep(TimePoint now) const;
  // To be called once, before the first Learn(). A key is as it was left where its secret is the
  // same. What a table of this size has no place for is left out.
  void Restore(const RoutingState& state, TimePoint now);
  // Changes whenever Keep() would tell anything new, but for the time that passes.
  uint64_t revision() const { return revision_.load(std::memory_order_relaxed); }

 private:
  friend class Permit;
  template <typename Entry>
  class Index;
  struct KeyChoice;

  bool IsLastResort(EndpointEntry* entry, TimePoint now) const;
  HealthAnswer LetIn(const HealthQuestion& question, uint64_t attempt, EndpointEntry* endpoint,
                     ProviderEntry* provider) const;
  void Fill(const HealthQuestion& question, uint64_t attempt, const KeyChoice& key,
            EndpointEntry* endpoint, ProviderEntry* provider, Permit* permit) const;
  static bool IsOutdated(const Permit& permit);
  std::string_view WordOfDeadKeys(EndpointEntry* entry, TimePoint now) const;
  HealthAnswer Pick(const HealthQuestion& question, uint64_t attempt, TimePoint now) const;
  static double ScoreOf(const HealthQuestion& question, size_t key, uint64_t key_id);
  KeyChoice ChooseKey(const HealthQuestion& question, EndpointEntry* endpoint,
                      ProviderEntry* provider, TimePoint now) const;
  void JudgeRate(EndpointEntry* entry, uint64_t random, TimePoint now);
  void TellKey(const Permit& permit, const AttemptVerdict& verdict, TimePoint limited_until,
               TimePoint now);
  ProviderEntry* LearnProvider(const Provider& provider);

  const HealthRules rules_;
  const RetryBudget budget_;
  std::atomic<uint64_t> attempts_{0};
  std::atomic<uint64_t> revision_{0};
  const std::unique_ptr<Index<EndpointEntry>> endpoints_;
  const std::unique_ptr<Index<ProviderEntry>> providers_;
  mutable Mutex learning_;  // who writes the two, or goes through all of them
};

}  // namespace seekroute
