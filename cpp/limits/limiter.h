// Who may send a request now, by all limits that it falls under at once.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/mutex.h"
#include "limits/limit_answer.h"
#include "limits/limit_set.h"
#include "limits/limit_state.h"
#include "limits/limit_subject.h"
#include "limits/limit_waiter.h"
#include "limits/meter.h"
#include "limits/reservation.h"

namespace seekroute {

class LimitQueue;
class LimitWakes;
struct LimitQueues;

// Of all engines of a gateway, which has one for those who ask and one for those who are asked.
// Thread-safe: the limits of a key and of its organization have one
// lock, those of others (apps too, which are set without their organization) share another, which
// is taken after it; nothing is called under either. Limits of a key are made when it first sends a
// request, and dropped when nothing is left of what it used, so those that rest take no memory.
class Limiter {
 public:
  struct Answer {
    std::optional<LimitRefusal> refusal;
    Reservation reservation;  // of one that is not refused, but for...
    Reservation of_model;     // ...what it takes of the limits of its model
    LimitsLeft left;          // of Reserve(): after it was taken, or refused
    // Of Reserve() with a waiter. Not refused, but it waits now: to be tried again when it is
    // woken, and at `again`; not later than `until`, when it is refused.
    bool waits = false;
    TimePoint again = TimePoint::Never();
    TimePoint until;
  };
  struct Figures {
    std::array<std::array<uint64_t, kLimitDimensions>, kLimitScopes> refused{};
    uint64_t forgiven = 0;  // tokens beyond the debt that a limit remembers
    uint64_t leaks = 0;     // requests that a census found counted and not running; must be 0
    int64_t waiting = 0;    // requests in queues
  };

  explicit Limiter(const QueueBounds& queue = {});
  ~Limiter();
  Limiter(const Limiter&) = delete;
  Limiter& operator=(const Limiter&) = delete;

  // The limits of whoever is no key, from now on; null: none. What was used stays used. Requests
  // that run already count where there were limits before. `id` is empty for kGateway.
  void Set(LimitScope scope, std::string_view id, std::shared_ptr<const LimitSet> limits,
           const LimitTime& time);

  // Takes of every limit, or of none. Time that goes back is taken for a clock that was put back.
  // Nobody overtakes those that wait for one of them; but what is everybody's, organizations take
  // in turns, and who comes may have its turn before them.
  //
  // With a waiter, one that would be refused waits, where slots are full or the wait is within its
  // patience, in the queue of the limit that refuses it; each time with the same waiter and
  // patience. Once it does not wait any more it has left every queue.
  Answer Reserve(const LimitSubject& who, const LimitCost& cost, const LimitTime& time,
                 LimitWaiter* waiter = nullptr, const LimitPatience& patience = {});
  // Of those of the model alone, of all or of none: another one is to answer.
  Answer ReserveModel(const LimitSubject& who, const LimitCost& cost, const LimitTime& time);
  // Of all that an attempt falls under, or of none.
  Answer ReserveUpstream(const UpstreamSubject& whom, const LimitCost& cost, const LimitTime& time);
  // Why that would be refused; takes nothing.
  std::optional<LimitRefusal> JudgeUpstream(const UpstreamSubject& whom, const LimitCost& cost,
                                            const LimitTime& time);

  // Why Reserve(), and ReserveModel(), would refuse it now; nothing: they would not, or it would
  // wait for its turn, where not too many do. Takes nothing, and is not counted.
  std::optional<LimitRefusal> Judge(const LimitSubject& who, const LimitCost& cost,
                                    const LimitTime& time, const LimitPatience& patience = {});
  std::optional<LimitRefusal> JudgeModel(const LimitSubject& who, const LimitCost& cost,
                                         const LimitTime& time);

  // Where the requests of a minute of the key alone refuse it for longer than it would wait: the
  // longest refusal that is known before its body is. Takes nothing.
  std::optional<LimitRefusal> Peek(const LimitSubject& who, const LimitTime& time,
                                   const LimitPatience& patience = {});

  // Whether its slow streams are hedged, by its key, else by its organization; nothing: neither
  // says it.
  std::optional<bool> HedgeOf(const LimitSubject& who);

  // What is left now; takes nothing.
  LimitsLeft Look(const LimitSubject& who, const LimitTime& time);

  // Nothing limits it. Costs a load where no limits are set at all.
  bool IsFree(const LimitSubject& who) const {
    return who.key_limits == nullptr && who.key_model_limits == nullptr && AllAreFree();
  }
  // But for keys.
  bool AllAreFree() const { return set_.load(std::memory_order_relaxed) == 0; }
  // Some limit that it falls under may count tokens: `tokens` are to be known.
  bool MayCountTokens(const LimitSubject& who) const {
    return (who.key_limits != nullptr && who.key_limits->counts_tokens()) ||
           (who.key_model_limits != nullptr && who.key_model_limits->counts_tokens()) ||
           SomeCountTokens();
  }
  bool SomeCountTokens() const { return token_sets_.load(std::memory_order_relaxed) > 0; }

  // What a key, an app or an organization has used today at least, by other books. `org` is the
  // key's, or the organization itself. Of an app or an organization without limits: nothing.
  void RaiseToday(LimitScope scope, std::string_view org, std::string_view id, int64_t requests,
                  int64_t tokens, const LimitTime& time);

  // What outlives a restart. Linear in what is in use; each lock is held for its part of it.
  LimitState Keep(const LimitTime& time);
  // Into one that nobody has asked. Once.
  void Restore(const LimitState& state, const LimitTime& time);
  // Changes whenever Keep() would tell anything new, but for the time that passes.
  uint64_t revision();

  // Compares what runs with what is counted as running; mends a difference, and counts it.
  void Census();
  Figures figures() const;
  size_t keys();  // whose use is remembered
  // Requests that hold a slot of the holder. For tests.
  int64_t running(LimitScope scope, std::string_view org, std::string_view id);

 private:
  friend class Reservation;
  friend class LimitWaiter;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Holder {
    Meter meter;
    std::shared_ptr<const LimitSet> limits;  // of whoever is no key
    uint64_t next_version = 0;               // of the limits of a key; 0: it has none yet
    int64_t counted = 0;                     // by a census
    std::unique_ptr<LimitQueues> queues;     // null: nobody waits
  };
  using Holders = std::unordered_map<std::string, Holder, Hash, std::equal_to<>>;
  struct Part;
  struct Domain;
  struct Pick;

  static constexpr size_t kShards = 64;

  Domain& ShardOf(std::string_view org);
  Domain& DomainOf(LimitScope scope, std::string_view org);  // `org`: of one that has any
  // Does it with all that `who` falls under, under their locks.
  template <typename What>
  // `share`: those of its shared domain are locked also where there are no limits.
  auto With(const LimitSubject& who, const LimitTime& time, bool share, LimitWakes* wakes,
            What what);
  template <typename What>
  auto WithUpstream(const UpstreamSubject& whom, const LimitTime& time, What what);
  static std::optional<LimitRefusal> JudgeOf(const LimitCost& cost, const LimitWaiter* waiter,
                                             const Pick& pick);
  Answer ReserveOf(const LimitCost& cost, Pick* pick);
  Reservation TakeOf(const LimitCost& cost, bool of_model, Pick* pick);
  bool Join(const LimitCost& cost, const LimitRefusal& refusal, LimitWaiter* waiter, Pick* pick,
            LimitWakes* wakes);
  static void PassBy(const LimitCost& cost, const LimitQueue* served, const Pick& pick,
                     LimitWakes* wakes);
  static void Unqueue(LimitWaiter::Place* place, bool served, LimitWakes* wakes);
  void Drop(LimitWaiter::Place* place, bool served, LimitWakes* wakes);
  void Count(const LimitRefusal& refusal);
  void SettleIn(Reservation::Body* body, Domain* domain, const TokensUsed& used,
                const LimitTime& time);
  void EndIn(Reservation::Body* body, Domain* domain);

  std::unique_ptr<Domain[]> shards_;
  std::unique_ptr<Domain> shared_;
  // How many of others than keys are limited; of those in shared_; that count tokens.
  std::atomic<int64_t> set_{0}, shared_sets_{0}, token_sets_{0};
  std::array<std::array<std::atomic<uint64_t>, kLimitDimensions>, kLimitScopes> refused_{};
  std::atomic<uint64_t> forgiven_{0}, leaks_{0};

  const QueueBounds queue_;
  std::atomic<uint64_t> tickets_{0};
  std::atomic<int64_t> waiting_{0}, waiting_bytes_{0};
};

}  // namespace seekroute
