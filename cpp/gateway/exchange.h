// One client request from admission to its end: a sequence of attempts, one answer, one row.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "billing/bill.h"
#include "gateway/admission.h"
#include "gateway/attempt.h"
#include "gateway/exchange_world.h"
#include "gateway/outbox.h"
#include "gateway/spend_bound.h"
#include "store/store.h"

namespace seekroute {

// In rows, the word of an attempt that we ended: its client left, or the time was up.
inline constexpr std::string_view kAbandoned = "abandoned";

// The states, and what moves one to the next:
//
//   kAdmitting --refused--> kDone
//       | Start()
//   kHolding --refused--> kDone                  only of an organization, with credits on
//       | the hold is durable      | client gone, store too slow: kSettling
//   kSending ---next candidate---> kSending     only while no content has reached the client
//       | first content            | failed, nothing left to ask; client gone
//   kRelaying                      |
//       | answered, or failed; client gone, unless the provider's answer is read out; Stop()
//   kSettling <--------------------+            the row is being stored
//       | stored, or the client waited settle_patience for it
//   kDone                                       the client has its last byte
//
// Invariants: content is never repeated (no second attempt after the first byte of it); an admitted
// exchange settles exactly one row, also when its client goes away; it ends within its total
// deadline; where money is to be held, nothing is sent before it is. Engine thread only.
class Exchange : private AttemptOwner, private StoreObserver {
 public:
  Exchange(Submission submission, const ExchangeWorld& world);
  ~Exchange() override;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Admits the request and sends it, or refuses it. Once.
  void Start();

  // The client went away: the upstream is cancelled, or read out, and the row still settled.
  void Cancel();

  // The gateway stops, also before Start(), which is not called then. Whoever still waits for its
  // answer is told so and pays nothing, and its Idempotency-Key may be used again; who had left
  // before pays for what it had got. Ends at once, but for the store.
  void Stop();

  // The client has taken what was waiting for it.
  void Resume();

  // The next instant at which OnTimer() has something to do.
  TimePoint NextDeadline() const;
  void OnTimer(TimePoint now);

  // Nothing is left to do: the exchange may be destroyed (from outside its own callbacks).
  bool finished() const { return state_ == State::kDone && !storing_ && attempt_over(); }
  ExchangeId id() const { return in_.id; }

 private:
  enum class State : uint8_t { kAdmitting, kHolding, kSending, kRelaying, kSettling, kDone };

  void Identify();
  Status Take();
  Status ClaimIdempotency(std::shared_ptr<const StoredAnswer>* stored);
  void Replay(const StoredAnswer& stored);
  bool IsCharged() const { return world_.options->credits && !row_.org_id.empty(); }
  Status BoundSpending();
  Money CreditLine() const;
  bool IsLimited() const;
  void Hold();
  void OnHoldTimer(TimePoint now);
  HoldRequest WorstCase() const;
  std::optional<int64_t> ToldLength() const;
  std::optional<int64_t> ToldReasoning() const;
  bool IgnoredCap(const Bill& bill) const;
  Error Unaffordable(const HoldAnswer& answer) const;
  void SendNext();
  void Send();
  Result<std::unique_ptr<Transcoder>> OpenWay(bool last);
  Asking AskForUsage() const;
  bool RepeatsWithoutOptions(const Error& error) const;
  void NoteQuirk();
  void TellOperator(Error* error) const;
  void CountAttempt(std::string_view error, bool dispatched, std::string words = {});
  void AbandonAttempt();
  bool StartReadOut();
  void EndReadOut(bool answered);
  Money SuspectedCost(std::string_view error, bool dispatched);
  void Settle(std::optional<Error> error);
  void NoteDelivery(TimePoint now);
  void NoteProgress();
  void EndExchange();
  void EndAnswer();
  void EndError(const Error& error);
  void Done();
  Used UsedSoFar() const;
  Bill BillNow(Ending ending) const;
  void Enter(const Bill& bill, ExchangeRecord* row) const;
  static Error ClientLeft();
  void ReleaseBody();
  TokenEstimate PromptEstimate() const;
  Duration LongestTotal() const;
  void UpdateTimes();
  AnswerNames Names() const;
  UsageReport Report() const;
  std::string Routing() const;
  // What is acted on of the request; of one that was refused before it was read, nothing is asked.
  const Ask& ask() const;
  // Of the running attempt, or of the last one, which was ended.
  Transcoder& LastTranscoder() const {
    return (attempt_ ? attempt_ : retired_.back())->transcoder();
  }
  const std::vector<Candidate>& candidates() const { return admission_.route.candidates; }
  bool attempt_over() const { return !attempt_ || attempt_->transfer_done(); }

  void OnSent() override;
  Flow OnOutput(std::string_view bytes) override;
  void OnAnswered() override;
  void OnFailed(Error error, bool dispatched) override;
  void OnTransferOver() override { world_.host->OnFinished(in_.id); }
  void OnHeld(StoreTicket ticket, const HoldAnswer& answer) override;
  void OnStored(StoreTicket ticket, const Status& status) override;

  Submission in_;
  const ExchangeWorld world_;
  TimePoint deadline_;  // the gateway's, until the model is known

  Outbox outbox_;
  State state_ = State::kAdmitting;
  Admission admission_;
  // Asked last; before that the one that is asked first. Null: refused before there was a route.
  const Candidate* candidate_ = nullptr;
  ClaimGuard claim_;
  std::optional<SpendBound> bound_;  // where money is held or the client set a limit
  std::optional<int64_t> cap_;       // tokens a choice that the hold or max_cost pays for
  size_t next_candidate_ = 0;
  UsageAsking asking_;
  std::unique_ptr<Attempt> attempt_;
  std::vector<std::unique_ptr<Attempt>> retired_;  // failed ones: their callbacks may be running
  ExchangeRecord row_;
  Bill bill_;                            // as it would be settled, or is
  std::optional<TokenEstimate> prompt_;  // read with the request, or made before its body went
  std::optional<Error> error_;
  TimePoint waits_until_;                   // for the store: kHolding, kSettling
  TimePoint note_at_ = TimePoint::Never();  // something was delivered since the last one
  Duration waited_;                         // for upstreams, over all attempts
  bool content_sent_ = false;               // not only what a stream says before its first content
  bool held_ = false;                       // a hold stands, and its charge is at most row_.held
  bool storing_ = false;                    // Settle() was called and not answered
  bool reading_out_ = false;  // the client is gone and its answer is read out; a slot is taken
};

}  // namespace seekroute
