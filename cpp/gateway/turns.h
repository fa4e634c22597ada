// Whose turn it is: what the rules of a route, its money and what is alive leave of its candidates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/admission.h"
#include "gateway/exchange_world.h"
#include "gateway/gate.h"
#include "gateway/health_table.h"
#include "gateway/purse.h"
#include "gateway/upstream_gate.h"
#include "routing/succession.h"

namespace seekroute {

// Of one request. Places are those of the route's candidates. Engine thread only.
class Turns {
 public:
  // Nothing is owned, and all of it outlives this.
  Turns(const Admission* admission, const Snapshot* snapshot, const Purse* purse, Gate* gate,
        const ExchangeWorld* world);

  // The route is known.
  void Open();

  struct Turn {
    size_t place = 0;
    Permit permit;                 // invalid where nothing is kept of the endpoint
    Reservation reservation = {};  // of the limits of whom it asks
  };
  // The next candidate that may be asked now: it is passed. Those that would not be let are passed
  // over, until the next call. Nothing: there is none.
  std::optional<Turn> Next();
  // The same candidate with another of its provider's keys, after a failure that lets it be asked
  // so.
  std::optional<Turn> OtherKey(size_t place, const FailedAttempt& failed);
  // The same with the same key. `repeats`: it is work that the provider does once more, and not a
  // request that it had refused for the gateway's own doing.
  std::optional<Turn> Again(size_t place, size_t key, bool repeats);

  // A candidate that may be asked beside the one that runs at `place`, because that is slow: at
  // another provider, of the same model, not much dearer, and well. It is passed.
  std::optional<Turn> Beside(size_t place);
  // The provider of the candidate charges for an answer that it is told to stop.
  bool ChargesAnyway(size_t place) const;

  // Nobody else has been asked, or can be, and after that failure the same endpoint may be asked
  // once more with its key.
  bool MayRepeat(size_t place, const FailedAttempt& failed) const;
  // Attempts of the request at the provider of that candidate.
  int VisitsTo(size_t place) const;

  // The key of the request may still ask: it was not revoked, disabled or deleted meanwhile, and
  // has not expired.
  bool KeyHolds() const;

  // An attempt begins; the first of those that run together, or beside others.
  void Begin(size_t place, size_t key, bool anew);
  // It was one that does not count: what runs together begins anew all the same.
  void BeginAnew() { succession_->BeginAnew(); }
  void Failed(size_t place, const FailedAttempt& failed) { succession_->Failed(place, failed); }

  // The first that the rules and the money let be asked, alive or not; the route's size: none.
  size_t FirstPlace() const;
  bool AnyLeft() const { return FirstPlace() < candidates().size(); }
  // The candidate of an attempt could be asked once more, with another key.
  bool HasOtherKey(size_t place) const;

  // Why each candidate was passed over at its turn, the first time; empty: nobody was.
  const std::vector<Skip>& skipped() const { return skipped_; }

  // Why nobody is asked: all that there are were passed over by the last Next().
  Error NobodyToAsk() const;
  // In milliseconds, the earliest instant from now at which a candidate can be asked that is out of
  // service, or has not been asked; 0: no such instant is known.
  int64_t SoonestMs() const;

 private:
  struct Passed {
    size_t place;
    Skip skip;
    TimePoint retry_at;
  };
  struct Made {
    size_t place;
    size_t key;
  };

  static std::string Reasons(const std::vector<Passed>& passed);
  Error TooLargeForAll() const;
  const std::vector<Candidate>& candidates() const { return admission_->route.candidates; }
  HealthQuestion QuestionOf(size_t place) const;
  HealthAnswer AskHealth(const HealthQuestion& question) const;
  HealthAnswer YieldAt(const Endpoint& endpoint) const;
  HealthAnswer Ask(size_t place, HealthQuestion question, Reservation* reservation) const;
  TimePoint SoonestAt(size_t place, HealthQuestion question, bool asked, TimePoint now) const;
  const Provider& ProviderAt(size_t place) const;
  void NoteSkip(size_t place, Skip skip);
  void NoteUnasked();

  const Admission* const admission_;
  const Snapshot* const snapshot_;
  const Purse* const purse_;
  Gate* const gate_;
  const ExchangeWorld* const world_;
  const UpstreamGate upstream_;
  std::optional<Succession> succession_;
  std::vector<Made> made_;      // RetryPolicy::max_attempts at most
  std::vector<Passed> passed_;  // by the last Next(); candidates at most
  std::vector<Skip> skipped_;   // by place
};

}  // namespace seekroute
