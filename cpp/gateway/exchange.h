// One client request from admission to its end: the states, and nothing else. Its trades do the
// work: Gate the limits, Purse the money, Tries the attempts, Outbox what the client gets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "billing/bill.h"
#include "gateway/admission.h"
#include "gateway/exchange_world.h"
#include "gateway/gate.h"
#include "gateway/idempotency.h"
#include "gateway/laps.h"
#include "gateway/outbox.h"
#include "gateway/purse.h"
#include "gateway/tries.h"
#include "store/store.h"

namespace seekroute {

// Table::kMoves in exchange.cc has every move there is: what happens in a state that it does not
// name changes nothing.
//
// Invariants: content is never repeated (no second attempt after the first byte of it); an admitted
// exchange settles exactly one row, also when its client goes away; it ends within its total
// deadline; where money is to be held, nothing is sent before it is. Engine thread only.
class Exchange : private PurseOwner, private TriesOwner {
 public:
  Exchange(Submission submission, const ExchangeWorld& world);
  ~Exchange() override;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Admits the request and sends it, lets it wait for its limits, or refuses it. Once.
  void Start();

  // There may be room in the limits that it waits for.
  void PassGate();

  // The client went away: the upstream is cancelled, or read out, and the row still settled.
  void ClientLeft();

  // The gateway stops, also before Start(), which is not called then. Whoever still waits for its
  // answer is told so and pays nothing, and its Idempotency-Key may be used again; who had left
  // before pays for what it had got. Ends at once, but for the store.
  void Stop();

  // The client has taken what was waiting for it.
  void Resume() { tries_.Resume(); }

  // The next instant at which OnTimer() has something to do.
  TimePoint NextDeadline() const;
  void OnTimer(TimePoint now);

  // It waits for its limits.
  bool queued() const { return state_ == State::kQueued; }
  // Nobody waits for it.
  bool shadow() const { return in_.origin == Origin::kShadow; }

  // Nothing is left to do: the exchange may be destroyed (from outside its own callbacks).
  bool finished() const { return state_ == State::kDone && !purse_.storing() && tries_.quiet(); }
  ExchangeId id() const { return in_.id; }

 private:
  enum class State : uint8_t {
    kAdmitting,
    kQueued,      // its limits are reached, and it waits for its turn
    kHolding,     // money is being set aside
    kAsking,      // an upstream is asked: nothing has reached the client
    kRelaying,    // the head is out
    kReadingOut,  // the client is gone, and its answer is read to the end for its usage
    kSettling,    // the row is being stored
    kDone,        // the client has its last byte
  };
  static constexpr size_t kStates = 8;
  enum class Event : uint8_t {
    kRefused,
    kRepeated,      // a stored answer is given again
    kWaits,         // its limits are reached
    kPays,          // admitted: money is to be held for it
    kFree,          // admitted: none is
    kHeld,          // the hold is durable
    kHoldLate,      // the store did not answer in time
    kContent,       // the first bytes for the client
    kAnswered,      // the answer is complete
    kOutOfTries,    // all failed that could be asked
    kLeft,          // the client went away
    kLeftReadable,  // likewise, and the answer is read on
    kDeadline,      // the time of the whole request is over
    kStop,          // the gateway stops
    kSettled,       // the row is durable, or was given up
    kSettleLate,    // the client does not wait for it any longer
  };
  static constexpr size_t kEvents = 16;
  using Act = void (Exchange::*)();
  struct Transition {
    State in;
    Event event;
    State to;
    Act act;
  };
  struct Table;

  // Whether there is a move for it.
  bool Knows(Event event) const;
  // Makes the move, if there is one: sets the state, then acts, last of all.
  void Fire(Event event);
  // To kSettling, as one that ended so. Nothing where the table has no move.
  void End(Event event, Ending ending, std::optional<Error> error);
  // Likewise with bill_ as it is, in a state that has a move for it.
  void EndBilled(Event event, std::optional<Error> error);

  // The acts of the table.
  void Wait();
  void Hold();
  void StartTries();
  void SendHead();
  void ReadOn() {}  // the tries do already
  void Settle();
  void Deliver();
  void DeliverLate();
  void Refuse();
  void Close();
  void TellHost() { world_.host->OnFinished(in_.id); }

  void TellProgress();
  void Identify();
  Status TakeIn();
  Status Claim(std::shared_ptr<const StoredAnswer>* stored);
  void Replay(const StoredAnswer& stored);
  bool Pays() const { return world_.options->credits && !record_.org_id.empty(); }
  // Where the provider charges for all of an answer anyway, it is worth to be read on.
  bool MayReadOut() const {
    return purse_.holds() && world_.options->on_client_abort != ChargePolicy::kFree;
  }
  const Ask& ask() const;
  Duration MostTime() const;
  TimePoint Deadline() const;
  bool Hurried() const;
  Error TimeIsUp() const;
  Ending EndingOf(bool in_time) const;
  void AddChoice(ResponseHead* head) const;
  void PutHead(ResponseHead head);
  void FreeSlots();
  void Remember() const;
  void LearnLength() const;
  void WriteAnswer();
  void WriteError(const Error& error);
  void CountEnd() const;
  Used UsedSoFar() const;
  Bill BillNow(Ending ending) const;
  // Writes into record_ what is known of the request now, with that bill: the only writer of a
  // record. What it wrote before is written again.
  void Compose(const Bill& bill);
  UsageReport Report() const;
  std::string Routing() const;
  void KeepRouting();

  void OnHeld(Status held) override;
  void OnSettled() override { Fire(Event::kSettled); }
  Flow OnContent(std::string_view bytes) override;
  void OnAnswered() override;
  void OnOutOfTries(Error error) override;
  void OnDeadline(TimePoint at) override { world_.host->OnDeadline(in_.id, at); }
  void OnBodyGone() override { outbox_.BodyGone(); }
  void OnQuiet() override;

  Submission in_;
  const ExchangeWorld world_;
  State state_ = State::kAdmitting;
  Admission admission_;
  ClaimGuard claim_;
  Gate gate_;
  Outbox outbox_;
  Purse purse_;
  Tries tries_;
  Laps laps_;
  std::optional<Error> error_;
  Bill bill_;
  TimePoint next_progress_ = TimePoint::Never();
  ExchangeRecord record_;  // as it was composed last; before that, what admission knows
};

}  // namespace seekroute
