// The attempts of one request: which run, which won, and what they cost.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/admission.h"
#include "gateway/attempt.h"
#include "gateway/exchange_world.h"
#include "gateway/purse.h"
#include "gateway/turns.h"
#include "store/store.h"
#include "wire/transcoder.h"

namespace seekroute {

// What the exchange hears of its tries. Exactly one of OnAnswered() and OnOutOfTries(), once, and
// nothing but OnQuiet() after Abandon().
class TriesOwner {
 public:
  virtual ~TriesOwner() = default;
  // Bytes for the client, of the winner.
  virtual Flow OnContent(std::string_view bytes) = 0;
  // The winner's answer is complete.
  virtual void OnAnswered() = 0;
  // All failed that could be asked: the last one so.
  virtual void OnOutOfTries(Error error) = 0;
  // NextDeadline() has become `at`, which may be near. May not end the tries.
  virtual void OnDeadline(TimePoint at) = 0;
  // The request's body is in memory no more. May not end the tries.
  virtual void OnBodyGone() = 0;
  // quiet() has become true.
  virtual void OnQuiet() = 0;
};

// What the tries are made of. Nothing is owned, and all of it outlives them.
struct TriesPlan {
  const Admission* admission = nullptr;
  const Snapshot* snapshot = nullptr;
  const Purse* purse = nullptr;  // asked for what upstreams are told alone
  std::string* body = nullptr;   // emptied when nobody can need a large one any more
  Origin origin = Origin::kServer;
  Gate* gate = nullptr;  // asked to let another model answer; null: any may
};

// The winner is the first whose bytes for the client, or whole answer, come: the others are
// abandoned, and from then on it runs alone. Until then a try that fails may be followed by the
// next candidate of the route. Engine thread only.
class Tries : private AttemptOwner {
 public:
  // Two may run at once.
  static constexpr size_t kMostAtOnce = 2;

  Tries(const TriesPlan& plan, const ExchangeWorld& world, TriesOwner* owner);
  ~Tries() override;
  Tries(const Tries&) = delete;
  Tries& operator=(const Tries&) = delete;

  // Asks the first candidate. `names`: what an answer is called, but for its model; `created`: when
  // the request was admitted; `until`: its end at the latest; `hurried`: its client has set that.
  void Start(AnswerNames names, UnixSeconds created, TimePoint until, bool hurried);

  // After Start(): asks the next candidate beside the one that runs; what runs together has failed
  // when all of it has. False: nobody can be asked, as many run as may, or somebody has won.
  bool StartAnother();

  // The client has taken what was waiting for it.
  void Resume();

  // Ends an answer of which nothing but the mark of its end is missing as if that had come:
  // OnAnswered(). False, and nothing is done: it is not so far.
  bool EndWhole();

  // Ends all of them; what they may have cost is booked.
  void Abandon();

  // The client has left. True: the answer is read on for its usage, as its provider charges for all
  // of it anyway, and a slot is taken; nobody else is asked any more.
  bool ReadOut();

  void OnTimer(TimePoint now);
  TimePoint NextDeadline() const;

  // The try whose answer is, or would be, the request's: the winner, else the last one that was
  // made and runs, or ran. Null: none was. Kept until this is destroyed.
  const Attempt* current() const { return current_ != nullptr ? current_->attempt.get() : nullptr; }
  Transcoder* transcoder() const { return current_ ? &current_->attempt->transcoder() : nullptr; }
  // The candidate of that try; before there is one, the one that is asked first.
  const Candidate& candidate() const;
  bool won() const { return won_; }  // somebody's bytes are for the client
  bool running() const { return running_ > 0; }
  // The winner was asked beside a slow one, which did not fail.
  bool won_beside() const;

  // Of those that have ended, in the order in which they did.
  std::span<const AttemptRecord> records() const { return records_; }
  int sent() const { return sent_; }
  size_t selected() const;  // the place of candidate(), from 1; 0: none was asked
  Duration waited() const;  // for upstreams, over all tries; once where two run
  bool quiet() const;       // no transfer runs any more

  // Why each candidate of the route was passed over at its turn; empty: nobody was.
  const std::vector<Skip>& skipped() const { return turns_.skipped(); }

  // How long the prompt is: as it was read, or as it is estimated where nobody needed that before.
  TokenEstimate Prompt() const;

 private:
  struct Try {
    std::unique_ptr<Attempt> attempt;
    const Candidate* candidate = nullptr;
    size_t place = 0;         // of the candidate in the route
    size_t key = 0;           // of its provider's
    Permit permit;            // until it has ended
    Reservation reservation;  // until its transfer is over
    bool repeats = false;     // one that was refused for a member of the gateway's own
    bool may_repeat = false;  // it was refused for such a member
    bool hedge = false;       // made beside a slow one
    bool sent = false;        // all of its request
    bool lost = false;        // another one was quicker
    bool over = false;
  };

  // Before the next try: nobody runs.
  struct Pause {
    Turns::Turn turn;
    bool again = false;  // of the same endpoint, with the key of its turn: the permit is asked for
    size_t key = 0;
    TimePoint until;
    Error otherwise;  // what the request fails with, where that cannot be asked after all
  };

  const Ask& ask() const { return plan_.admission->request->ask; }
  const Provider& ProviderOf(const Candidate& candidate) const;
  bool NobodyNeedsBody() const;
  void AskNext(Error otherwise);
  void ArmHedge();
  void Hedge();
  void GoOnLater(Pause pause, Duration wait);
  void EndPause();
  bool RepeatAlone(const Try& failed, const FailedAttempt& judged);
  uint64_t Random() const { return world_.rng != nullptr ? world_.rng->Next() : 0; }
  FailedAttempt Judge(const Attempt& attempt, const Error& error, bool dispatched) const;
  void GoOn(const Try& failed, const FailedAttempt& judged);
  Error WithSoonest(const FailedAttempt& judged) const;
  AttemptVerdict VerdictOnAbandoned(const Attempt& attempt) const;
  void Send(Turns::Turn turn, bool repeats);
  void Tell(Try* ended, const AttemptVerdict& verdict);
  Result<std::unique_ptr<Transcoder>> Open(const Candidate& candidate, bool repeats) const;
  Asking AskForUsage(const Candidate& candidate, bool repeats) const;
  void OnUnsaid(Error error);
  Try& TryOf(const Attempt* attempt);
  void Win(Try* winner);
  void NoteQuirk(const Try& of) const;
  void TellOperator(const Attempt& attempt, Error* error) const;
  void Count(Try* ended, std::string_view error, bool dispatched, std::string words = {});
  void AbandonAllBut(const Try* winner);
  Money SuspectedCost(const Try& of, std::string_view error, bool dispatched) const;
  void FreeSlotOf(Try* ended);
  void ReleaseBody();
  void ReleaseSlot();

  void OnSent(Attempt* attempt) override;
  void OnTold(Attempt* attempt, const ToldLimits& told) override;
  Flow OnOutput(Attempt* attempt, std::string_view bytes) override;
  void OnAnswered(Attempt* attempt) override;
  void OnFailed(Attempt* attempt, Error error, bool dispatched) override;
  void OnTransferOver(Attempt* attempt) override;

  const TriesPlan plan_;
  const ExchangeWorld& world_;
  TriesOwner* const owner_;

  Turns turns_;
  AnswerNames names_;
  UnixSeconds created_;
  TimePoint until_;
  bool hurried_ = false;
  // All that were made: an ended one's callbacks may be running. RetryPolicy::max_attempts, and
  // once more for each candidate, at most.
  std::vector<std::unique_ptr<Try>> tries_;
  Try* current_ = nullptr;
  std::optional<Pause> pause_;
  TimePoint hedge_at_ = TimePoint::Never();  // the first is slow then
  std::vector<AttemptRecord> records_;
  mutable std::optional<TokenEstimate> prompt_;
  Duration waited_;  // of those that have ended
  size_t running_ = 0;
  int sent_ = 0;
  bool won_ = false;
  bool reading_out_ = false;
  bool has_slot_ = false;  // of those who read out
};

}  // namespace seekroute
